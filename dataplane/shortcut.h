// SPDX-License-Identifier: Apache-2.0
// Shortcut: packets of proven flows that take the way the one before them took. What the stages
// decided for a flow and direction (port, next hop, MACs, MTU) is a way, whose number stands in
// the flow, and while nothing that it followed from has changed a plain data packet is tracked,
// counted and sent by it without a look at any table. Everything else goes through the pipeline,
// which stays the truth: what leaves by here leaves as it would from there, with all counters.
// Tested by doing both.
//
// Good while: the policy's epoch, the learned routes' version, the flow's judgement and the port it
// came in by are those the way was learned under; the neighbour's MAC is looked up again where the
// neighbour table's version has changed. Stages that must see each packet say so by
// StageDecl::repeats.
#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <memory>

#include "dataplane/arrivals.h"
#include "dataplane/flow_table.h"
#include "dataplane/shortcut_head.h"
#include "dataplane/stage.h"

namespace ravelin {

/// Whom a packet is sent to, and how large it may be: what a learned way adds to PacketMeta.
struct NextStop {
    const IpAddress& address;  ///< of the neighbour
    uint32_t mtu;              ///< bytes of L3
};

/// One worker's.
class Shortcut {
  public:
    static constexpr uint16_t kWays = 4096;  ///< 256 KiB; a way is a pair of ports and a neighbour

    Shortcut();
    /// Sends what may go by a learned way. Of those left that belong to no proven flow all but the
    /// first `allowed` are dropped (kDropOverload), but for neighbours' talk and what comes behind
    /// it.
    void take(Arrivals& in, unsigned allowed, WorkerContext& context) noexcept;
    /// Remembers the way of a packet that the pipeline has made ready to leave. Not of one that
    /// another worker handed over: those after it come by that worker too.
    void learn(const Packet& packet, const PacketMeta& meta, const NextStop& next,
               WorkerContext& context) noexcept;
    /// What was learned holds no more, though neither policy, routes nor neighbours have changed.
    void start_anew(const WorkerContext& context) noexcept { begin(context, learned_); }
    /// Ways in the table. Any thread.
    [[nodiscard]] uint32_t known() const noexcept { return known_.load(std::memory_order_relaxed); }
    static size_t memory_bytes() noexcept { return sizeof(Shortcut) + (kWays + 1) * sizeof(Way); }

  private:
    static constexpr unsigned kProbes = 16;
    static constexpr uint32_t kForgetMs = 1000;
    static constexpr unsigned kStep = 8;  // packets

    /// What a way is good for; compared as one number.
    struct alignas(8) Entry {
        PortId in_port = kNoPort;
        uint16_t nothing = 0;
        uint32_t neighbours = 0;  ///< NeighbourTable::version() that its MACs are of
        bool operator==(const Entry& o) const noexcept {
            return std::bit_cast<uint64_t>(*this) == std::bit_cast<uint64_t>(o);
        }
    };
    struct alignas(64) Way {
        std::array<uint8_t, 12> macs{};  ///< as they stand in a frame
        uint32_t mtu = 0;
        Entry entry;
        PortId out_port = kNoPort;
        /// Chosen among several by which ones can be reached: good for that version alone.
        bool chosen = false;
        IpAddress next;
        [[nodiscard]] bool same(const Way& o) const noexcept;
    };
    struct Passing;

    // By hash: whose packets stay, so that those after them stay behind them. A flow that shares a
    // bit with another goes through the pipeline once too often.
    class Waiting {
      public:
        /// Of a flow's hash: those that share these wait for each other.
        static constexpr uint32_t kAsked = 0xffe0'0000;
        [[nodiscard]] bool any() const noexcept { return any_; }
        [[nodiscard]] bool has(const FlowKey& key, uint32_t hash) const noexcept {
            return is_set(flows_, hash) || (any_pair_ && is_set(pairs_, hash_of_pair(key)));
        }
        void add_flow(uint32_t hash) noexcept {
            any_ = true;
            set(flows_, hash);
        }
        void add_pair(const FlowKey& key) noexcept {
            any_ = any_pair_ = true;
            set(pairs_, hash_of_pair(key));
        }
        void clear() noexcept {
            if (any_) flows_ = {};
            if (any_pair_) pairs_ = {};
            any_ = any_pair_ = false;
        }

      private:
        using Bits = std::array<uint64_t, 32>;
        static bool is_set(const Bits& bits, uint32_t hash) noexcept {
            return (bits[hash >> 27] >> (hash >> 21 & 63) & 1) != 0;
        }
        static void set(Bits& bits, uint32_t hash) noexcept {
            bits[hash >> 27] |= uint64_t{1} << (hash >> 21 & 63);
        }
        static uint32_t hash_of_pair(const FlowKey& key) noexcept;

        Bits flows_{}, pairs_{};
        bool any_ = false, any_pair_ = false;
    };

    void read_others(Arrivals& in, const MacAddress& own) noexcept;
    void shed(Arrivals& in, unsigned known, unsigned allowed, WorkerContext& context) noexcept;
    bool opens(const WorkerContext& context, bool crowded) noexcept;
    static void lap(unsigned hits, unsigned misses, WorkerContext& context) noexcept;
    void begin(const WorkerContext& context, uint32_t learned) noexcept;
    uint64_t send(const Arrivals& in, unsigned first, unsigned end, Passing& passing) noexcept;
    template <bool kPlain>
    unsigned run(const Arrivals& in, unsigned first, unsigned end, uint64_t may,
                 Passing& passing) const noexcept;
    unsigned run_on(const Arrivals& in, unsigned first, unsigned end, uint64_t may,
                    Passing& passing) const noexcept;
    bool renew(const Arrivals& in, unsigned i, const Passing& passing) noexcept;
    [[nodiscard]] uint64_t hindered(const Arrivals& in, uint64_t which) const noexcept;
    [[nodiscard]] FlowKey key_of(const Arrivals& in, unsigned i) const noexcept;
    uint64_t stay(const Arrivals& in, unsigned i, uint64_t later) noexcept;
    bool still_leads(Way& way, const NeighbourTable& neighbours) const noexcept;
    uint16_t find_way(const Way& wanted, WorkerContext& context) noexcept;
    void forget(WorkerContext& context) noexcept;

    std::unique_ptr<Way[]> ways_;  // open addressing; ways_[0] is nobody's
    // Of a call of take(): of what is not plain, its head; its first packets that are known.
    std::array<shortcut::Head, limits::kArrivals> heads_;
    std::array<Flow*, limits::kArrivals> likely_;  // FlowTable::prefetch_flow()
    uint64_t open_ = 0;                            // ask for nothing but to be sent on
    unsigned known_here_ = 0;
    Waiting waiting_;
    uint64_t generation_ = 0;
    uint32_t epoch_ = 0, learned_ = 0, neighbours_ = 0;
    uint16_t stamp_ = 0;                // FlowWays::stamp of what is good now
    std::array<uint64_t, 2> steady_{};  // Flow::word() of UDP and of TCP that may go
    uint32_t forgotten_ms_ = 0;
    std::atomic<uint32_t> known_{0};
    bool repeats_ = false;
    bool taught_ = false;  // some way was learned under stamp_
};

}  // namespace ravelin
