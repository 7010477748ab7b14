// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/promises.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "controlplane/compile/worker_cycles.h"
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
admission::Resource resource_of(const Node& tree, size_t port, const LinkPlan& plan) {
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

/// What admission calls the part of it at a port beside the first: nobody's name has a blank.
std::string Promises::part_of(const std::string& name, PortId port) const {
    return fmt::format("{} at {}", name, (*part_)["ports"].items()[port]["name"].as_text());
}

/// Whichever part of it that is, of a port that it has reserved.
std::string Promises::part_with(const std::string& name, PortId port) const {
    const std::string part = part_of(name, port);
    return admission_.find(part) != nullptr ? part : name;
}

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
    link.resource = admission_.add_resource(resource_of(*part_, port, link.plan));
    link.aside = sched::packets_waiting(box_contract(link.plan));
    return link;
}

admission::ResourceId Promises::workers() {
    if (!workers_) workers_ = admission_.add_resource(workers_of(*part_));
    return *workers_;
}

std::vector<admission::ResourceId> Promises::resources_of(const Reservation& one) {
    std::vector<admission::ResourceId> out;
    if (one.has_cycles()) out.push_back(workers());
    for (const ReservedLink& link : one.links) out.push_back(link_of(link.port).resource);
    return out;
}

/// The functions, then the port `first`; at each other port what comes has had the same cycles, so
/// that refers to them. Each run costs its surroundings too.
std::vector<Promises::Asked> Promises::requests_of(const Reservation& wanted, size_t first) {
    const admission::Request like{
        .principal = wanted.name,
        .period = static_cast<admission::Nanoseconds>(wanted.cycles.period_ns),
        .deadline = static_cast<admission::Nanoseconds>(wanted.deadline_ns)};
    std::vector<Asked> out{{like, first}};
    for (size_t i = 0; i < wanted.links.size(); ++i)
        if (i != first) out.push_back({like, i});
    for (size_t i = 0; i < out.size(); ++i) {
        admission::Request& request = out[i].request;
        if (i != 0) request.principal = part_of(wanted.name, wanted.links[out[i].link].port);
        if (wanted.cycles.work != 0 && i == 0)
            request.claims.push_back(
                {.resource = workers(), .work = wanted.cycles.work + wanted.around()});
        else if (wanted.has_cycles())
            request.claims.push_back(
                {.resource = workers(),
                 .shared_with = wanted.shared_with.empty() ? wanted.name : wanted.referent});
        if (wanted.links.empty()) continue;
        const ReservedLink& link = wanted.links[out[i].link];
        request.claims.push_back(
            {.resource = link_of(link.port).resource,
             .work = link.contract.work,
             .shared_with = link.referent.empty() ? "" : part_with(link.referent, link.port)});
    }
    return out;
}

/// What all its packets have of the deadline before they come to any of the ports is found with the
/// port that leaves least; which that is shows where another is refused with it.
std::optional<Promises::Refused> Promises::reserve(const Reservation& wanted) {
    size_t first = 0;
    for (size_t tries = 1;; ++tries) {
        const std::vector<Asked> asked = requests_of(wanted, first);
        size_t i = 0;
        admission::Decision decision;
        for (; i < asked.size(); ++i) {
            decision = admission_.reserve(asked[i].request);
            if (!admission::granted(decision)) break;
        }
        if (i == asked.size()) return std::nullopt;
        Refused refused{asked[i], std::get<admission::Refusal>(std::move(decision))};
        const bool other_split = i != 0 && wanted.cycles.work != 0 && tries < wanted.links.size();
        while (i-- > 0) (void)admission_.release(asked[i].request.principal);
        if (!other_split) return refused;
        first = refused.asked.link;
    }
}

void Promises::give_back(const Reservation& one) {
    for (const ReservedLink& link : one.links)
        (void)admission_.release(part_of(one.name, link.port));
    (void)admission_.release(one.name);
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

// Of one of both cycles and a port: what admission has found.
void Promises::set_split(const std::string& name, Node& node) const {
    const admission::Reservation* granted = admission_.find(name);
    if (granted != nullptr && granted->holds.size() > 1)
        node.set("cpu-deadline", Node::integer(granted->holds.front().time));
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
