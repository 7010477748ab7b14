// SPDX-License-Identifier: Apache-2.0
// Arrivals: the packets of one receive call, a column each of what is read of them. Read once, at
// once, for the shortcut and the express, who take what they can out of the same call; what is here
// still goes through the pipeline. Both ways of reading say the same (tests/unit/arrivals_test.cc).
//
// Plain: untagged IPv4 to the port's own MAC, no options, no fragment, TCP or UDP with sound
// lengths and a whole checksum, hop limit above 1.
#pragma once
#include <rte_mbuf.h>

#include <cstddef>
#include <cstring>

#include "dataplane/columns.h"
#include "dataplane/limits.h"
#include "dataplane/net/headers.h"
#include "dataplane/packet.h"

namespace ravelin {

/// Bit i of a mask and place i of a column are of frames[i]. Addresses, ports and lengths in host
/// order.
struct Arrivals {
    static constexpr unsigned kCapacity = limits::kArrivals;
    template <typename T>
    using Column = columns::Column<T>;

    unsigned count = 0;
    PortId in_port = kNoPort;
    rte_mbuf** frames = nullptr;
    uint64_t here = 0;  ///< neither sent nor dropped so far
    bool is_read = false;
    // Read from the frames; of what is not plain the columns have nothing but `source` and
    // `destination`: 0 unless it is IPv4.
    uint64_t plain = 0;
    uint64_t opening = 0;  ///< TCP with SYN, where plain
    uint64_t steady = 0;   ///< UDP, or TCP that neither opens nor ends, where plain
    uint64_t padded = 0;   ///< the frame was longer than its packet, where plain
    uint64_t swapped = 0;  ///< the source is the flow's second end (FlowKey), where plain
    Column<uint32_t> source, destination;
    Column<uint32_t> ports;     ///< source << 16 | destination
    Column<uint32_t> length;    ///< bytes of L3
    Column<uint8_t> protocol;   ///< TCP or UDP
    Column<uint8_t> tcp_flags;  ///< 0: UDP
    Column<uint32_t> hop;       ///< TTL, protocol and checksum as they leave: one hop further
    Column<uint32_t> first, second, ends;        ///< FlowKey::set_v4()
    Column<uint32_t> sequence, acknowledgement;  ///< of TCP
    Column<uint32_t> offset_window;  ///< of TCP: bytes of its header << 16 | window, not scaled

    /// All have just come in by `port`; `n` at most kCapacity.
    void begin(rte_mbuf** received, unsigned n, PortId port) noexcept {
        frames = received;
        count = n;
        in_port = port;
        here = all();
        is_read = false;
    }
    [[nodiscard]] uint64_t all() const noexcept {
        return count == 0 ? 0 : ~uint64_t{0} >> (kCapacity - count);
    }
    /// Once a call. `own`: the MAC of the port. Plain frames lose Ethernet's padding, as in
    /// `parse`.
    void read(const MacAddress& own) noexcept {
        if (is_read) return;
        read_at_once(own);
        if (padded != 0) trim();
        is_read = true;
    }
    void read_at_once(const MacAddress& own) noexcept;
    /// The same without vectors.
    void read_one_by_one(const MacAddress& own) noexcept;
    /// A plain frame as it leaves: what `rewrite` does. `macs` as they stand in a frame.
    void make_ready(unsigned i, const std::array<uint8_t, 12>& macs) const noexcept;
    /// Moves what is here to the front, in order; how many.
    unsigned gather() noexcept;

  private:
    /// What is not plain: its addresses. False: nothing behind it is plain either, for nobody knows
    /// what it has to do with.
    bool read_odd(unsigned i) noexcept;
    void trim() noexcept;
};
static_assert(Arrivals::kCapacity == columns::kPlaces, "bits of a mask");
using columns::for_each_bit;

[[gnu::always_inline]] inline void Arrivals::make_ready(
    unsigned i, const std::array<uint8_t, 12>& macs) const noexcept {
    rte_mbuf& frame = *frames[i];
    auto* at = rte_pktmbuf_mtod(&frame, uint8_t*);
    const uint32_t further = hop[i];
    std::memcpy(at, macs.data(), macs.size());
    std::memcpy(at + sizeof(net::Ethernet) + offsetof(net::Ipv4, ttl), &further, sizeof further);
}

inline unsigned Arrivals::gather() noexcept {
    if (here == all()) return count;
    unsigned left = 0;
    for_each_bit(here, [&](unsigned i) { frames[left++] = frames[i]; });
    return left;
}

}  // namespace ravelin
