// SPDX-License-Identifier: Apache-2.0
// reservations, reserve, release: what is promised, what came of it, what ports have left; and
// promises made and taken back without a new generation.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "controlplane/api/measured.h"
#include "controlplane/api/services.h"
#include "controlplane/compile/promises.h"
#include "controlplane/compile/worker_cycles.h"
#include "controlplane/config/yaml_loader.h"
#include "dataplane/reservations.h"
#include "pipelines/model/reservation_schema.h"
#include "pipelines/model/tree_codec.h"

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

/// As it was asked for, and whether it can be kept.
Json json_of(const config::Node& node, const std::string& place, const Promises& promises) {
    Json out{{"name", node["name"].as_text()},        {"principal", node["principal"].as_text()},
             {"out", texts_of(node["out"])},          {"bytes", node["bytes"].as_integer()},
             {"rate_pps", node["rate"].as_integer()}, {"kept", true}};
    const auto uncovered = promises.uncovered().find(place);
    if (uncovered == promises.uncovered().end()) return out;
    out["kept"] = false;
    out["why"] = uncovered->second;
    return out;
}

/// What the links make of it, and what came of that: of each, and of all together.
void add_links(Json& out, const Reservation& reservation, const config::Node& tree,
               const Result<model::DataplaneStatus>& status) {
    out["links"] = Json::array();
    for (const ReservedLink& reserved : reservation.links) {
        const std::string port = tree["ports"].items()[reserved.port]["name"].as_text();
        Json link{{"port", port}, {"wire_bytes", reserved.contract.work}};
        if (reserved.shared_with.empty())
            link["deadline_ns"] = reserved.contract.deadline_ns;
        else  // who has reserved them has their part of the deadline
            link["shared_with"] = reserved.shared_with;
        if (const model::LinkShare* share = share_of(reservation, port, status)) {
            link.update({{"sent", share->packets()},
                         {"used", share->reserved()},
                         {"late", share->late()},
                         {"dropped", share->dropped()}});
            for (const char* count : {"sent", "used", "late", "dropped"})
                out[count] = out.value(count, uint64_t{0}) + link[count].get<uint64_t>();
        }
        out["links"].push_back(std::move(link));
    }
}

/// The functions of each part, with the worker and the part of the deadline that they have
/// together.
void add_runs(Json& out, const Reservation& reservation) {
    size_t at = 0;
    for (const ReservedPart& part : reservation.parts)
        for (size_t i = 0; i < part.runs && at < reservation.runs.size(); ++i) {
            const ReservedRun& run = reservation.runs[at++];
            Json one{{"function", run.function}, {"deadline_ns", part.contract.deadline_ns}};
            if (run.cycles != 0) one["cycles"] = run.cycles;
            if (part.worker != kAnyWorker) one["worker"] = part.worker;
            out["runs"].push_back(std::move(one));
        }
}

void add_read(Json& out, const Reservation& reservation, const config::Node& tree,
              const Result<model::DataplaneStatus>& status) {
    out["deadline_ns"] = reservation.deadline_ns;
    out["relaxation"] = reservation.relaxation;
    if (reservation.cycles.work != 0) out["cycles"] = reservation.cycles.work;
    add_runs(out, reservation);
    if (!reservation.shared_with.empty()) out["shared_with"] = reservation.shared_with;
    if (reservation.has_cycles()) out["cpu_deadline_ns"] = reservation.cycles.deadline_ns;
    add_links(out, reservation, tree, status);
}

/// Also what no link could take any more: it is not forgotten, and can be released.
Json all_reservations(Services& s, const Result<model::DataplaneStatus>& status) {
    const config::Node& tree = s.store.in_force().tree;
    Json all = Json::array();
    ReservationReader reader(tree);
    const auto add = [&](const config::Node& node, const std::string& place, bool live) {
        Json one = json_of(node, place, s.live.promises());
        one["live"] = live;
        if (const auto read = reader.read(node, place)) add_read(one, *read, tree, status);
        all.push_back(std::move(one));
    };
    const auto& configured = tree["reservations"].items();
    for (size_t i = 0; i < configured.size(); ++i)
        add(configured[i], fmt::format("reservations[{}]", i), false);
    for (const auto& [name, node] : s.live.state().reservations())
        add(node, place_of_live(node), true);
    return all;
}

/// Of a worker that functions name, or of each other.
Json json_of(const CycleUse& use) {
    Json out{{"per_second", use.capacity}, {"reserved", use.reserved}, {"core", use.core}};
    if (use.worker != kAnyWorker) out["worker"] = use.worker;
    return out;
}

void reservations(Services& s, const CallPtr& call, const Result<model::DataplaneStatus>& status) {
    Json ports = Json::array();
    for (const LinkUse& use : link_use(s.store.in_force().tree, s.live.promises().live()))
        ports.push_back({{"port", use.port},
                         {"rate", use.capacity * kBitsPerByte},
                         {"reserved", use.reserved * kBitsPerByte},
                         {"box", use.box * kBitsPerByte}});
    Json workers = Json::array();
    for (const CycleUse& use : cycle_uses(s.store.in_force().tree, s.live.promises().live()))
        workers.push_back(json_of(use));
    const CycleUse cycles = cycle_use(s.store.in_force().tree, s.live.promises().live());
    Json out{{"generation", s.store.in_force().generation},
             {"cycles", json_of(cycles)},
             {"workers", std::move(workers)},
             {"reservations", all_reservations(s, status)},
             {"ports", std::move(ports)}};
    if (!status) out["problem"] = status.error().message;
    call->result(std::move(out));
}

/// Wrong in itself, or more than can be kept. `measured`: in the place of what `cpu` says.
std::optional<Failure> read(Services& s, const std::string& text,
                            const std::vector<Measured>& measured, config::Node& out) {
    auto node = config::load_map(text, "reservation", model::kReservationSchema, config::Node());
    if (!node) return Failure{FailureKind::kInvalid, node.error().message};
    out = std::move(*node);
    config::Node cpu = config::Node::list();
    for (const Measured& one : measured)
        cpu.add(config::Node::text(fmt::format("{}cyc/pkt", one.cycles)));
    if (!measured.empty()) out.set("cpu", std::move(cpu));
    auto granted = s.live.promises().granted(out);
    if (!granted) return Failure{FailureKind::kRefused, granted.error().message};
    out = std::move(*granted);
    return std::nullopt;
}

void reserve(Services& s, const CallPtr& call, const std::string& text,
             const std::vector<Measured>& measured) {
    const auto said = [measured] {
        Json out = Json::object();
        for (const Measured& one : measured)
            out["measured"].push_back({{"function", one.function},
                                       {"packets", one.packets},
                                       {"most_cycles", one.most},
                                       {"cycles", one.cycles}});
        return out;
    };
    if (call->flag("dry_run")) {
        config::Node node;
        if (auto wrong = read(s, text, measured, node)) return call->fail(*wrong);
        Json out = said();
        out.update({{"generation", s.store.in_force().generation}, {"dry_run", true}});
        return call->result(std::move(out));
    }
    s.live.change(
        [&s, text, measured](model::LiveChange& change) -> std::optional<Failure> {
            if (auto waits = pending(s)) return waits;
            config::Node node;
            if (auto wrong = read(s, text, measured, node)) return wrong;
            model::encode(node, *change.add_reservations()->mutable_grant());
            return std::nullopt;
        },
        answer_live(call, said));
}

// `cpu: auto` has to be measured first, and only a running data plane can.
void reserve(Services& s, const CallPtr& call) {
    const std::string text = call->text("reservation");
    (void)call->flag("dry_run");
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    auto node = config::load_map(text, "reservation", model::kReservationSchema, config::Node());
    if (!node) return call->fail(FailureKind::kInvalid, node.error().message);
    if (texts_of((*node)["cpu"]) != std::vector<std::string>{"auto"})
        return reserve(s, call, text, {});
    const std::string principal = (*node)["principal"].as_text();
    ask_status(s, [&s, call, text, principal](const Result<model::DataplaneStatus>& status) {
        if (!status) return call->fail(FailureKind::kUnavailable, status.error().message);
        const auto measured = measure(s.store.in_force().tree, principal, status->functions());
        if (!measured) return call->fail(FailureKind::kRefused, measured.error().message);
        reserve(s, call, text, *measured);
    });
}

void release(Services& s, const CallPtr& call) {
    const std::string name = call->text("name");
    const bool force = call->flag("force");
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    const auto sharers = std::make_shared<std::vector<std::string>>();
    s.live.change(
        [&s, name, force, sharers](model::LiveChange& change) -> std::optional<Failure> {
            if (auto waits = pending(s)) return waits;
            if (!s.live.state().reservations().contains(name))
                return Failure{FailureKind::kInvalid,
                               fmt::format("there is no live reservation '{}'; those of the "
                                           "configuration go with an apply",
                                           name)};
            *sharers = s.live.promises().sharers(name);
            if (!sharers->empty() && !force)
                return Failure{FailureKind::kRefused,
                               fmt::format("it is shared by {}: release these first, or "
                                           "all of them by force",
                                           fmt::join(*sharers, ", "))};
            for (const std::string& sharer : *sharers)
                change.add_reservations()->set_release(sharer);
            change.add_reservations()->set_release(name);
            return std::nullopt;
        },
        answer_live(call, [sharers] {
            return Json{{"released_too", *sharers}};
        }));
}

}  // namespace

void add_reservation_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("reservations", [s](const CallPtr& call) {
        ask_status(*s, [s, call](const Result<model::DataplaneStatus>& status) {
            reservations(*s, call, status);
        });
    });
    server.add("reserve", [s](const CallPtr& call) { reserve(*s, call); });
    server.add("release", [s](const CallPtr& call) { release(*s, call); });
}

}  // namespace ravelin::control
