// SPDX-License-Identifier: Apache-2.0
// FlowKey: which conversation a packet is of, and the keyed hash that tables find it by.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/address.h"

namespace ravelin {

/// Secret words of FlowKey::hash: who knows them fills one bucket with chosen addresses. Set once
/// at boot with random words, before any table.
inline constinit std::array<uint64_t, 6> flow_hash_secret = {
    0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb,
    0xd6e8feb86659fd93, 0xa0761d6478bd642f, 0xe7037ed1a0b428db};

/// Two endpoints in canonical order, so both directions have one key. Ports are in host order.
/// ICMP echo: the identifier as both ports. Protocols without ports: zero.
struct FlowKey {
    IpAddress first;
    IpAddress second;
    uint16_t first_port = 0;
    uint16_t second_port = 0;
    uint8_t protocol = 0;  ///< IANA number of the upper layer
    uint8_t spare = 0;     ///< always 0
    uint16_t zone = 0;     ///< VLAN or zone: equal addresses in two zones are two flows

    /// `swapped` tells that the packet's source is the second endpoint. Where both endpoints are
    /// equal (a land packet) it is false.
    static FlowKey make(const IpAddress& source, const IpAddress& destination, uint16_t source_port,
                        uint16_t destination_port, uint8_t protocol, uint16_t zone,
                        bool& swapped) noexcept {
        FlowKey key;
        make(key, source, destination, source_port, destination_port, protocol, zone, swapped);
        return key;
    }
    /// The same in place, for the path: a key that is returned is written in words and copied in
    /// vectors, which have to wait for the words.
    static void make(FlowKey& key, const IpAddress& source, const IpAddress& destination,
                     uint16_t source_port, uint16_t destination_port, uint8_t protocol,
                     uint16_t zone, bool& swapped) noexcept {
        const uint64_t after = ordered_after(source, source_port, destination, destination_port);
        swapped = after != 0;
        // Which it is, nobody can predict: no branch, and none that the compiler finds in a `?`.
        const auto from = std::bit_cast<Half>(source), to = std::bit_cast<Half>(destination);
        const uint64_t mask = 0 - after;
        const Half change{(from[0] ^ to[0]) & mask, (from[1] ^ to[1]) & mask};
        const auto ports =
            std::rotl(uint32_t{destination_port} << 16 | source_port, static_cast<int>(after * 16));
        key.set(0, from[0] ^ change[0]);
        key.set(1, from[1] ^ change[1]);
        key.set(2, to[0] ^ change[0]);
        key.set(3, to[1] ^ change[1]);
        key.set(4, ports | uint64_t{protocol} << 32 | uint64_t{zone} << 48);
    }

    /// The word of an IPv4 address beside its zeros, as loaded, but for the address: RFC 4291
    /// section 2.5.5.2.
    static constexpr uint64_t kMapped = 0xffff0000;
    /// Of IPv4 endpoints that are in order already (make()), as they stand on the wire;
    /// `ports`: the second's << 16 | the first's, host order.
    void set_v4(uint32_t first_raw, uint32_t second_raw, uint32_t ports,
                uint8_t of_protocol) noexcept {
        set(0, 0);
        set(1, uint64_t{first_raw} << 32 | kMapped);
        set(2, 0);
        set(3, uint64_t{second_raw} << 32 | kMapped);
        set(4, ports | uint64_t{of_protocol} << 32);
    }

    /// The same for both directions, as the key is. NH (RFC 4418 section 5.2.2) of its ten 32-bit
    /// words: two keys have one sum with a probability of 2^-32, whoever chose them. Of products
    /// that vectors have too (Arrivals::hash).
    [[nodiscard]] uint32_t hash() const noexcept {
        const auto& k = flow_hash_secret;
        const auto product = [](uint32_t a, uint32_t b) { return uint64_t{a} * b; };
        const auto low = [&](unsigned i) { return static_cast<uint32_t>(word(i) + k[i]); };
        const auto high = [&](unsigned i) {
            return static_cast<uint32_t>((word(i) >> 32) + (k[i] >> 32));
        };
        return spread(product(low(0), low(2)) + product(high(0), high(2)) +
                      product(low(1), low(3)) + product(high(1), high(3)) +
                      product(low(4), high(4)));
    }
    /// Every bit of hash() depends on every one of the sum.
    static uint32_t spread(uint64_t sum) noexcept {
        return static_cast<uint32_t>((sum ^ sum >> 32) * (flow_hash_secret[5] | 1) >> 32);
    }
    [[nodiscard]] bool is_canonical() const noexcept {
        return ordered_after(first, first_port, second, second_port) == 0;
    }
    bool operator==(const FlowKey& o) const noexcept {
        const auto differs = [&](unsigned i) { return word(i) ^ o.word(i); };
        return (differs(0) | differs(1) | differs(2) | differs(3) | differs(4)) == 0;
    }

  private:
    using Half = std::array<uint64_t, 2>;
    // One by one: the whole as an array would be copied in vectors and read back in words.
    [[nodiscard]] uint64_t word(unsigned i) const noexcept {
        uint64_t value;
        std::memcpy(&value, reinterpret_cast<const char*>(this) + i * sizeof value, sizeof value);
        return value;
    }
    void set(unsigned word, uint64_t value) noexcept {
        std::memcpy(reinterpret_cast<char*>(this) + word * sizeof value, &value, sizeof value);
    }
    // Any total order will do; comparing registers is cheaper than comparing bytes.
    static unsigned ordered_after(const IpAddress& a, uint16_t a_port, const IpAddress& b,
                                  uint16_t b_port) noexcept {
        const auto x = std::bit_cast<Half>(a), y = std::bit_cast<Half>(b);
        const unsigned same_low{x[1] == y[1]}, same{same_low & unsigned{x[0] == y[0]}};
        return unsigned{x[1] > y[1]} | (same_low & unsigned{x[0] > y[0]}) |
               (same & unsigned{a_port > b_port});
    }
};
static_assert(sizeof(FlowKey) == 40 && std::is_trivially_copyable_v<FlowKey>);
static_assert(std::endian::native == std::endian::little, "FlowKey::make composes its last word");
static_assert(std::has_unique_object_representations_v<FlowKey>);

}  // namespace ravelin
