// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/promises.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dataplane/idle.h"

namespace ravelin::control {
namespace {

using config::Node;

constexpr uint64_t kBitsPerByte = 8, kSecond = 1'000'000'000;

uint64_t rate_of(const sched::Contract& contract) {
    return (contract.work * kSecond + contract.period_ns - 1) / contract.period_ns;
}

/// A packet may find so much ahead of it that was chosen before it came, and its worker asleep. The
/// box's own frames count as if they always went first: where their deadline is too short to be
/// kept, nobody else's suffers by it.
admission::Resource link_resource(const Node& tree, size_t port, const LinkPlan& plan) {
    const sched::LinkScheduler::Config link = config_of(plan);
    const sched::Contract box = box_contract(plan);
    const bool sleeps = tree["workers"]["poll"].as_text() != "busy";
    return {.name = "port " + tree["ports"].items()[port]["name"].as_text(),
            .unit = "bytes on the wire",
            .capacity = sched::Pace(link.rate, 0).rate(),
            .core = {.rate = rate_of(box), .burst = box.work},
            .blocking = link.ring_bytes,
            .wake = sleeps ? kLongestSleepNs + kLateToWakeNs : 0};
}

}  // namespace

Result<Promises> Promises::of(const Node& tree) {
    Promises out(tree);
    const auto& nodes = tree["reservations"].items();
    std::vector<Reservation> all;
    for (size_t i = 0; i < nodes.size(); ++i) {
        auto one = out.reader_.read(nodes[i], fmt::format("reservations[{}]", i));
        if (!one) return std::move(one.error());
        all.push_back(std::move(*one));
    }
    for (Reservation& one : all)
        if (auto s = out.reader_.resolve(one); !s) return std::move(s.error());
    std::vector<const Reservation*> asked;
    for (const Reservation& one : all) asked.push_back(&one);
    const auto order = order_of(asked);
    if (!order) return Error{"reservations: " + order.error().message};
    for (const size_t i : *order)
        if (auto s = out.admit(all[i]); !s) return std::move(s.error()).within(all[i].place);
    return out;
}

Promises Promises::in_force(const Node& tree, const Node& live) {
    Promises out(tree);
    out.restore(tree["reservations"], false);
    out.restore(live, true);
    return out;
}

Promises::Link& Promises::link_of(PortId port) {
    const auto [at, fresh] = links_.try_emplace(port);
    Link& link = at->second;
    if (!fresh) return link;
    link.plan = plan_of(*part_, port);
    link.resource = admission_.add_resource(link_resource(*part_, port, link.plan));
    link.aside = sched::packets_waiting(box_contract(link.plan));
    return link;
}

// The most that may wait at a link is what the whole deadline lets.
Status Promises::admit(const Reservation& wanted) {
    std::vector<uint64_t> aside;
    for (const ReservedLink& link : wanted.links) {
        aside.push_back(link_of(link.port).aside);
        if (auto s = set_aside(*part_, link_of(link.port).plan, link, aside.back()); !s) return s;
    }
    if (const auto refused = reserve(wanted))
        return Error{refused->why.text + advice(wanted, *refused)};
    for (size_t i = 0; i < aside.size(); ++i) link_of(wanted.links[i].port).aside = aside[i];
    return ok_status();
}

// Of one of several resources: what admission has found.
void Promises::set_split(const std::string& name, Node& node) const {
    const admission::Reservation* granted = admission_.find(name);
    if (granted == nullptr) return;
    Node parts = Node::list();
    admission::Nanoseconds cycles = 0;
    for (const admission::Hold& hold : granted->holds) {
        if (!is_worker(hold.resource)) continue;
        parts.add(Node::text(fmt::format("{}", hold.time)));
        cycles += hold.time;
    }
    const size_t count = parts.items().size();
    if (count != 0 && count < granted->holds.size())
        node.set("cpu-deadline", Node::integer(cycles));
    if (count > 1) node.set("cpu-parts", std::move(parts));
}

void Promises::write_splits(Node& tree) const {
    for (auto& [member, list] : tree.members())
        for (Node& node : list.items())
            if (member == "reservations") set_split(node["name"].as_text(), node);
}

Result<Reservation> Promises::enter(const Node& node, const std::string& place) {
    auto one = reader_.read(node, place);
    if (!one) return one;
    auto s = reader_.resolve(*one);
    if (s)
        if (s = admit(*one); !s) s = std::move(s.error()).within(place);
    if (s) return one;
    reader_.forget(*one);
    return std::move(s.error());
}

Status Promises::add(const Node& live) {
    auto one = enter(live, place_of_live(live));
    if (!one) return std::move(one.error());
    const std::string name = one->name;
    Node node = live;
    set_split(name, node);
    live_.insert_or_assign(name, Live{std::move(node), std::move(*one)});
    return ok_status();
}

bool Promises::remove(const std::string& name) {
    const auto at = live_.find(name);
    if (at == live_.end()) return false;
    if (!sharers(name).empty()) return false;
    const Reservation& gone = at->second.reservation;
    give_back(gone);
    for (const ReservedLink& link : gone.links)
        link_of(link.port).aside -= sched::packets_waiting(link.contract);
    reader_.forget(gone);
    live_.erase(at);
    return true;
}

std::vector<std::string> Promises::sharers(const std::string& name) const {
    std::vector<const Reservation*> found;
    const auto reached = [&](const std::string& one) {
        return one == name || std::ranges::find(found, one, &Reservation::name) != found.end();
    };
    for (bool more = true; std::exchange(more, false);)
        for (const auto& [other, live] : live_)
            if (!reached(other) && std::ranges::any_of(live.reservation.referents(), reached)) {
                found.push_back(&live.reservation);
                more = true;
            }
    std::vector<std::string> out;
    const auto order = order_of(found);
    for (const size_t i : *order) out.insert(out.begin(), found[i]->name);
    return out;
}

Status Promises::fits(const Node& live) {
    auto as = granted(live);
    return as ? ok_status() : Status(std::move(as.error()));
}

Result<Node> Promises::granted(const Node& live) {
    if (Status added = add(live); !added) return std::move(added.error());
    const std::string name = live["name"].as_text();
    Node out = live_.at(name).node;
    remove(name);
    return out;
}

Node Promises::live() const {
    Node out = Node::list();
    for (const auto& [name, live] : live_) out.items().push_back(live.node);
    return out;
}

std::vector<LinkUse> link_use(const Node& tree, const Node& live) {
    std::vector<LinkUse> out;
    const auto& ports = tree["ports"].items();
    const auto reservations = read_reservations(tree, live);
    for (size_t i = 0; i < ports.size(); ++i) {
        if (!ports[i].has("rate")) continue;
        const LinkPlan plan = plan_of(tree, i);
        LinkUse use{.port = ports[i]["name"].as_text(),
                    .capacity = plan.rate / kBitsPerByte,
                    .box = rate_of(box_contract(plan))};
        for (size_t r = 0; reservations && r < reservations->size(); ++r)
            for (const ReservedLink& link : (*reservations)[r].links)
                if (link.port == i) use.reserved += rate_of(link.contract);
        out.push_back(std::move(use));
    }
    return out;
}

}  // namespace ravelin::control
