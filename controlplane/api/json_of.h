// SPDX-License-Identifier: Apache-2.0
// The data plane's messages as the API's JSON. Field names are those of control.proto.
#pragma once
#include <string>
#include <string_view>

#include "control.pb.h"
#include "controlplane/api/call.h"

namespace ravelin::control {

std::string base64(std::string_view bytes);

Json json_of(const model::Step& step);
Json json_of(const model::TraceEvent& event);
Json json_of(const model::CapturedFrame& frame);  ///< `data` in base64
Json json_of(const model::Explanation& explanation);
Json json_of(const model::FlowRecord& flow);
Json json_of(const model::PrincipalRecord& p);
Json json_of(const model::NeighbourRecord& neighbour);
Json json_of(const model::RouteRecord& route);
Json json_of(const model::RuleProof& proof);
Json json_of(const model::LinkShare& share);
Json json_of(const model::PortStatus& port);  ///< `rate` and what follows: only if it has one
Json json_of(const model::TableMemory& table);
Json json_of(const model::LiveStatus& live);
Json json_of(const model::DataplaneStatus& status);
Json json_of(const model::FunctionRecord& function);

template <typename Repeated>
Json json_list(const Repeated& messages) {
    Json out = Json::array();
    for (const auto& message : messages) out.push_back(json_of(message));
    return out;
}

}  // namespace ravelin::control
