// SPDX-License-Identifier: Apache-2.0
// What was granted before is entered again, whether it would be granted now or not.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "controlplane/admission/wording.h"
#include "controlplane/compile/promises.h"

namespace ravelin::control {

using config::Node;

namespace {

std::string time_of(admission::Nanoseconds ns) { return admission::time_text(ns); }

}  // namespace

/// Who is referred to before who refers; what cannot be read is told and left out.
std::vector<Promises::Restored> Promises::read_all(const Node& list, bool live) {
    std::vector<Restored> out;
    const auto& nodes = list.items();
    for (size_t i = 0; i < nodes.size(); ++i) {
        const std::string place =
            live ? place_of_live(nodes[i]) : fmt::format("reservations[{}]", i);
        auto one = reader_.read(nodes[i], place);
        if (one)
            out.push_back({std::move(*one), &nodes[i], {}});
        else
            uncovered_.emplace(place, one.error().message);
    }
    const auto leads_nowhere = [&](Restored& restored) { return !still_resolves(restored.one); };
    // One that goes may be another's way.
    while (std::erase_if(out, leads_nowhere) != 0) {
    }
    std::vector<const Reservation*> all;
    for (const Restored& restored : out) all.push_back(&restored.one);
    const auto order = order_of(all);
    if (!order) return out;  // never granted
    std::vector<Restored> sorted;
    for (const size_t i : *order) sorted.push_back(std::move(out[i]));
    return sorted;
}

Result<std::vector<size_t>> Promises::order_of(const std::vector<const Reservation*>& all) {
    std::vector<admission::Request> asked(all.size());
    for (size_t i = 0; i < all.size(); ++i) {
        asked[i].principal = all[i]->name;
        for (const std::string& referent : all[i]->referents())
            asked[i].claims.push_back({.shared_with = referent});
    }
    return admission::order_by_reference(asked);
}

/// False: with whom it shares has nothing (any more), and nobody takes it; told.
bool Promises::still_resolves(Reservation& one) {
    const Status s = reader_.resolve(one);
    if (s) return true;
    uncovered_.emplace(one.place, s.error().message);
    reader_.forget(one);
    return false;
}

/// What was granted of the resource, ns; 1: nothing.
admission::Nanoseconds Promises::held_by(const std::string& request,
                                         admission::ResourceId resource) {
    if (const admission::Reservation* const found = admission_.find(request); found != nullptr)
        for (const admission::Hold& hold : found->holds)
            if (hold.resource == resource) return hold.time;
    return 1;
}

/// Why no link could take it; empty: all have room for it.
std::string Promises::take_room(const Reservation& one) {
    for (size_t i = 0; i < one.links.size(); ++i) {
        Link& link = link_of(one.links[i].port);
        Status s = set_aside(*part_, link.plan, one.links[i], link.aside);
        if (s) continue;
        while (i-- > 0)
            link_of(one.links[i].port).aside -= sched::packets_waiting(one.links[i].contract);
        return std::move(s.error()).within(one.place).message;
    }
    return {};
}

/// As they were granted; what is shared takes what it takes there now.
std::vector<admission::Nanoseconds> Promises::times_of(const Reservation& one, const Asked& asked) {
    std::vector<admission::Nanoseconds> out;
    for (size_t i = 0; i < one.parts.size(); ++i)
        out.push_back(one.shared_with.empty()
                          ? static_cast<admission::Nanoseconds>(one.parts[i].contract.deadline_ns)
                          : held_by(one.referent, asked.request.claims[i].resource));
    if (one.links.empty() || asked.other_kind) return out;
    const ReservedLink& link = one.links[asked.link];
    out.push_back(link.shared_with.empty()
                      ? static_cast<admission::Nanoseconds>(link.contract.deadline_ns)
                      : held_by(part_with(link.referent, link.port), link_of(link.port).resource));
    return out;
}

Status Promises::enter_granted(const Reservation& one) {
    const auto deadline = static_cast<admission::Nanoseconds>(one.deadline_ns);
    std::string longer;
    for (const Asked& asked : requests_of(one, {})) {
        const auto times = times_of(one, asked);
        // Where all is shared and takes too long it is told here.
        if (Status s = admission_.enter_granted(asked.request, times); !s)
            return std::move(s.error()).within(one.place);
        const auto sum = std::accumulate(times.begin(), times.end(), admission::Nanoseconds{0});
        if (sum <= deadline) continue;
        // Its own is the port, if there is one: shared bytes are of who has had the same cycles.
        const admission::Nanoseconds port = one.links.empty() ? 0 : times.back();
        longer = fmt::format(
            "the cycles of '{}' take {} of its deadline now, and {} when it was "
            "granted",
            one.shared_with, time_of(sum - port), time_of(deadline - port));
    }
    return longer.empty() ? ok_status() : Status(Error{longer}.within(one.place));
}

/// Those that would be granted go first: of the others as few as may be are uncovered.
void Promises::restore(const Node& list, bool live) {
    std::vector<Restored> refused;
    for (Restored& restored : read_all(list, live)) {
        // With whom it shares may have had no room just now.
        if (!still_resolves(restored.one)) continue;
        const Reservation& one = restored.one;
        if (std::string why = take_room(one); !why.empty()) {
            reader_.forget(one);
            uncovered_.emplace(one.place, std::move(why));
            continue;
        }
        if (live) live_.insert_or_assign(one.name, Live{*restored.node, one});
        // Of several resources only the split that it was granted with is in force.
        if (restored.node->has("cpu-deadline") || one.parts.size() > 1)
            restored.why = "its part of the deadline cannot be kept";
        else if (const auto no = reserve(one))
            restored.why = no->why.text;
        if (!restored.why.empty()) refused.push_back(std::move(restored));
    }
    std::map<admission::ResourceId, bool> keeps;
    for (const Restored& restored : refused) {
        if (Status s = enter_granted(restored.one); !s)
            uncovered_.emplace(restored.one.place, s.error().message);
        for (const admission::ResourceId resource : resources_of(restored.one))
            keeps[resource] = false;
    }
    // All together they may fit though one by one, in this order, they would not be granted.
    for (auto& [resource, kept] : keeps) kept = admission_.keeps(resource);
    for (const auto& [one, node, why] : refused)
        for (const admission::ResourceId resource : resources_of(one))
            if (!keeps[resource])
                uncovered_.emplace(one.place, Error{why}.within(one.place).message);
}

}  // namespace ravelin::control
