// SPDX-License-Identifier: Apache-2.0
// Pieces: what has come of a datagram in fragments, as ranges of bytes in order, with the frames
// that are held for it. All datagrams of a worker share one pool; 16 bytes a piece.
#pragma once
#include <rte_mbuf.h>

#include <cstdint>
#include <memory>

#include "dataplane/packet.h"

namespace ravelin {

/// The bytes of its datagram that a fragment carries: [start, end), at most 65,535 (parse).
struct FragmentExtent {
    uint16_t start = 0, end = 0;
    bool last = false;  ///< nothing follows behind `end`
};
/// Of a packet that parse took for a fragment. IPv6 headers behind the fragment header count.
FragmentExtent extent_of(const Packet& packet, const PacketMeta& meta) noexcept;

class PiecePool {
  public:
    static constexpr uint16_t kNone = 0xffff;
    /// Of one datagram: 65,535 bytes over an MTU of 576 (RFC 791: what every host takes) are 119.
    static constexpr unsigned kMostPieces = 128;

    /// One datagram's pieces.
    struct List {
        uint16_t first = kNone, last = kNone;
        uint16_t count = 0;
        uint16_t highest = 0;  ///< end of the last piece
        uint16_t covered = 0;  ///< bytes of all
    };
    enum class Fit : uint8_t {
        kNew,
        kDuplicate,  ///< all of it has come before
        kOverlap,    ///< a part of it has
        kTooMany,
    };

    /// Room for `pieces`, at most 65,535.
    explicit PiecePool(unsigned pieces);
    /// How a fragment lies beside what has come. kNew: it belongs behind piece `behind`.
    Fit look(const List& list, const FragmentExtent& extent, uint16_t& behind) const noexcept;
    /// Adds what look() called kNew; the pool is not full. Without a frame it joins its neighbours
    /// that have none either: fragments in order take one piece.
    void put(List& list, uint16_t behind, const FragmentExtent& extent, rte_mbuf* frame) noexcept;
    /// Takes the frames held, in the order of their bytes; the ranges stay. Returns how many.
    unsigned take_frames(List& list, rte_mbuf** out) noexcept;
    /// Takes the frame of the datagram's first bytes if it is held, else null.
    rte_mbuf* take_first(const List& list) noexcept;
    /// Frees pieces and frames; returns how many frames.
    unsigned clear(List& list) noexcept;
    [[nodiscard]] bool full() const noexcept { return free_ == kNone; }

  private:
    struct Piece {
        rte_mbuf* frame = nullptr;
        uint16_t start = 0, end = 0, next = kNone;
    };
    static_assert(sizeof(Piece) == 16);
    /// Joins the piece behind `at` with `at` if they touch and neither holds a frame.
    void join_next(List& list, uint16_t at) noexcept;
    std::unique_ptr<Piece[]> pieces_;
    uint16_t free_ = kNone;
};

}  // namespace ravelin
