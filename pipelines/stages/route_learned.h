// SPDX-License-Identifier: Apache-2.0
// LearnedRoutes: routes of the kernel's routing daemons, beside those of the policy and across all
// its generations. The control thread writes, one delta after the other; workers look up without
// locks. What a reader may still hold (trie nodes, next hops, groups) is used again only after
// reclaim().
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dataplane/version.h"
#include "pipelines/stages/route_next_hops.h"
#include "pipelines/tables/live_trie.h"

namespace ravelin {

/// A change to one prefix.
struct LearnedRoute {
    Prefix prefix;
    uint8_t protocol = 0;           ///< RTPROT_* of rtnetlink: who told the kernel
    std::vector<WeightedHop> hops;  ///< none: the route is gone
};

class LearnedRoutes {
  public:
    /// PacketMeta::next_hop from here on is one of these: kBase + index.
    static constexpr uint32_t kBase = 1u << 29;
    /// A value: the index of a next hop, or kGroup + that of a group.
    static constexpr uint32_t kGroup = 1u << 23;
    static constexpr uint32_t kMostHops = 8192, kMostGroups = 4096;

    struct Match {
        uint32_t value = 0;
        int length = -1;  ///< of the prefix; -1: none
    };
    struct View {
        Prefix prefix;
        uint8_t protocol = 0;
        std::vector<WeightedHop> hops;
    };

    LearnedRoutes();
    ~LearnedRoutes();
    LearnedRoutes(const LearnedRoutes&) = delete;
    LearnedRoutes& operator=(const LearnedRoutes&) = delete;

    // Any worker. What a lookup gave is good until the end of the burst.

    /// A value of a lookup with kBase, as `route` keeps it beside those of the policy.
    static constexpr bool is_value(uint32_t v) noexcept { return v >> 24 == kBase >> 24; }
    static constexpr bool is_group(uint32_t v) noexcept { return (v & kGroup) != 0; }

    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
    [[nodiscard]] Match lookup(const IpAddress& address) const noexcept;
    /// `n` at most 32; their first reads overlap.
    void lookup_burst(const IpAddress* const* addresses, Match* matches, unsigned n) const noexcept;
    /// The next hop of a packet with flow `hash`, as PacketMeta::next_hop; `value` with or without
    /// kBase.
    [[nodiscard]] uint32_t choose(uint32_t value, uint32_t hash,
                                  const WorkerContext& context) const noexcept;
    /// Of PacketMeta::next_hop; null if it is none of these.
    [[nodiscard]] const NextHop* hop(uint32_t next_hop) const noexcept;
    /// Whether a value forwards, by `port` unless that is kNoPort; with or without kBase.
    [[nodiscard]] bool forwards(uint32_t value, PortId port) const noexcept;
    /// Gateways of groups, whose state a choice depends on.
    [[nodiscard]] std::span<const uint32_t> watched() const noexcept;
    /// Raised by finish_batch().
    [[nodiscard]] const Version& version() const noexcept { return version_; }
    /// Routes refused as the table was full, since the start.
    [[nodiscard]] uint64_t refused() const noexcept { return refused_.load(); }
    /// Routes removed as nobody vouched for them any more, since the start.
    [[nodiscard]] uint64_t stale() const noexcept { return stale_.load(); }

    // The control thread.

    /// Most prefixes; those beyond it are refused, those there stay.
    void set_limit(size_t limit) { limit_ = limit; }
    [[nodiscard]] size_t limit() const { return limit_; }
    /// Everything from here to end_sync() is the whole truth: what was not named in between goes.
    void begin_sync() { ++round_; }
    size_t end_sync();
    /// Removes all of them: whoever told them is gone. Returns how many there were.
    size_t drop_stale();
    /// False: refused and counted, for want of room; an older route of the prefix is gone then.
    bool apply(const LearnedRoute& route);
    /// After some changes. True: readers may hold what is gone; once all workers have begun a turn
    /// since, reclaim() makes its place free again.
    [[nodiscard]] bool finish_batch();
    void reclaim();
    /// The longest prefix that holds the address; length 0 and no hops without one.
    [[nodiscard]] View view(const IpAddress& address) const;
    /// The first `limit` in order of address and length.
    [[nodiscard]] std::vector<View> list(size_t limit) const;
    [[nodiscard]] size_t memory_bytes() const;

  private:
    struct Entry {
        uint32_t value;
        uint32_t round;
        uint8_t protocol;
    };
    using Table = std::map<Prefix, Entry>;
    using Watched = std::vector<uint32_t>;
    static constexpr uint32_t kNoValue = UINT32_MAX;

    uint32_t acquire(std::vector<WeightedHop> hops);
    uint32_t acquire_hop(const NextHop& hop);
    uint32_t acquire_group(const std::vector<WeightedHop>& members);
    void release(uint32_t value);
    void release_hop(uint32_t index);
    Table::iterator erase(Table::iterator at);
    bool set_in_trie(const Prefix& prefix, uint32_t value, bool fresh);
    [[nodiscard]] Match cover_of(const Prefix& prefix) const;
    void watch_anew();
    [[nodiscard]] std::vector<WeightedHop> members(uint32_t value) const;

    LiveTrie<uint32_t> v4_;
    LiveTrie<Uint128> v6_;
    std::atomic<size_t> size_{0};
    std::atomic<uint64_t> refused_{0}, stale_{0};
    std::atomic<const Watched*> watched_;
    alignas(64) Version version_;

    struct Group {
        std::unique_ptr<ResilientGroup> slots;
        std::vector<WeightedHop> members;
        uint32_t users = 0;
    };
    std::unique_ptr<NextHop[]> hops_;
    std::unique_ptr<Group[]> groups_;
    std::vector<uint32_t> hop_users_;
    std::map<NextHop, uint32_t> hop_index_;
    std::map<std::vector<WeightedHop>, uint32_t> group_index_;
    std::vector<uint32_t> free_hops_, free_groups_, retired_hops_, retired_groups_;
    std::vector<std::unique_ptr<const Watched>> watch_lists_;  // the last is the current one
    Table table_;
    size_t limit_ = 0;
    uint32_t round_ = 0;
    bool watch_changed_ = false;
};

}  // namespace ravelin
