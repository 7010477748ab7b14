// SPDX-License-Identifier: Apache-2.0
// The requests that only look: status, flows, neighbours, routes, explain. And flow deletion.
#pragma once
#include "control.pb.h"
#include "dataplane/process/describe.h"
#include "dataplane/process/policy_store.h"

namespace ravelin::answers {

void status(const PolicyStore& store, uint64_t started_unix_ms, model::DataplaneStatus& out);
/// Every table's bytes, entries and the most it holds.
void memory(const PolicyStore& store, model::DataplaneStatus& out);
/// Rate, queue and shares of a port that is paced.
void link(const PacedLink& link, model::PortStatus& out);
/// Answers a request that only looks (or deletes flows), by one of those below; false: it is
/// another kind. Needs a policy in force.
bool look(const PolicyStore& store, const model::ToDataplane& request, model::Reply& reply);
/// Up to `limit` flows over all workers; `total` counts them all.
void flows(const PolicyStore& store, uint32_t limit, model::Reply& reply);
/// Deletes every flow with `address` (16 bytes) at either end; `total` counts them.
void delete_flows(const PolicyStore& store, const std::string& address, model::Reply& reply);
void neighbours(const PolicyStore& store, model::Reply& reply);
/// The first `most` declared, the rest in one as "others"; without any, `core` and `idle`.
void principals(const PolicyStore& store, uint32_t most, model::PrincipalRecords& out);
void functions(const PolicyStore& store,
               google::protobuf::RepeatedPtrField<model::FunctionRecord>& out);
/// Of one address (16 bytes), or up to `limit` of the table.
void routes(const PolicyStore& store, const model::RouteLookup& request, model::Reply& reply);
/// The route of an explained packet and its next hop.
void explain_route(const PolicyStore& store, const Describer& describer, const PacketMeta& meta,
                   model::Explanation& out);
void explain(const PolicyStore& store, const model::Explain& request, model::Reply& reply);

}  // namespace ravelin::answers
