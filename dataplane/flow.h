// SPDX-License-Identifier: Apache-2.0
// Flow: what is known of one conversation. A Flow is 128 bytes, two cache lines: the first is what
// lookups read and counts, the second where the conversation stands. Flows live in a shared segment
// that outlives the process (flow_table.h), hence plain data, no pointers. The worker that owns the
// table is the only writer.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/crc32c.h"
#include "dataplane/flow_key.h"
#include "dataplane/limits.h"
#include "dataplane/sched/principal_id.h"
#include "dataplane/verdict.h"

namespace ravelin {

/// Who sent a packet of a flow. Indexes every two-element array of Flow.
enum class Direction : uint8_t { originator = 0, responder = 1 };
constexpr Direction reverse(Direction d) noexcept {
    return d == Direction::originator ? Direction::responder : Direction::originator;
}

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
struct alignas(16) TcpSide {
    uint32_t end = 0;         ///< highest sequence number sent, plus one
    uint32_t max_end = 0;     ///< highest acknowledgment plus window the other side has granted
    uint32_t max_window = 0;  ///< largest window this side has advertised, scaled; at least 1
    uint32_t max_ack = 0;     ///< highest acknowledgment this side has sent; before its first: the
                              ///< lowest that is acceptable
};

/// What a segment of an open connection says of where that stands. Host order.
struct alignas(16) TcpAdvance {
    uint32_t end;  ///< sequence number behind its payload
    uint32_t acknowledgement;
    uint32_t window;  ///< as in the header, not scaled
    uint32_t length;  ///< bytes of L3
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
    /// Where its packets count: nobody reads what counts at kUnused.
    [[nodiscard]] uint32_t counter() const noexcept { return low_; }
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
    std::array<uint64_t, 2> bytes;    ///< L3 bytes passed
    std::array<uint32_t, 2> packets;  ///< packets passed; wraps
    // Second cache line.
    alignas(64) std::array<TcpSide, 2> tcp;
    uint32_t epoch;         ///< PolicySnapshot::epoch of its last judgement
    FlowRule rule;          ///< slot of the rule that admitted it
    uint16_t principal;     ///< whom it is charged to; FlowTable::charge_to writes it
    uint32_t last_seen_ms;  ///< clock of the caller, wraps after 49.7 days
    uint32_t timeout_ms;    ///< idle time after last_seen_ms until it expires
    FlowWays ways;          ///< empty in a new flow, and after a crash
    FlowState state;
    uint8_t flags;                        ///< FlowFlag
    FlowPort in_port;                     ///< port of the originator's packets
    FlowPort out_port;                    ///< port of the responder's packets
    std::array<uint8_t, 2> window_scale;  ///< shift of advertised windows; 0 unless both offered
    std::array<uint8_t, 2> tcp_flags;     ///< TcpSideFlag
    uint16_t syn_tag;                     ///< low half of the originator's initial sequence number
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
    static constexpr size_t kWordAt = 112;
    /// Shortcut asks for all of `ways.stamp`, `state` and `flags` at once.
    static constexpr uint64_t word_of(uint16_t stamp, FlowState state, uint8_t flags) noexcept {
        return stamp | uint64_t{static_cast<uint8_t>(state)} << 48 | uint64_t{flags} << 56;
    }
    [[nodiscard]] uint64_t word() const noexcept {
        uint64_t word;
        std::memcpy(&word, reinterpret_cast<const char*>(this) + kWordAt, sizeof word);
        return word;
    }
    void count(Direction d, uint32_t packet_bytes) noexcept {
        bytes[static_cast<uint8_t>(d)] += packet_bytes;
        ++packets[static_cast<uint8_t>(d)];
    }
};
static_assert(sched::kMaxPrincipals <= 1 << 16, "Flow::principal");
static_assert(offsetof(Flow, ways) == Flow::kWordAt &&
                  offsetof(Flow, state) == Flow::kWordAt + sizeof(FlowWays) &&
                  offsetof(Flow, flags) == Flow::kWordAt + sizeof(FlowWays) + 1,
              "Flow::word");
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
