// SPDX-License-Identifier: Apache-2.0
// reservations: what the policy in force promises, what came of it, and what ports have left.
#include "controlplane/api/services.h"
#include "controlplane/compile/promises.h"
#include "dataplane/reservations.h"

namespace ravelin::control {
namespace {

constexpr uint64_t kBitsPerByte = 8;

/// What the principal had of the port; null: the data plane did not say.
const model::LinkShare* share_of(const Reservation& reservation, const std::string& port,
                                 const Result<model::DataplaneStatus>& status) {
    if (!status) return nullptr;
    for (const model::PortStatus& p : status->ports())
        for (const model::LinkShare& share : p.shares())
            if (p.name() == port && share.principal() == reservation.principal) return &share;
    return nullptr;
}

Json json_of(const Reservation& reservation, const config::Node& node, const std::string& port,
             const Result<model::DataplaneStatus>& status) {
    Json out{{"name", reservation.name},
             {"principal", reservation.principal},
             {"out", node["out"].as_text()},
             {"port", port},
             {"bytes", node["bytes"].as_integer()},
             {"wire_bytes", reservation.contract.work},
             {"rate_pps", node["rate"].as_integer()},
             {"deadline_ns", reservation.contract.deadline_ns}};
    if (const model::LinkShare* share = share_of(reservation, port, status)) {
        out["sent"] = share->packets();
        out["used"] = share->reserved();
        out["late"] = share->late();
        out["dropped"] = share->dropped();
    }
    return out;
}

void reservations(Services& s, const CallPtr& call, const Result<model::DataplaneStatus>& status) {
    const config::Node& tree = s.store.in_force().tree;
    Json all = Json::array(), ports = Json::array();
    const auto read = read_reservations(tree);
    for (size_t i = 0; read && i < read->size(); ++i)
        all.push_back(json_of((*read)[i], tree["reservations"].items()[i],
                              tree["ports"].items()[(*read)[i].port]["name"].as_text(), status));
    for (const LinkUse& use : link_use(tree))
        ports.push_back({{"port", use.port},
                         {"rate", use.capacity * kBitsPerByte},
                         {"reserved", use.reserved * kBitsPerByte},
                         {"box", use.box * kBitsPerByte}});
    Json out{{"generation", s.store.in_force().generation},
             {"reservations", std::move(all)},
             {"ports", std::move(ports)}};
    if (!status) out["problem"] = status.error().message;
    call->result(std::move(out));
}

}  // namespace

void add_reservation_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("reservations", [s](const CallPtr& call) {
        ask_status(*s, [s, call](const Result<model::DataplaneStatus>& status) {
            reservations(*s, call, status);
        });
    });
}

}  // namespace ravelin::control
