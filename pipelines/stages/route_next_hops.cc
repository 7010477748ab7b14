// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_next_hops.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/neighbour_table.h"

namespace ravelin {
// What a next hop is, on every box and in every generation: its gateway and port.
uint64_t identity_of(const NextHop& hop) {
    uint64_t h = hop.gateway.high() * 0x9e3779b97f4a7c15u;
    h = (h ^ hop.gateway.low()) * 0xd6e8feb86659fd93u;
    return (h ^ (h >> 32)) + hop.port;
}

std::string_view name_of(RouteKind kind) {
    constexpr std::array<std::string_view, 8> kNames{
        "none", "forward", "local", "group", "unreachable", "prohibit", "blackhole", "broadcast"};
    return kNames[static_cast<size_t>(kind)];
}

bool NextHops::reachable(const NextHop& hop, const NeighbourTable& neighbours) noexcept {
    if (neighbours.link_down(hop.port)) return false;
    return hop.on_link || neighbours.lookup(hop.port, hop.gateway).has_value();
}

uint32_t NextHops::choose(uint32_t value, uint32_t hash,
                          const WorkerContext& context) const noexcept {
    if (value < hops_.size()) return value;
    const uint32_t group = value - kGroup;
    if (value < kGroup || group >= groups_.size()) return kNowhere;
    return groups_[group].pick(
        hash, [&](uint32_t hop) { return reachable(hops_[hop], *context.neighbours); });
}

bool NextHops::forwards(uint32_t value, PortId port) const noexcept {
    const auto does = [&](uint32_t i) {
        return hops_[i].kind == RouteKind::kForward && (port == kNoPort || hops_[i].port == port);
    };
    if (value < hops_.size()) return does(value);
    if (value < kGroup || value - kGroup >= groups_.size()) return false;
    return std::ranges::any_of(groups_[value - kGroup].members(), does,
                               &ResilientGroup::Member::value);
}

std::vector<WeightedHop> NextHops::members(uint32_t value) const {
    std::vector<WeightedHop> out;
    if (value < hops_.size()) {
        out.push_back({hops_[value], 1});
    } else if (value >= kGroup && value - kGroup < groups_.size()) {
        for (const ResilientGroup::Member& m : groups_[value - kGroup].members())
            out.push_back({hops_[m.value], m.weight});
    }
    return out;
}

NextHopsBuilder::NextHopsBuilder(size_t ports) {
    for (size_t port = 0; port < ports; ++port)
        add(NextHop{.port = static_cast<PortId>(port), .gateway = {}});
}

uint32_t NextHopsBuilder::add(const NextHop& hop) {
    const auto [at, is_new] =
        hop_index_.try_emplace(hop, static_cast<uint32_t>(made_.hops_.size()));
    if (is_new) made_.hops_.push_back(hop);
    return at->second;
}

Result<uint32_t> NextHopsBuilder::add_group(std::vector<WeightedHop> members) {
    if (members.empty() || members.size() > ResilientGroup::kMostMembers)
        return Error{fmt::format("found {} next hops, expected 1 to {}", members.size(),
                                 ResilientGroup::kMostMembers)};
    if (members.size() == 1) return add(members.front().hop);
    std::ranges::sort(members);
    const auto value = static_cast<uint32_t>(NextHops::kGroup + made_.groups_.size());
    const auto [at, is_new] = group_index_.try_emplace(members, value);
    if (!is_new) return at->second;
    if (made_.groups_.size() == NextHops::kMostGroups)
        return Error{fmt::format("more than {} groups of next hops", NextHops::kMostGroups)};
    std::vector<ResilientGroup::Member> slots;
    for (const WeightedHop& member : members) {
        const uint64_t identity = identity_of(member.hop);
        if (std::ranges::find(slots, identity, &ResilientGroup::Member::identity) != slots.end())
            return Error{fmt::format("{} is given twice", member.hop.gateway.to_string())};
        slots.push_back({add(member.hop), identity, member.weight});
        const uint32_t hop = slots.back().value;
        if (!member.hop.on_link && std::ranges::find(made_.watched_, hop) == made_.watched_.end())
            made_.watched_.push_back(hop);
    }
    made_.groups_.emplace_back(slots);
    return value;
}

NextHops NextHopsBuilder::take() && {
    made_.hops_.shrink_to_fit();
    for (const NextHop& hop : made_.hops_)
        made_.ways_out_.push_back(hop.kind == RouteKind::kForward ? hop.port : kNoPort);
    made_.groups_.shrink_to_fit();
    return std::move(made_);
}

}  // namespace ravelin
