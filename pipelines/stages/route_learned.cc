// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_learned.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace ravelin {
namespace {

Uint128 key_of(const IpAddress& a) { return Uint128{a.high()} << 64 | a.low(); }

std::vector<uint32_t> downwards(uint32_t n) {
    std::vector<uint32_t> out(n);
    std::iota(out.rbegin(), out.rend(), 0u);
    return out;
}

}  // namespace

LearnedRoutes::LearnedRoutes()
    : hops_(new NextHop[kMostHops]),
      groups_(new Group[kMostGroups]),
      hop_users_(kMostHops, 0),
      free_hops_(downwards(kMostHops)),
      free_groups_(downwards(kMostGroups)) {
    watch_lists_.push_back(std::make_unique<const Watched>());
    watched_.store(watch_lists_.back().get());
}

LearnedRoutes::~LearnedRoutes() = default;

LearnedRoutes::Match LearnedRoutes::lookup(const IpAddress& address) const noexcept {
    if (address.is_v4()) {
        const auto m = v4_.lookup(address.v4_host());
        return {m.value, m.length};
    }
    const auto m = v6_.lookup(key_of(address));
    return {m.value, m.length};
}

void LearnedRoutes::lookup_burst(const IpAddress* const* addresses, Match* matches,
                                 unsigned n) const noexcept {
    for (unsigned i = 0; i < n; ++i)
        if (addresses[i]->is_v4())
            v4_.prefetch(addresses[i]->v4_host());
        else
            v6_.prefetch(key_of(*addresses[i]));
    for (unsigned i = 0; i < n; ++i) matches[i] = lookup(*addresses[i]);
}

uint32_t LearnedRoutes::choose(uint32_t value, uint32_t hash,
                               const WorkerContext& context) const noexcept {
    value &= kBase - 1;
    if (value < kGroup) return kBase + value;
    return kBase + groups_[value - kGroup].slots->pick(hash, [&](uint32_t hop) {
        return NextHops::reachable(hops_[hop], *context.neighbours);
    });
}

const NextHop* LearnedRoutes::hop(uint32_t next_hop) const noexcept {
    const uint32_t index = next_hop - kBase;
    return next_hop < kBase || index >= kMostHops ? nullptr : &hops_[index];
}

bool LearnedRoutes::forwards(uint32_t value, PortId port) const noexcept {
    const auto does = [&](uint32_t i) {
        return hops_[i].kind == RouteKind::kForward && (port == kNoPort || hops_[i].port == port);
    };
    value &= kBase - 1;
    if (value < kGroup) return does(value);
    return std::ranges::any_of(groups_[value - kGroup].slots->members(), does,
                               &ResilientGroup::Member::value);
}

std::span<const uint32_t> LearnedRoutes::watched() const noexcept {
    return *watched_.load(std::memory_order_acquire);
}

bool LearnedRoutes::apply(const LearnedRoute& route) {
    const Prefix prefix{route.prefix.first(), route.prefix.length};
    const auto at = table_.find(prefix);
    if (route.hops.empty()) {
        if (at != table_.end()) erase(at);
        return true;
    }
    const bool fresh = at == table_.end();
    const uint32_t value = fresh && table_.size() >= limit_ ? kNoValue : acquire(route.hops);
    if (value == kNoValue || !set_in_trie(prefix, value, fresh)) {
        if (value != kNoValue) release(value);
        if (!fresh) erase(at);
        refused_.fetch_add(1);
        return false;
    }
    if (fresh) {
        table_.emplace(prefix, Entry{value, round_, route.protocol});
    } else {
        release(std::exchange(at->second.value, value));
        at->second.round = round_;
        at->second.protocol = route.protocol;
    }
    size_.store(table_.size(), std::memory_order_relaxed);
    return true;
}

size_t LearnedRoutes::end_sync() {
    const size_t before = table_.size();
    for (auto at = table_.begin(); at != table_.end();)
        at = at->second.round == round_ ? std::next(at) : erase(at);
    return before - table_.size();
}

size_t LearnedRoutes::drop_stale() {
    begin_sync();
    const size_t gone = end_sync();
    stale_.fetch_add(gone);
    return gone;
}

LearnedRoutes::Table::iterator LearnedRoutes::erase(Table::iterator at) {
    const Prefix prefix = at->first;
    const Match cover = cover_of(prefix);
    if (prefix.is_v4())
        v4_.remove(prefix.address.v4_host(), prefix.length, {cover.value, cover.length});
    else
        v6_.remove(key_of(prefix.address), prefix.length, {cover.value, cover.length});
    release(at->second.value);
    const auto next = table_.erase(at);
    size_.store(table_.size(), std::memory_order_relaxed);
    return next;
}

bool LearnedRoutes::set_in_trie(const Prefix& prefix, uint32_t value, bool fresh) {
    if (prefix.is_v4()) return v4_.set(prefix.address.v4_host(), prefix.length, value, fresh);
    return v6_.set(key_of(prefix.address), prefix.length, value, fresh);
}

LearnedRoutes::Match LearnedRoutes::cover_of(const Prefix& prefix) const {
    const unsigned first = LiveTrie<uint32_t>::first_in_node(prefix.length);
    for (unsigned length = prefix.length; length-- > first;) {
        const auto bits = static_cast<uint8_t>(length);
        const auto at = table_.find({Prefix{prefix.address, bits}.first(), bits});
        if (at != table_.end()) return {at->second.value, static_cast<int>(length)};
    }
    return {};
}

LearnedRoutes::View LearnedRoutes::view(const IpAddress& address) const {
    const Match match = lookup(address);
    if (match.length < 0) return {{address, 0}, 0, {}};
    const auto length = static_cast<uint8_t>(match.length);
    const auto at = table_.find({Prefix{address, length}.first(), length});
    if (at == table_.end()) return {{address, 0}, 0, {}};
    return {at->first, at->second.protocol, members(at->second.value)};
}

std::vector<LearnedRoutes::View> LearnedRoutes::list(size_t limit) const {
    std::vector<View> out;
    for (const auto& [prefix, entry] : table_) {
        if (out.size() == limit) break;
        out.push_back({prefix, entry.protocol, members(entry.value)});
    }
    return out;
}

size_t LearnedRoutes::memory_bytes() const {
    constexpr size_t kTreeNode = 40;  // links, colour and what the allocator adds
    return v4_.memory_bytes() + v6_.memory_bytes() +
           table_.size() * (sizeof(Table::value_type) + kTreeNode) + kMostHops * sizeof(NextHop) +
           kMostGroups * sizeof(Group) + group_index_.size() * sizeof(ResilientGroup);
}

}  // namespace ravelin
