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
#include "dataplane/flow.h"
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
    Column<uint32_t> source, destination;
    Column<uint32_t> ports;     ///< source << 16 | destination
    Column<uint32_t> length;    ///< bytes of L3
    Column<uint8_t> protocol;   ///< TCP or UDP
    Column<uint8_t> tcp_flags;  ///< 0: UDP
    Column<uint32_t> hop;       ///< TTL, protocol and checksum as they leave: one hop further
    Column<uint32_t> segment_end, acknowledgement, window;  ///< where TCP, as TcpAdvance
    // Found of what is plain, for those who ask for flows; the shortcut adds what it finds of IPv6.
    bool has_flows = false;
    uint64_t swapped = 0;  ///< the source is the flow's second end
    /// What of a flow's key IPv4 has: FlowKey::set_v4().
    struct alignas(16) Ends {
        uint32_t first, second, ports, protocol;
    };
    Column<Ends> ends;
    Column<uint32_t> hash;       ///< FlowKey::hash()
    Column<TcpAdvance> advance;  ///< of UDP its length alone

    /// All have just come in by `port`; `n` at most kCapacity.
    void begin(rte_mbuf** received, unsigned n, PortId port) noexcept {
        frames = received;
        count = n;
        in_port = port;
        here = all();
        is_read = has_flows = false;
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
    /// Of what is read, once a call.
    void find_flows() noexcept {
        if (!has_flows) find_flows_at_once();
        has_flows = true;
    }
    void read_at_once(const MacAddress& own) noexcept;
    void find_flows_at_once() noexcept;
    /// The same without vectors.
    void read_one_by_one(const MacAddress& own) noexcept;
    void find_flows_one_by_one() noexcept;
    /// The flow that plain packet i is of.
    [[nodiscard]] FlowKey key(unsigned i) const noexcept {
        FlowKey key;
        key.set_v4(ends[i].first, ends[i].second, ends[i].ports,
                   static_cast<uint8_t>(ends[i].protocol));
        return key;
    }
    /// Whether `of` is that.
    [[nodiscard]] bool is_of(unsigned i, const FlowKey& of) const noexcept;
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

// The key's ten words at once.
[[gnu::always_inline]] inline bool Arrivals::is_of(unsigned i, const FlowKey& of) const noexcept {
#ifdef RAVELIN_LANES
    constexpr __mmask16 kWords = 0x3ff, kEnds = 0x388;  // 3, 7, 8 and 9
    constexpr int kMapped = static_cast<int>(FlowKey::kMapped);
    const __m512i rest =
        _mm512_setr_epi32(0, 0, kMapped, 0, 0, 0, kMapped, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m512i from = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0);
    const __m128i row = _mm_load_si128(reinterpret_cast<const __m128i*>(&ends[i]));
    const __m512i key =
        _mm512_mask_permutexvar_epi32(rest, kEnds, from, _mm512_castsi128_si512(row));
    return _mm512_mask_cmpneq_epi32_mask(kWords, key, _mm512_maskz_loadu_epi32(kWords, &of)) == 0;
#else
    return key(i) == of;
#endif
}

inline unsigned Arrivals::gather() noexcept {
    if (here == all()) return count;
    unsigned left = 0;
    for_each_bit(here, [&](unsigned i) { frames[left++] = frames[i]; });
    return left;
}

}  // namespace ravelin
