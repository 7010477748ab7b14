// SPDX-License-Identifier: Apache-2.0
// FlowKey and Flow: what is known of one conversation. A Flow is 128 bytes, two cache lines: the
// first is read by every lookup, the second is written by every packet. Flows live in a shared
// segment that outlives the process (flow_table.h), hence plain data, no pointers. The worker that
// owns the table is the only writer.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/address.h"
#include "dataplane/crc32c.h"
#include "dataplane/fold.h"
#include "dataplane/limits.h"
#include "dataplane/sched/principal_id.h"
#include "dataplane/verdict.h"

namespace ravelin {

/// Who sent a packet of a flow. Indexes every two-element array of Flow.
enum class Direction : uint8_t { originator = 0, responder = 1 };
constexpr Direction reverse(Direction d) noexcept {
    return d == Direction::originator ? Direction::responder : Direction::originator;
}

/// Secret words of FlowKey::hash. A CRC alone is linear: whoever knows it fills one bucket with
/// chosen addresses, whatever the seed. Set once at boot with random words, before any table.
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

    /// The same for both directions, as the key is. Three multiplications and a CRC step.
    [[nodiscard]] uint32_t hash() const noexcept {
        const auto& k = flow_hash_secret;
        const uint64_t mixed = fold(word(0) ^ k[0], word(1) ^ k[1]) ^
                               fold(word(2) ^ k[2], word(3) ^ k[3]) ^ fold(word(4) ^ k[4], k[5]);
        return crc32c_step(static_cast<uint32_t>(mixed >> 32), mixed);
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

/// Where a conversation stands. tcp_* only with protocol 6, the last three only with others.
enum class FlowState : uint8_t {
    none = 0,          ///< inserted, no packet tracked yet
    tcp_syn_sent,      ///< SYN of the originator seen
    tcp_syn_received,  ///< both SYNs seen, not both acknowledged
    tcp_established,
    tcp_fin_wait,    ///< one FIN seen, not acknowledged
    tcp_close_wait,  ///< one FIN seen and acknowledged, the other side may still send
    tcp_last_ack,    ///< both FINs seen, not both acknowledged
    tcp_time_wait,   ///< both FINs acknowledged
    tcp_closed,      ///< reset
    request,         ///< only the originator has sent
    replied,         ///< the responder has answered
    stream,          ///< the originator went on after an answer
};
inline constexpr auto kLastFlowState = FlowState::stream;

/// Bits of Flow::flags.
enum FlowFlag : uint8_t {
    kFlowOriginatorSecond = 1,  ///< the originator is key.second
    kFlowProven = 2,            ///< answered; set by FlowTable::prove alone
    kFlowClosing = 4,           ///< a FIN or RST was accepted
    kFlowMarked = 8,            ///< free for the stage that owns the flow
    kFlowTranslated = 16,       ///< FlowTable::translation() is of it
    kFlowCounted = 32,          ///< counted for its source and rule (FlowTable::count)
    kFlowBudgeted = 64,         ///< counted for its source until it is proven
    kFlowProxied = 128,         ///< opened by a SYN cookie; FlowTable::proxy() is of it
};

/// Bits of Flow::tcp_flags, per direction.
enum TcpSideFlag : uint8_t {
    kTcpSynSeen = 1,
    kTcpAckSeen = 2,  ///< it has acknowledged the other side's SYN
    kTcpFinSeen = 4,
    kTcpFinAcked = 8,       ///< its FIN was acknowledged
    kTcpScaleOffered = 16,  ///< window scale option in its SYN (RFC 7323 section 2)
    kTcpSackOffered = 32,   ///< SACK permitted in its SYN (RFC 2018)
    kTcpChallenged = 64,  ///< answered our SYN with a plain ACK (half-open, RFC 9293 section 3.5.1)
};
inline constexpr uint8_t kTcpSideFlagMask = 127;
inline constexpr uint8_t kMaxWindowScale = 14;  // RFC 7323 section 2.3

/// What one TCP side has sent and may send, as seen from the middle. Sequence numbers, bytes.
struct TcpSide {
    uint32_t end = 0;         ///< highest sequence number sent, plus one
    uint32_t max_end = 0;     ///< highest acknowledgment plus window the other side has granted
    uint32_t max_window = 0;  ///< largest window this side has advertised, scaled; at least 1
};

/// Ways that packets of a flow took, for Shortcut, which alone knows what they mean.
struct FlowWays {
    uint16_t stamp = 0;             ///< what `way` is good under; 0: nothing
    std::array<uint16_t, 2> way{};  ///< by Direction; 0: none
};

/// A PortId in a byte: kNoPort and kLocalPort, which alone are beyond limits::kMaxPorts, by their
/// lower halves.
class FlowPort {
  public:
    FlowPort() = default;
    FlowPort& operator=(uint16_t port) noexcept {
        low_ = static_cast<uint8_t>(port);
        return *this;
    }
    operator uint16_t() const noexcept {  // NOLINT(google-explicit-constructor): it is one
        return low_ < kFirstSpecial ? low_ : static_cast<uint16_t>(0xff00 | low_);
    }

  private:
    static constexpr uint8_t kFirstSpecial = 0xfe;
    uint8_t low_;
};

/// A rule's slot in two bytes: kNoRule, which alone is beyond limits::kMaxRules, as a slot that no
/// rule counts in.
class FlowRule {
  public:
    static constexpr uint16_t kUnused = limits::kMaxRules - 15;  ///< of the reserved ones
    FlowRule() = default;
    FlowRule& operator=(uint32_t slot) noexcept {
        low_ = slot < limits::kMaxRules ? static_cast<uint16_t>(slot) : kUnused;
        return *this;
    }
    operator uint32_t() const noexcept {  // NOLINT(google-explicit-constructor): it is one
        return low_ == kUnused ? kNoRule : low_;
    }

  private:
    uint16_t low_;
};

/// One conversation. Arrays of two are indexed by Direction.
struct alignas(64) Flow {
    FlowKey key;
    std::array<TcpSide, 2> tcp;
    // Second cache line.
    std::array<uint64_t, 2> bytes;    ///< L3 bytes passed
    std::array<uint32_t, 2> packets;  ///< packets passed; wraps
    uint32_t epoch;                   ///< PolicySnapshot::epoch of its last judgement
    FlowRule rule;                    ///< slot of the rule that admitted it
    uint16_t principal;               ///< whom it is charged to; FlowTable::charge_to writes it
    uint32_t last_seen_ms;            ///< clock of the caller, wraps after 49.7 days
    uint32_t timeout_ms;              ///< idle time after last_seen_ms until it expires
    FlowWays ways;                    ///< empty in a new flow, and after a crash
    FlowPort in_port;                 ///< port of the originator's packets
    FlowPort out_port;                ///< port of the responder's packets
    FlowState state;
    uint8_t flags;                        ///< FlowFlag
    std::array<uint8_t, 2> window_scale;  ///< shift of advertised windows; 0 unless both offered
    std::array<uint8_t, 2> tcp_flags;     ///< TcpSideFlag
    uint16_t syn_tag;                     ///< low half of the originator's initial sequence number
    std::array<uint32_t, 2> tcp_max_ack;  ///< highest acknowledgment sent by the side; before its
                                          ///< first: the lowest that is acceptable
    [[nodiscard]] bool proven() const noexcept { return (flags & kFlowProven) != 0; }
    /// Direction of a packet whose FlowKey::make gave `swapped`.
    [[nodiscard]] Direction direction(bool swapped) const noexcept {
        return static_cast<Direction>(swapped != ((flags & kFlowOriginatorSecond) != 0));
    }
    [[nodiscard]] const IpAddress& originator() const noexcept {
        return (flags & kFlowOriginatorSecond) != 0 ? key.second : key.first;
    }
    /// Idle for longer than its timeout; wrap-safe.
    [[nodiscard]] bool expired(uint32_t now_ms) const noexcept {
        return static_cast<int32_t>(now_ms - last_seen_ms - timeout_ms) >= 0;
    }
    void count(Direction d, uint32_t packet_bytes) noexcept {
        bytes[static_cast<uint8_t>(d)] += packet_bytes;
        ++packets[static_cast<uint8_t>(d)];
    }
};
static_assert(sched::kMaxPrincipals <= 1 << 16, "Flow::principal");
static_assert(sizeof(Flow) == 128 && alignof(Flow) == 64 && std::is_trivially_copyable_v<Flow>);

/// What address translation makes of a flow whose key has the inner addresses: the ends as the
/// other side knows them. IPv4 and ports in host order, ICMP echo: the identifier; 0: not
/// translated.
struct FlowTranslation {
    uint32_t source = 0;       ///< the originator, as the responder sees it
    uint32_t destination = 0;  ///< the responder, as the originator sees it
    uint16_t source_port = 0, destination_port = 0;
    static constexpr uint16_t kNoRule = UINT16_MAX;
    /// Hit counters of the rules that chose either end.
    uint16_t source_rule = kNoRule, destination_rule = kNoRule;
    bool operator==(const FlowTranslation&) const = default;
};

/// What a flow opened by the SYN proxy has beside it. Its TcpSides, scales and numbers are the
/// originator's: the responder is seen as the proxy has promised it to be.
struct FlowProxy {
    enum Flag : uint8_t {
        kTimestamps = 1,  ///< the originator sends timestamps (RFC 7323)
        kNoSack = 2,      ///< SACK was promised, but the responder does not permit it
    };
    /// Until the responder has answered: its initial number as promised, the cookie. From then on:
    /// added to its numbers, they are what the originator knows.
    uint32_t sequence = 0;
    uint32_t timestamp = 0;        ///< the same of its timestamps
    uint8_t announced_scale = 0;   ///< of the responder's windows, to the originator
    uint8_t responder_scale = 0;   ///< what it really shifts its windows by
    uint8_t originator_scale = 0;  ///< what the responder takes the originator's to be shifted by
    uint8_t flags = 0;
    bool operator==(const FlowProxy&) const = default;
};
static_assert(sizeof(FlowProxy) == 12);

/// The in-use mark of the flow in slot `index`, which stands beside it: ties the key to its place,
/// never 0.
inline uint32_t flow_mark(const FlowKey& key, uint32_t index) noexcept {
    const uint32_t crc = crc32c(&key, sizeof key, ~index);
    return crc != 0 ? crc : 1;
}

}  // namespace ravelin
