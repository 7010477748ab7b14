// SPDX-License-Identifier: Apache-2.0
// Reading arrivals at once: sixteen headers become columns of sixteen lanes.
#include <algorithm>

#include "dataplane/arrivals.h"
#include "dataplane/lanes.h"
#include "dataplane/shortcut_head.h"

namespace ravelin {

#ifdef RAVELIN_LANES
namespace {

constexpr unsigned kIp = sizeof(net::Ethernet);

using namespace lanes;

Lanes halves(Lanes a) noexcept { return add(mask(a, 0xffff), right(a, 16)); }
// checksum_fold() of sums below 2^20.
Lanes fold(Lanes a) noexcept { return halves(halves(a)); }

// net::count_hop() of TTL (low byte), protocol and checksum as they stand: where that sum, of 0xff
// in the low byte and one more, runs over, the one it carries goes around.
Lanes one_hop_further(Lanes word) noexcept {
    const Lanes sum = add(right(word, 16), all(1));
    const Lanes carried =
        add(sum, _mm512_maskz_mov_epi32(static_cast<__mmask16>(at_most(all(0xffff), sum)), all(1)));
    return _mm512_or_si512(left(carried, 16), subtract(mask(word, 0xffff), all(1)));
}

Lanes turn_bytes(Lanes a) noexcept {
    return _mm512_shuffle_epi8(a,
                               _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
}

// Of every other lane, 64 bits each.
Lanes products(Lanes a, Lanes b) noexcept { return _mm512_mul_epu32(a, b); }
Lanes odd(Lanes a) noexcept { return _mm512_srli_epi64(a, 32); }

/// FlowKey::hash() of sixteen IPv4 keys.
struct Hash {
    uint64_t same;  // of the words that are the same in all of them
    uint32_t first, second, ports, protocol;
    uint64_t spread;
    Hash() noexcept {
        const auto& k = flow_hash_secret;
        const auto low = [&](unsigned i, uint64_t word) {
            return static_cast<uint32_t>(word + k[i]);
        };
        const auto high = [&](unsigned i) { return static_cast<uint32_t>(k[i] >> 32); };
        same = uint64_t{low(0, 0)} * low(2, 0) + uint64_t{high(0)} * high(2) +
               uint64_t{low(1, FlowKey::kMapped)} * low(3, FlowKey::kMapped);
        first = high(1);
        second = high(3);
        ports = low(4, 0);
        protocol = high(4);
        spread = k[5] | 1;
    }
    [[nodiscard]] Lanes half(Lanes of_ends, Lanes of_rest) const noexcept {
        const Lanes sum = _mm512_add_epi64(_mm512_add_epi64(of_ends, of_rest),
                                           _mm512_set1_epi64(static_cast<int64_t>(same)));
        return _mm512_mullo_epi64(_mm512_xor_si512(sum, odd(sum)),
                                  _mm512_set1_epi64(static_cast<int64_t>(spread)));
    }
    [[nodiscard]] Lanes of(Lanes a, Lanes b, Lanes c, Lanes d) const noexcept {
        a = add(a, all(first)), b = add(b, all(second));
        c = add(c, all(ports)), d = add(d, all(protocol));
        const Lanes even = half(products(a, b), products(c, d)),
                    rest = half(products(odd(a), odd(b)), products(odd(c), odd(d)));
        return choose(0xaaaa, odd(even), rest);
    }
};

// Four columns become sixteen rows.
template <typename Row>
[[gnu::always_inline]] inline void store_rows(Row* at, Lanes a, Lanes b, Lanes c,
                                              Lanes d) noexcept {
    static_assert(sizeof(Row) == sizeof(__m128i) && alignof(Row) == sizeof(__m128i));
    const Lanes ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b),
                cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
    // In each quarter: row k, k + 4, k + 8, k + 12.
    const Lanes row[] = {
        _mm512_unpacklo_epi64(ab_low, cd_low), _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high), _mm512_unpackhi_epi64(ab_high, cd_high)};
    const auto put = [&](unsigned i, __m128i words) {
        _mm_store_si128(reinterpret_cast<__m128i*>(at + i), words);
    };
#pragma GCC unroll 4
    for (unsigned k = 0; k < 4; ++k) {
        put(k, _mm512_castsi512_si128(row[k]));
        put(k + 4, _mm512_extracti32x4_epi32(row[k], 1));
        put(k + 8, _mm512_extracti32x4_epi32(row[k], 2));
        put(k + 12, _mm512_extracti32x4_epi32(row[k], 3));
    }
}

/// What is looked at of a frame, put together from its first bytes.
struct alignas(64) Record {
    enum Word : unsigned {
        kMac,
        kMacVersion,
        kTypeFragment,
        kLengthHopsProtocol,
        kHeader0,
        kHeader1,
        kHeader2,
        kSource,
        kDestination,
        kPorts,
        kTcp,
        kUdp,
        kSequence,
        kAcknowledgement,
        kWindow
    };
    uint32_t word[kLanes];
};
constexpr int8_t kNo = 63;  // what is looked at ends before it, and it is 0
alignas(64) constexpr int8_t kRecordBytes[64] = {
    0, 1, 2, 3,      // the port's MAC,
    4, 5, 6, 14,     // its rest, the first byte of the sender's, version and length
    12, 13, 20, 21,  // ethertype, fragment
    17, 16, 22, 23,  // total length, host order; hop limit; protocol
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,  // the header's words for its
                                                     // checksum
    26, 27, 28, 29, 30, 31, 32, 33,                  // and the addresses, as they stand
    37, 36, 35, 34,                                  // ports, host order
    46, 47, 50, 51,                                  // TCP: offset, flags, checksum
    39, 38, 40, 41,                                  // UDP: length, host order; checksum
    41, 40, 39, 38, 45, 44, 43, 42,                  // TCP: numbers, host order
    49, 48, kNo, kNo,                                // window, host order
    kNo, kNo, kNo, kNo};

// Words of sixteen records become columns of sixteen lanes.
[[gnu::always_inline]] inline void turn(const Record* records, Lanes (&out)[kLanes]) noexcept {
    Lanes pairs[kLanes], fours[kLanes];
#pragma GCC unroll 8
    for (unsigned i = 0; i < kLanes; i += 2) {
        const Lanes a = _mm512_load_si512(&records[i]), b = _mm512_load_si512(&records[i + 1]);
        pairs[i] = _mm512_unpacklo_epi32(a, b);
        pairs[i + 1] = _mm512_unpackhi_epi32(a, b);
    }
#pragma GCC unroll 4
    for (unsigned i = 0; i < kLanes; i += 4) {
        fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
#pragma GCC unroll 4
    for (unsigned k = 0; k < 4; ++k) {
        const Lanes even_low = _mm512_shuffle_i32x4(fours[k], fours[4 + k], 0x88),
                    odd_low = _mm512_shuffle_i32x4(fours[k], fours[4 + k], 0xdd),
                    even_high = _mm512_shuffle_i32x4(fours[8 + k], fours[12 + k], 0x88),
                    odd_high = _mm512_shuffle_i32x4(fours[8 + k], fours[12 + k], 0xdd);
        out[k] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        out[4 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        out[8 + k] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        out[12 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

// Bytes beyond the frame, and kNo, are 0; of a chained frame all are.
[[gnu::always_inline]] inline uint32_t look(const rte_mbuf& frame, Record& record) noexcept {
    const uint32_t length = frame.nb_segs == 1 ? frame.data_len : 0;
    const __mmask64 there = _bzhi_u64(~uint64_t{0}, std::min(length, uint32_t{kNo}));
    const Lanes bytes = _mm512_maskz_loadu_epi8(there, rte_pktmbuf_mtod(&frame, const uint8_t*));
    _mm512_store_si512(&record, _mm512_permutexvar_epi8(_mm512_load_si512(kRecordBytes), bytes));
    return length;
}

/// The opening of a frame to a port's MAC, as Record::kMac and kMacVersion have it.
struct Own {
    uint32_t mac, rest;
    explicit Own(const MacAddress& own) noexcept {
        std::memcpy(&mac, own.bytes.data(), 4);
        rest = uint32_t{own.bytes[4]} | uint32_t{own.bytes[5]} << 8 | 0x45u << 24;
    }
};

// Of sixteen packets from `first` on, by their records and lengths; see read_plain().
[[gnu::always_inline]] inline Which read_lanes(Arrivals& b, unsigned first, const Own& own,
                                               const Record* records,
                                               const uint32_t* lengths) noexcept {
    Lanes w[kLanes];
    turn(records, w);
    constexpr uint32_t kGroup = 1u << 16, kFragments = 0xff3f0000;  // of the sender; as they stand
    Which good = equal(w[Record::kMac], all(own.mac)) &
                 equal(mask(w[Record::kMacVersion], 0xff00ffff | kGroup), all(own.rest)) &
                 equal(mask(w[Record::kTypeFragment], 0xffff | kFragments), all(0x0008));
    const Lanes total = mask(w[Record::kLengthHopsProtocol], 0xffff),
                hops = mask(right(w[Record::kLengthHopsProtocol], 16), 0xff),
                protocol = right(w[Record::kLengthHopsProtocol], 24);
    good &= at_most(add(total, all(kIp)), load(lengths)) &
            at_most(all(sizeof(net::Ipv4) + sizeof(net::Udp)), total) & at_most(all(2), hops);
    const Lanes addresses = add(halves(w[Record::kSource]), halves(w[Record::kDestination]));
    const Lanes header = add(add(halves(w[Record::kHeader0]), halves(w[Record::kHeader1])),
                             add(halves(w[Record::kHeader2]), addresses));
    good &= equal(fold(header), all(0xffff));

    const Lanes rest = subtract(total, all(sizeof(net::Ipv4)));
    const Which tcp = equal(protocol, all(net::kTcp)), udp = equal(protocol, all(net::kUdp));
    // TCP's offset is in words, in the upper half of its byte.
    const Lanes stated =
        choose(tcp, mask(w[Record::kUdp], 0xffff), left(right(mask(w[Record::kTcp], 0xf0), 4), 2));
    const Lanes least = choose(tcp, all(sizeof(net::Udp)), all(sizeof(net::Tcp)));
    good &= (tcp | udp) & at_most(least, stated) & at_most(stated, rest);
    const Lanes checksum = right(choose(tcp, w[Record::kUdp], w[Record::kTcp]), 16);
    const Lanes wire = _mm512_or_si512(left(mask(rest, 0xff), 8), right(rest, 8));
    const Lanes pseudo = add(addresses, add(left(protocol, 8), wire));
    good &= differ(fold(pseudo), checksum);

    store(&b.acknowledgement[first], w[Record::kAcknowledgement]);
    store(&b.segment_end[first], add(w[Record::kSequence], subtract(rest, stated)));
    store(&b.window[first], w[Record::kWindow]);

    store(&b.source[first], turn_bytes(w[Record::kSource]));
    store(&b.destination[first], turn_bytes(w[Record::kDestination]));
    store(&b.ports[first], w[Record::kPorts]);
    store(&b.length[first], total);
    _mm512_mask_cvtepi32_storeu_epi8(&b.protocol[first], 0xffff, protocol);
    const Lanes flags = _mm512_maskz_mov_epi32(static_cast<__mmask16>(tcp),
                                               right(mask(w[Record::kTcp], 0xff00), 8));
    _mm512_mask_cvtepi32_storeu_epi8(&b.tcp_flags[first], 0xffff, flags);
    store(&b.hop[first], one_hop_further(w[Record::kHeader2]));
    b.padded |= uint64_t{differ(add(total, all(kIp)), load(lengths))} << first;
    b.opening |= uint64_t{_mm512_test_epi32_mask(flags, all(net::kSyn))} << first;
    b.steady |= uint64_t{udp | equal(mask(flags, shortcut::kTurns), all(net::kAck))} << first;
    return good;
}

}  // namespace

void Arrivals::read_at_once(const MacAddress& mac) noexcept {
    const Own own(mac);
    plain = opening = steady = padded = 0;
    Record records[kCapacity];
    alignas(64) uint32_t lengths[kCapacity];
    for (unsigned i = 0; i < count; ++i) lengths[i] = look(*frames[i], records[i]);
    // Lanes without a frame have a length of 0, and so nothing in them is plain.
    const unsigned end = (count + kLanes - 1) / kLanes * kLanes;
    for (unsigned i = count; i < end; ++i) {
        lengths[i] = 0;
        _mm512_store_si512(&records[i], _mm512_setzero_si512());
    }
    for (unsigned i = 0; i < end; i += kLanes)
        plain |= uint64_t{read_lanes(*this, i, own, &records[i], &lengths[i])} << i;
    for (uint64_t odd = all() & ~plain; odd != 0; odd &= odd - 1) {
        const auto i = static_cast<unsigned>(__builtin_ctzll(odd));
        if (read_odd(i)) [[likely]]
            continue;
        plain &= (uint64_t{1} << i) - 1;
        break;
    }
    opening &= plain;
    steady &= plain;
    padded &= plain;
}

// As FlowKey::make() has the ends.
void Arrivals::find_flows_at_once() noexcept {
    const Hash hashing;
    swapped = 0;
    for (unsigned i = 0; i < count; i += kLanes) {
        const Lanes from = turn_bytes(load(&source[i])), to = turn_bytes(load(&destination[i]));
        const Lanes forth = load(&ports[i]), back = _mm512_rol_epi32(forth, 16);
        const Lanes upper =
            _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(&protocol[i])));
        const Which after = more(from, to) | (equal(from, to) & more(forth, back));
        const Lanes first = choose(after, from, to), second = choose(after, to, from),
                    between = choose(after, back, forth);
        store_rows(&ends[i], first, second, between, upper);
        store(&hash[i], hashing.of(first, second, between, upper));
        store_rows(&advance[i], load(&segment_end[i]), load(&acknowledgement[i]), load(&window[i]),
                   load(&length[i]));
        swapped |= uint64_t{after} << i;
    }
    swapped &= plain;
}
#else
void Arrivals::find_flows_at_once() noexcept { find_flows_one_by_one(); }
void Arrivals::read_at_once(const MacAddress& own) noexcept { read_one_by_one(own); }
#endif

}  // namespace ravelin
