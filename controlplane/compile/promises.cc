// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/promises.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "controlplane/admission/wording.h"
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

/// The nearest contracts that would fit, as a reservation says them; `cycles`: those bind.
std::string nearest_text(const admission::Nearest& nearest, const Reservation& wanted,
                         bool cycles) {
    std::string out;
    if (nearest.time)
        out += fmt::format("; with a deadline of {} it would fit{}",
                           admission::time_text(*nearest.time),
                           nearest.perhaps_shorter ? ", perhaps with a shorter one" : "");
    if (nearest.period && *nearest.period <= admission::kSecond)
        out +=
            fmt::format("; at a rate of {}pps it would fit{}", admission::kSecond / *nearest.period,
                        nearest.perhaps_faster ? ", perhaps at a higher one" : "");
    const uint64_t heads = wanted.frame_bytes - wanted.bytes;
    if (cycles && nearest.work && *nearest.work > kAroundRun)
        out += fmt::format("; with {} cycles it would fit{}", *nearest.work - kAroundRun,
                           nearest.perhaps_more ? ", perhaps with more" : "");
    if (!cycles && nearest.work && *nearest.work >= kEthernet.on_wire(heads + 1))
        out += fmt::format("; with {} bytes it would fit{}",
                           *nearest.work - kEthernet.overhead - heads,
                           nearest.perhaps_more ? ", perhaps with more" : "");
    if (!out.empty()) return out;
    if (nearest.cut_short()) return "; what would fit could not be found out in time";
    return fmt::format("; neither a longer deadline, nor a lower rate, nor fewer {} would fit",
                       cycles ? "cycles" : "bytes");
}

}  // namespace

Result<Promises> Promises::of(const Node& tree) {
    Promises out(tree);
    const auto& nodes = tree["reservations"].items();
    for (size_t i = 0; i < nodes.size(); ++i)
        if (auto one = out.enter(nodes[i], fmt::format("reservations[{}]", i)); !one)
            return std::move(one.error());
    return out;
}

Promises Promises::in_force(const Node& tree, const Node& live) {
    Promises out(tree);
    out.restore(tree["reservations"], false);
    out.restore(live, true);
    return out;
}

/// Those that would be granted go first: of the others as few as may be are uncovered.
void Promises::restore(const Node& list, bool live) {
    std::vector<std::pair<Reservation, std::string>> refused;
    const auto& nodes = list.items();
    for (size_t i = 0; i < nodes.size(); ++i) {
        const std::string place =
            live ? place_of_live(nodes[i]) : fmt::format("reservations[{}]", i);
        if (std::string why = restore(nodes[i], place, live, refused); !why.empty())
            uncovered_.emplace(place, std::move(why));
    }
    std::map<admission::ResourceId, bool> keeps;
    for (const auto& [one, why] : refused) {
        const admission::Request request = request_of(one);
        std::vector<admission::Nanoseconds> times;
        for (const sched::Contract* part : {&one.cycles, &one.contract})
            if (part->work != 0)
                times.push_back(static_cast<admission::Nanoseconds>(part->deadline_ns));
        if (Status s = admission_.enter_granted(request, times); !s)
            uncovered_.emplace(one.place, s.error().message);
        for (const admission::ResourceId resource : resources_of(one)) keeps[resource] = false;
    }
    // All together they may fit though one by one, in this order, they would not be granted.
    for (auto& [resource, kept] : keeps) kept = admission_.keeps(resource);
    for (const auto& [one, why] : refused)
        for (const admission::ResourceId resource : resources_of(one))
            if (!keeps[resource]) uncovered_.emplace(one.place, why);
}

/// Why no link could take it; what is taken and not granted again is added to `refused`.
std::string Promises::restore(const Node& node, const std::string& place, bool live,
                              std::vector<std::pair<Reservation, std::string>>& refused) {
    auto one = reader_.read(node, place);
    if (!one) return one.error().message;
    if (one->port != kNoPort) {
        Link& link = link_of(one->port);
        if (Status s = set_aside(*part_, link.plan, *one, link.aside); !s) {
            reader_.forget(*one);
            return std::move(s.error()).within(place).message;
        }
    }
    if (live) live_.insert_or_assign(one->name, Live{node, *one});
    // Of two resources only the split that it was granted with is in force.
    if (node.has("cpu-deadline")) {
        refused.emplace_back(
            *one, Error{"its part of the deadline cannot be kept"}.within(place).message);
        return {};
    }
    const admission::Decision decision = admission_.reserve(request_of(*one));
    if (const auto* refusal = std::get_if<admission::Refusal>(&decision))
        refused.emplace_back(*one, Error{refusal->text}.within(place).message);
    return {};
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
    if (one.cycles.work != 0) out.push_back(workers());
    if (one.port != kNoPort) out.push_back(link_of(one.port).resource);
    return out;
}

/// First the functions, then the link; each run costs its surroundings too.
admission::Request Promises::request_of(const Reservation& wanted) {
    admission::Request out{.principal = wanted.name,
                           .period = static_cast<admission::Nanoseconds>(wanted.contract.period_ns),
                           .deadline = static_cast<admission::Nanoseconds>(wanted.deadline_ns)};
    if (wanted.cycles.work != 0)
        out.claims.push_back({.resource = workers(), .work = wanted.cycles.work + kAroundRun});
    if (wanted.port != kNoPort)
        out.claims.push_back(
            {.resource = link_of(wanted.port).resource, .work = wanted.contract.work});
    return out;
}

std::string Promises::advice(const Reservation& wanted, const admission::Request& request,
                             const admission::Refusal& refusal) {
    admission::Nearest nearest = admission_.nearest(request, refusal);
    const bool cycles = wanted.cycles.work != 0 && refusal.binding == 0;
    if (wanted.port != kNoPort) {  // of a longer deadline more may wait
        Reservation longer = wanted;
        longer.contract.deadline_ns = static_cast<uint64_t>(nearest.time.value_or(0));
        uint64_t aside = link_of(wanted.port).aside;
        if (!set_aside(*part_, link_of(wanted.port).plan, longer, aside)) nearest.time.reset();
    }
    return nearest_text(nearest, wanted, cycles);
}

// The most that may wait at the link is what its whole deadline lets.
Status Promises::admit(const Reservation& wanted) {
    uint64_t aside = 0;
    if (wanted.port != kNoPort) {
        aside = link_of(wanted.port).aside;
        if (auto s = set_aside(*part_, link_of(wanted.port).plan, wanted, aside); !s) return s;
    }
    const auto request = request_of(wanted);
    const admission::Decision decision = admission_.reserve(request);
    if (const auto* refusal = std::get_if<admission::Refusal>(&decision))
        return Error{refusal->text + advice(wanted, request, *refusal)};
    if (wanted.port != kNoPort) link_of(wanted.port).aside = aside;
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
    auto s = admit(*one);
    if (s) return one;
    reader_.forget(*one);
    return std::move(s.error()).within(place);
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
    const Reservation& gone = at->second.reservation;
    if (!admission_.release(name).ok()) return false;
    if (gone.port != kNoPort) link_of(gone.port).aside -= sched::packets_waiting(gone.contract);
    reader_.forget(gone);
    live_.erase(at);
    return true;
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
            if (const Reservation& one = (*reservations)[r]; one.port == i)
                use.reserved += rate_of(one.contract);
        out.push_back(std::move(use));
    }
    return out;
}

}  // namespace ravelin::control
