// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/promises.h"

#include <fmt/format.h>

#include <utility>

#include "controlplane/admission/wording.h"
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

admission::Request request_of(const Reservation& wanted, admission::ResourceId link) {
    return {.principal = wanted.name,
            .period = static_cast<admission::Nanoseconds>(wanted.contract.period_ns),
            .deadline = static_cast<admission::Nanoseconds>(wanted.contract.deadline_ns),
            .claims = {{.resource = link, .work = wanted.contract.work}}};
}

/// The nearest contracts that would fit, as a reservation says them.
std::string nearest_text(const admission::Nearest& nearest, const Reservation& wanted) {
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
    if (nearest.work && *nearest.work >= kEthernet.on_wire(heads + 1))
        out += fmt::format("; with {} bytes it would fit{}",
                           *nearest.work - kEthernet.overhead - heads,
                           nearest.perhaps_more ? ", perhaps with more" : "");
    if (!out.empty()) return out;
    return nearest.cut_short()
               ? "; what would fit could not be found out in time"
               : "; neither a longer deadline, nor a lower rate, nor fewer bytes would fit";
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
    std::map<PortId, bool> keeps;
    for (const auto& [one, why] : refused) {
        const admission::Request request = request_of(one, link_of(one.port).resource);
        if (Status s = admission_.enter_granted(request, {request.deadline}); !s)
            uncovered_.emplace(one.place, s.error().message);
        keeps[one.port] = false;
    }
    // All together they may fit though one by one, in this order, they would not be granted.
    for (auto& [port, kept] : keeps) kept = admission_.keeps(link_of(port).resource);
    for (const auto& [one, why] : refused)
        if (!keeps[one.port]) uncovered_.emplace(one.place, why);
}

/// Why no link could take it; what is taken and not granted again is added to `refused`.
std::string Promises::restore(const Node& node, const std::string& place, bool live,
                              std::vector<std::pair<Reservation, std::string>>& refused) {
    auto one = reader_.read(node, place);
    if (!one) return one.error().message;
    Link& link = link_of(one->port);
    if (Status s = set_aside(*part_, link.plan, *one, link.aside); !s) {
        reader_.forget(*one);
        return std::move(s.error()).within(place).message;
    }
    if (live) live_.insert_or_assign(one->name, Live{node, *one});
    const admission::Decision decision = admission_.reserve(request_of(*one, link.resource));
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

Status Promises::admit(const Reservation& wanted) {
    Link& link = link_of(wanted.port);
    uint64_t aside = link.aside;
    if (auto s = set_aside(*part_, link.plan, wanted, aside); !s) return s;
    const auto request = request_of(wanted, link.resource);
    const admission::Decision decision = admission_.reserve(request);
    if (const auto* refusal = std::get_if<admission::Refusal>(&decision)) {
        admission::Nearest nearest = admission_.nearest(request, *refusal);
        Reservation longer = wanted;  // of which more may wait
        longer.contract.deadline_ns = static_cast<uint64_t>(nearest.time.value_or(0));
        aside = link.aside;
        if (!set_aside(*part_, link.plan, longer, aside)) nearest.time.reset();
        return Error{refusal->text + nearest_text(nearest, wanted)};
    }
    link.aside = aside;
    return ok_status();
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
    live_.insert_or_assign(name, Live{live, std::move(*one)});
    return ok_status();
}

bool Promises::remove(const std::string& name) {
    const auto at = live_.find(name);
    if (at == live_.end()) return false;
    const Reservation& gone = at->second.reservation;
    if (!admission_.release(name).ok()) return false;
    link_of(gone.port).aside -= sched::packets_waiting(gone.contract);
    reader_.forget(gone);
    live_.erase(at);
    return true;
}

Status Promises::fits(const Node& live) {
    Status added = add(live);
    if (added) remove(live["name"].as_text());
    return added;
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
