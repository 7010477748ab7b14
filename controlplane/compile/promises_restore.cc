// SPDX-License-Identifier: Apache-2.0
// What was granted before is entered again, whether it would be granted now or not.
#include <fmt/format.h>

#include <algorithm>

#include "controlplane/admission/wording.h"
#include "controlplane/compile/promises.h"

namespace ravelin::control {

using config::Node;

namespace {

std::string time_of(uint64_t ns) {
    return admission::time_text(static_cast<admission::Nanoseconds>(ns));
}

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
    std::ranges::stable_sort(out, {}, [](const Restored& r) { return r.one.hops; });
    return out;
}

/// False: whose cycles it shares has none (any more), and nobody takes it; told.
bool Promises::still_resolves(Reservation& one) {
    const Status s = reader_.resolve(one);
    if (s) return true;
    uncovered_.emplace(one.place, s.error().message);
    reader_.forget(one);
    return false;
}

/// What its referent has of the workers, ns; 0: it has none.
uint64_t Promises::inherited(const Reservation& one) {
    const admission::Reservation* const referent = admission_.find(one.referent);
    if (referent == nullptr) return 0;
    for (const admission::Hold& hold : referent->holds)
        if (hold.resource == workers()) return static_cast<uint64_t>(hold.time);
    return 0;
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

Status Promises::enter_granted(const Reservation& one) {
    const uint64_t before =
        one.shared_with.empty() ? one.cycles.deadline_ns : std::max<uint64_t>(inherited(one), 1);
    for (const Asked& asked : requests_of(one, 0)) {
        std::vector<admission::Nanoseconds> times;
        if (one.has_cycles()) times.push_back(static_cast<admission::Nanoseconds>(before));
        if (!one.links.empty())
            times.push_back(
                static_cast<admission::Nanoseconds>(one.links[asked.link].contract.deadline_ns));
        if (Status s = admission_.enter_granted(asked.request, times); !s) return s;
    }
    if (!one.shared_with.empty() && !one.links.empty() && before > one.cycles.deadline_ns)
        return Error{
            fmt::format("the cycles of '{}' take {} of its deadline now, and {} when it was "
                        "granted",
                        one.shared_with, time_of(before), time_of(one.cycles.deadline_ns))}
            .within(one.place);
    return ok_status();
}

/// Those that would be granted go first: of the others as few as may be are uncovered.
void Promises::restore(const Node& list, bool live) {
    std::vector<Restored> refused;
    for (Restored& restored : read_all(list, live)) {
        // Whose cycles it shares may have had no room just now.
        if (!still_resolves(restored.one)) continue;
        const Reservation& one = restored.one;
        if (std::string why = take_room(one); !why.empty()) {
            reader_.forget(one);
            uncovered_.emplace(one.place, std::move(why));
            continue;
        }
        if (live) live_.insert_or_assign(one.name, Live{*restored.node, one});
        // Of two resources only the split that it was granted with is in force.
        if (restored.node->has("cpu-deadline"))
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
