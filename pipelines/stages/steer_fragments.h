// SPDX-License-Identifier: Apache-2.0
// FragmentTable: ports of fragmented datagrams, learned from the first fragment. Per worker, of
// fixed size, no allocation after boot; 160 KB. Fragments that come before the first are held.
#pragma once
#include <array>
#include <memory>

#include "dataplane/packet.h"

namespace ravelin {

class FragmentTable {
  public:
    static constexpr unsigned kSets = 256,
                              kWays = 4;     ///< 1024 datagrams; a set is one address pair's luck
    static constexpr unsigned kRanges = 16;  ///< gaps a datagram may have at a time
    static constexpr unsigned kHeldPerDatagram = 4, kHeldInAll = 256;
    static constexpr uint32_t kTimeoutMs =
        30'000;  ///< RFC 791 section 3.2 says 15 s, RFC 8200 60 s
    static constexpr unsigned kExpirePerTick = 16;  ///< a whole round in 64 turns

    enum class Answer : uint8_t { kPass, kHeld, kOverlap, kFull, kNoFirst };
    struct Released {
        unsigned count = 0;
        std::array<rte_mbuf*, kHeldPerDatagram> frames{};  ///< metadata in their private areas
    };

    FragmentTable() : entries_(new Entry[kSets * kWays]) {}
    FragmentTable(const FragmentTable&) = delete;
    FragmentTable& operator=(const FragmentTable&) = delete;
    ~FragmentTable();

    /// Judges one fragment and gives it the ports of its datagram. kHeld: the frame is taken.
    /// `released`: frames held for it, for the caller to take: to send on kPass, to drop on
    /// kOverlap.
    Answer take(rte_mbuf* frame, PacketMeta& meta, uint32_t now_ms, Released& released) noexcept;
    /// Forgets old datagrams, a bounded number a call; frees and returns how many held frames died.
    unsigned expire(uint32_t now_ms) noexcept;

  private:
    struct Range {
        uint32_t start, end;
    };
    struct Entry {
        IpAddress source, destination;
        uint32_t id = 0, created_ms = 0;
        uint16_t source_port = 0, destination_port = 0;
        uint8_t protocol = 0, ranges = 0, held = 0;
        bool used = false, known = false, ports = false, poisoned = false;
        std::array<Range, kRanges> covered{};
        std::array<rte_mbuf*, kHeldPerDatagram> frames{};
    };
    Entry* find(const PacketMeta& meta, uint32_t now_ms) noexcept;
    static bool matches(const Entry& e, const PacketMeta& meta) noexcept;
    static Answer cover(Entry& entry, Range range) noexcept;
    Answer hold(Entry& entry, rte_mbuf* frame, const PacketMeta& meta) noexcept;
    void release(Entry& entry, Released& released) noexcept;
    unsigned forget(Entry& entry) noexcept;
    std::unique_ptr<Entry[]> entries_;
    unsigned held_ = 0, cursor_ = 0;
};

}  // namespace ravelin
