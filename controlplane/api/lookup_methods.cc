// SPDX-License-Identifier: Apache-2.0
// flows, delete-flows, principals, functions, neighbours, routes, explain, selftest.
#include <fmt/format.h>

#include <algorithm>

#include "controlplane/api/json_of.h"
#include "controlplane/api/services.h"
#include "dataplane/address.h"
#include "dataplane/net/packet_text.h"

namespace ravelin::control {
namespace {

constexpr std::chrono::milliseconds kTimeout{10'000};
constexpr uint32_t kFlowsShown = 100, kRoutesShown = 100, kMostShown = 1'000'000;

/// Sends a request and turns a good reply into the result.
void ask(Services& s, const CallPtr& call, model::ToDataplane request,
         std::function<Json(const model::Reply&)> shape) {
    s.link.send(std::move(request), kTimeout,
                [call, shape = std::move(shape)](Result<model::Reply> reply) {
                    if (!reply) return call->fail(FailureKind::kUnavailable, reply.error().message);
                    if (!reply->error().empty())
                        return call->fail(FailureKind::kRefused, reply->error());
                    call->result(shape(*reply));
                });
}

/// The bytes of params.address. Nothing: absent. Error: not an address.
Result<std::optional<std::string>> address_of(Call& call) {
    const std::string text = call.text("address");
    if (text.empty()) return std::optional<std::string>{};
    auto address = IpAddress::parse(text);
    if (!address) return std::move(address.error()).within("address");
    return std::optional(
        std::string(reinterpret_cast<const char*>(address->bytes.data()), address->bytes.size()));
}

uint32_t limit_of(Call& call, uint32_t fallback) {
    return static_cast<uint32_t>(std::min<uint64_t>(call.number("limit", fallback), kMostShown));
}

void flows(Services& s, const CallPtr& call) {
    const std::string filter = call->text("filter");
    model::ToDataplane request;
    request.mutable_flows()->set_limit(limit_of(*call, kFlowsShown));
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    auto words = compile_filter(filter, 65535);
    if (!words) return call->fail(FailureKind::kInvalid, words.error().message);
    request.mutable_flows()->mutable_filter()->Add(words->begin(), words->end());
    ask(s, call, std::move(request), [](const model::Reply& reply) {
        return Json{{"flows", json_list(reply.flows())}, {"total", reply.total()}};
    });
}

void delete_flows(Services& s, const CallPtr& call) {
    auto address = address_of(*call);
    if (!address) return call->fail(FailureKind::kInvalid, address.error().message);
    if (!*address)
        return call->fail(FailureKind::kInvalid, "address: is missing, expected an IP address");
    model::ToDataplane request;
    request.mutable_delete_flows()->set_address(**address);
    ask(s, call, std::move(request), [](const model::Reply& reply) {
        return Json{{"deleted", reply.total()}};
    });
}

void principals(Services& s, const CallPtr& call) {
    model::ToDataplane request;
    request.mutable_principals();
    ask(s, call, std::move(request), [](const model::Reply& reply) {
        const model::PrincipalRecords& found = reply.principals();
        return Json{{"principals", json_list(found.principals())},
                    {"cycles_hz", found.cycles_hz()},
                    {"workers", found.workers()}};
    });
}

void functions(Services& s, const CallPtr& call) {
    ask_status(s, [call](const Result<model::DataplaneStatus>& status) {
        if (!status) return call->fail(FailureKind::kUnavailable, status.error().message);
        call->result({{"functions", json_list(status->functions())}});
    });
}

void neighbours(Services& s, const CallPtr& call) {
    model::ToDataplane request;
    request.mutable_neighbours();
    ask(s, call, std::move(request), [](const model::Reply& reply) {
        return Json{{"neighbours", json_list(reply.neighbours())}};
    });
}

void routes(Services& s, const CallPtr& call) {
    auto address = address_of(*call);
    if (!address) return call->fail(FailureKind::kInvalid, address.error().message);
    model::ToDataplane request;
    model::RouteLookup& lookup = *request.mutable_route();
    if (*address)
        lookup.set_address(**address);
    else
        lookup.set_list_limit(limit_of(*call, kRoutesShown));
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    ask(s, call, std::move(request), [](const model::Reply& reply) {
        return Json{{"routes", json_list(reply.routes())}, {"total", reply.total()}};
    });
}

PacketTextDefaults defaults_of(const model::DataplaneStatus& status) {
    PacketTextDefaults defaults;
    for (const model::PortStatus& port : status.ports()) {
        if (defaults.port.empty()) defaults.port = port.name();
        if (auto mac = MacAddress::parse(port.mac()))
            defaults.port_macs.push_back({port.name(), *mac});
    }
    return defaults;
}

void explain(Services& s, const CallPtr& call) {
    const std::string text = call->text("packet");
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    if (!s.link.connected()) return call->fail(FailureKind::kUnavailable, s.link.problem());
    auto packet = parse_packet_text(text, defaults_of(s.link.last_status()));
    if (!packet) return call->fail(FailureKind::kInvalid, "packet: " + packet.error().message);
    model::ToDataplane request;
    request.mutable_explain()->set_port(packet->port);
    request.mutable_explain()->set_frame(packet->frame.data(), packet->frame.size());
    const std::string understood = describe_frame(packet->frame);
    ask(s, call, std::move(request), [port = packet->port, understood](const model::Reply& reply) {
        Json out = json_of(reply.explanation());
        out["packet"] = fmt::format("in={} {}", port, understood);
        return out;
    });
}

/// The data plane proves some milliseconds' worth of rules at a time; this asks until all are.
void self_test(Services& s, const CallPtr& call, uint32_t first, uint64_t generation, Json rules) {
    model::ToDataplane request;
    request.mutable_self_test()->set_first(first);
    s.link.send(
        std::move(request), kTimeout,
        [&s, call, generation, rules = std::move(rules)](Result<model::Reply> reply) mutable {
            if (!reply) return call->fail(FailureKind::kUnavailable, reply.error().message);
            if (!reply->error().empty()) return call->fail(FailureKind::kRefused, reply->error());
            if (s.store.in_force().generation != generation)
                return call->fail(FailureKind::kRefused,
                                  "another policy came into force meanwhile");
            for (const auto& proof : reply->proofs()) rules.push_back(json_of(proof));
            if (reply->next_rule() != 0)
                return self_test(s, call, reply->next_rule(), generation, std::move(rules));
            const auto failed = std::ranges::count_if(
                rules, [](const Json& rule) { return rule["failed"] == true; });
            call->result(
                {{"generation", generation}, {"failed", failed}, {"rules", std::move(rules)}});
        });
}

}  // namespace

void add_lookup_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("flows", [s](const CallPtr& call) { flows(*s, call); });
    server.add("delete-flows", [s](const CallPtr& call) { delete_flows(*s, call); });
    server.add("principals", [s](const CallPtr& call) { principals(*s, call); });
    server.add("functions", [s](const CallPtr& call) { functions(*s, call); });
    server.add("neighbours", [s](const CallPtr& call) { neighbours(*s, call); });
    server.add("routes", [s](const CallPtr& call) { routes(*s, call); });
    server.add("explain", [s](const CallPtr& call) { explain(*s, call); });
    server.add("selftest", [s](const CallPtr& call) {
        self_test(*s, call, 0, s->store.in_force().generation, Json::array());
    });
}

}  // namespace ravelin::control
