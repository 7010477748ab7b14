// SPDX-License-Identifier: Apache-2.0
// FragmentTable: the datagrams that arrive in fragments, as one worker follows them. It learns the
// ports from the first fragment, keeps account of every byte, and holds what cannot go on yet:
// fragments before their first one, or, of datagrams that may leave only whole, all of them. Fixed
// size, no allocation after boot.
//
// Nobody's datagrams are pushed out by more than their own share of somebody else: a source has at
// most a sixteenth of the datagrams and a quarter of the frames held, and loses its own oldest
// beyond that; when all is taken, the oldest of that port and family goes that has most. Whoever
// has most already may replace his own at a bounded rate only: to open a flow for every fragment of
// a flood would cost six times what refusing them does.
#pragma once
#include <array>
#include <memory>
#include <optional>

#include "dataplane/limits.h"
#include "dataplane/packet.h"
#include "pipelines/stages/steer_pieces.h"

namespace ravelin {

/// Why steer drops a fragment, in the order of its drop counters.
enum class FragmentDrop : uint8_t {
    kTimeout,
    kOverlap,
    kDuplicate,
    kLength,
    kPieces,
    kSourceShare,
    kTableFull,
    kCount,
};

class FragmentTable {
  public:
    static constexpr unsigned kDatagrams = 4096, kPieces = 8192;
    static constexpr unsigned kPerSource = kDatagrams / 16;
    static constexpr unsigned kSources = 1024;  ///< sources share by hash; IPv6: of a /64
    static constexpr unsigned kMostHeld = 2048;
    static constexpr uint32_t kTimeout4Ms = 30'000;  ///< Linux's; RFC 1122 3.3.2 wants 60 to 120 s
    static constexpr uint32_t kTimeout6Ms = 60'000;  ///< RFC 8200 section 4.5
    static constexpr unsigned kExpirePerTurn = 64;
    static constexpr unsigned kReplacedPerMs = 32;
    static_assert(kExpirePerTurn <= PiecePool::kMostPieces);

    struct Ruling {
        enum class Kind : uint8_t { kPass, kHeld, kDrop } kind;
        FragmentDrop drop = FragmentDrop::kCount;
    };
    /// How a fragment came.
    struct Arrival {
        uint32_t zone = 0;  ///< equal addresses in two of them are two datagrams
        uint32_t now_ms = 0;
        bool whole = false;  ///< its datagram may leave only when all of it is here
    };
    /// Frames that may go on now, first bytes first; metadata in their private areas.
    struct Released {
        unsigned count = 0;
        std::array<rte_mbuf*, PiecePool::kMostPieces> frames;
    };
    using Drops = std::array<uint32_t, static_cast<size_t>(FragmentDrop::kCount)>;

    FragmentTable();
    FragmentTable(const FragmentTable&) = delete;
    FragmentTable& operator=(const FragmentTable&) = delete;
    ~FragmentTable();

    /// A quarter of a worker's buffers, even if all workers hold frames that came by one of them.
    static unsigned held_limit(unsigned buffers, unsigned workers) noexcept;
    /// Most frames held at a time.
    void limit_held(unsigned frames) noexcept { held_limit_ = frames; }

    /// Judges one fragment and gives it the ports of its datagram. kHeld: the frame is taken, and
    /// may be among those released.
    Ruling take(rte_mbuf* frame, PacketMeta& meta, const Arrival& arrival,
                Released& released) noexcept;
    /// Gives up datagrams that have not become whole in time, a bounded number a call. The first
    /// fragments held of IPv6 are released: their senders are to be told (RFC 8200 section 4.5).
    void expire(uint32_t now_ms, Released& released) noexcept;
    /// Frames freed since the last call by reason: those of take()'s own kDrop not included.
    Drops take_drops() noexcept;
    /// Datagrams given up for others since the last call.
    unsigned take_given_up() noexcept;
    [[nodiscard]] unsigned held() const noexcept { return held_; }
    [[nodiscard]] unsigned size() const noexcept { return used_; }
    static size_t memory_bytes() noexcept;

  private:
    static constexpr uint16_t kNone = PiecePool::kNone;
    static constexpr unsigned kQueues = 2 * limits::kMaxPorts;  // of a port and a family
    struct Links {
        uint16_t previous = kNone, next = kNone;
    };
    struct Datagram {
        IpAddress source, destination;
        uint32_t id = 0, zone = 0, created_ms = 0;
        uint16_t source_port = 0, destination_port = 0;
        PiecePool::List pieces;
        uint16_t end = 0;  // of the datagram; 0: its last fragment has not come
        uint16_t held = 0;
        uint16_t next_in_bucket = kNone, bucket = 0;
        uint16_t source_group = 0, queue = 0;
        Links by_age, by_source;
        uint8_t protocol = 0;
        bool known = false, ports = false, whole = false, spoiled = false;
        FragmentDrop why = FragmentDrop::kCount;  // spoiled
    };
    /// Datagrams in the order in which they began.
    struct Queue {
        uint16_t oldest = kNone, newest = kNone;
        uint16_t datagrams = 0, held = 0;
    };
    uint16_t find(const PacketMeta& meta, uint32_t zone, uint16_t& bucket) const noexcept;
    static bool holds(const PacketMeta& m, const Arrival& a) noexcept {
        return a.whole || m.has(PacketMeta::kLaterFragment);
    }
    bool admits(const PacketMeta& meta, const Arrival& arrival) noexcept;
    bool admits_source(const Queue& source, const PacketMeta& meta,
                       const Arrival& arrival) noexcept;
    uint16_t open(const PacketMeta& meta, const Arrival& arrival, uint16_t bucket,
                  uint16_t group) noexcept;
    void close(uint16_t at) noexcept;
    void link(Queue& queue, Links Datagram::*links, uint16_t at) noexcept;
    void unlink(Queue& queue, Links Datagram::*links, uint16_t at) noexcept;
    void forget_held(Datagram& datagram) noexcept;
    unsigned free_frames(Datagram& datagram) noexcept;
    void give_up(uint16_t at, FragmentDrop why) noexcept;
    static uint16_t queue_of(const PacketMeta& meta) noexcept;
    [[nodiscard]] const Queue& most(uint16_t Queue::*what) const noexcept;
    std::optional<FragmentDrop> make_room(uint16_t at, bool hold) noexcept;
    Ruling add(uint16_t at, const FragmentExtent& extent, rte_mbuf* frame,
               const PacketMeta& meta) noexcept;
    void hold(Datagram& datagram, rte_mbuf* frame, const PacketMeta& meta) noexcept;
    static void learn(Datagram& datagram, const PacketMeta& meta) noexcept;
    static void tell(const Datagram& datagram, PacketMeta& meta) noexcept;
    void release(Datagram& datagram, Released& released) noexcept;
    Ruling spoil(Datagram& datagram, FragmentDrop why) noexcept;

    std::unique_ptr<Datagram[]> datagrams_;
    std::unique_ptr<uint16_t[]> buckets_;
    std::unique_ptr<Queue[]> sources_;
    std::array<Queue, kQueues> queues_;
    std::array<uint64_t, kQueues / 64> busy_{};  // queues that are not empty
    PiecePool pool_{kPieces};
    uint16_t free_ = kNone;
    unsigned used_ = 0, held_ = 0, held_limit_ = kMostHeld;
    uint32_t expired_at_ms_ = 0, replaced_at_ms_ = 0;
    unsigned replaced_of_source_ = 0, replaced_of_all_ = 0;  // in this millisecond
    unsigned given_up_ = 0;
    Drops drops_{};
};

}  // namespace ravelin
