// SPDX-License-Identifier: Apache-2.0
// The next hops of learned routes: equal ones are one, counted by their users.
#include <algorithm>
#include <utility>

#include "pipelines/stages/route_learned.h"

namespace ravelin {

uint32_t LearnedRoutes::acquire(std::vector<WeightedHop> hops) {
    std::ranges::sort(hops);
    const auto same_hop = [](const WeightedHop& a, const WeightedHop& b) { return a.hop == b.hop; };
    hops.erase(std::unique(hops.begin(), hops.end(), same_hop), hops.end());
    if (hops.size() > ResilientGroup::kMostMembers) return kNoValue;
    return hops.size() == 1 ? acquire_hop(hops.front().hop) : acquire_group(hops);
}

uint32_t LearnedRoutes::acquire_hop(const NextHop& hop) {
    if (const auto known = hop_index_.find(hop); known != hop_index_.end()) {
        ++hop_users_[known->second];
        return known->second;
    }
    if (free_hops_.empty()) return kNoValue;
    const uint32_t index = free_hops_.back();
    free_hops_.pop_back();
    hops_[index] = hop;
    hop_users_[index] = 1;
    hop_index_.emplace(hop, index);
    return index;
}

uint32_t LearnedRoutes::acquire_group(const std::vector<WeightedHop>& members) {
    if (const auto known = group_index_.find(members); known != group_index_.end()) {
        ++groups_[known->second].users;
        return kGroup + known->second;
    }
    if (free_groups_.empty()) return kNoValue;
    std::vector<ResilientGroup::Member> slots;
    for (const WeightedHop& member : members) {
        const uint32_t hop = acquire_hop(member.hop);
        if (hop == kNoValue) {
            for (const ResilientGroup::Member& taken : slots) release_hop(taken.value);
            return kNoValue;
        }
        slots.push_back({hop, identity_of(member.hop), member.weight});
    }
    const uint32_t index = free_groups_.back();
    free_groups_.pop_back();
    Group& group = groups_[index];
    group.slots = std::make_unique<ResilientGroup>(slots);
    group.members = members;
    group.users = 1;
    group_index_.emplace(members, index);
    watch_changed_ = true;
    return kGroup + index;
}

void LearnedRoutes::release(uint32_t value) {
    if (value < kGroup) return release_hop(value);
    Group& group = groups_[value - kGroup];
    if (--group.users != 0) return;
    group_index_.erase(group.members);
    for (const ResilientGroup::Member& member : group.slots->members()) release_hop(member.value);
    retired_groups_.push_back(value - kGroup);
    watch_changed_ = true;
}

void LearnedRoutes::release_hop(uint32_t index) {
    if (--hop_users_[index] != 0) return;
    hop_index_.erase(hops_[index]);
    retired_hops_.push_back(index);
}

void LearnedRoutes::watch_anew() {
    auto list = std::make_unique<Watched>();
    for (const auto& [members, index] : group_index_)
        for (const ResilientGroup::Member& member : groups_[index].slots->members())
            if (!hops_[member.value].on_link) list->push_back(kBase + member.value);
    std::ranges::sort(*list);
    list->erase(std::unique(list->begin(), list->end()), list->end());
    watched_.store(list.get(), std::memory_order_release);
    watch_lists_.push_back(std::move(list));
}

bool LearnedRoutes::finish_batch() {
    if (std::exchange(watch_changed_, false)) watch_anew();
    version_.raise();
    return v4_.has_retired() || v6_.has_retired() || !retired_hops_.empty() ||
           !retired_groups_.empty() || watch_lists_.size() > 1;
}

void LearnedRoutes::reclaim() {
    v4_.reclaim();
    v6_.reclaim();
    for (const uint32_t index : retired_groups_) groups_[index] = {};
    free_groups_.insert(free_groups_.end(), retired_groups_.begin(), retired_groups_.end());
    free_hops_.insert(free_hops_.end(), retired_hops_.begin(), retired_hops_.end());
    retired_groups_.clear();
    retired_hops_.clear();
    watch_lists_.erase(watch_lists_.begin(), std::prev(watch_lists_.end()));
}

std::vector<WeightedHop> LearnedRoutes::members(uint32_t value) const {
    if (value >= kGroup) return groups_[value - kGroup].members;
    return {{hops_[value], 1}};
}

}  // namespace ravelin
