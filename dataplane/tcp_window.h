// SPDX-License-Identifier: Apache-2.0
// Windows of a connection whose both initial sequence numbers are known: whether a segment lies
// within them, and what it makes of them. `side` is the sender's index into Flow's arrays.
#pragma once
#include "dataplane/tcp_tracker.h"

namespace ravelin {

/// `a` comes behind `b` in sequence space.
constexpr bool after(uint32_t a, uint32_t b) noexcept { return static_cast<int32_t>(a - b) > 0; }
constexpr void raise(uint32_t& to, uint32_t v) noexcept { to = after(v, to) ? v : to; }

/// Old acknowledgments are accepted this far back even from a side with smaller windows: one
/// unscaled window, as acknowledgments may be overtaken on the way.
constexpr uint32_t ack_slack(const TcpSide& sender) noexcept {
    return sender.max_window > 65535 ? sender.max_window : 65535;
}

/// Of a segment that ends before `end` and acknowledges `ack`. `slack` behind `max_ack`, the
/// highest that its sender has acknowledged, in bytes.
[[gnu::always_inline]] constexpr bool lies_within(const TcpSide& sender, const TcpSide& receiver,
                                                  uint32_t max_ack, uint32_t slack, uint32_t end,
                                                  uint32_t ack) noexcept {
    // What is not behind its bound is no negative number; all at once, as all are nearly always so.
    // One more than granted: a zero-window probe or a FIN (RFC 9293 section 3.8.6.1). One less
    // than a window back: a keep-alive (RFC 9293 section 3.8.4). No acknowledgment of what nobody
    // has sent yet; none older than a window (RFC 5961 section 5).
    const uint32_t beyond = (sender.max_end + 1 - end) |
                            (end - (sender.end - receiver.max_window - 1)) | (receiver.end - ack) |
                            (ack - (max_ack - slack));
    return static_cast<int32_t>(beyond) >= 0;
}

/// What such a segment makes of them; `window` is scaled.
[[gnu::always_inline]] constexpr void learn_from(TcpSide& sender, TcpSide& receiver,
                                                 uint32_t& max_ack, uint32_t end, uint32_t ack,
                                                 uint32_t window) noexcept {
    raise(sender.end, end);
    if (window > sender.max_window) [[unlikely]]
        sender.max_window = window;
    raise(receiver.max_end, ack + window);
    raise(max_ack, ack);
}

inline bool fits_window(const Flow& f, unsigned side, const TcpSegment& segment) noexcept {
    const TcpSide& sender = f.tcp[side];
    // The first one must cover the SYN.
    const uint32_t slack = (f.tcp_flags[side] & kTcpAckSeen) != 0 ? ack_slack(sender) : 0;
    return lies_within(sender, f.tcp[side ^ 1], f.tcp_max_ack[side], slack, segment.end(),
                       segment.ack);
}

inline void learn_window(Flow& f, unsigned side, const TcpSegment& segment) noexcept {
    // Windows on SYNs are never scaled (RFC 7323 section 2.2).
    const uint32_t window = uint32_t{segment.window}
                            << (segment.has(kTcpSyn) ? 0 : f.window_scale[side]);
    learn_from(f.tcp[side], f.tcp[side ^ 1], f.tcp_max_ack[side], segment.end(), segment.ack,
               window);
    f.tcp_flags[side] = static_cast<uint8_t>(f.tcp_flags[side] | kTcpAckSeen);
}

/// Both, of data of an established connection, each side of which has acknowledged. False, and
/// nothing is changed: it does not fit. `window` as in the header.
[[gnu::always_inline]] inline bool track_data(Flow& f, unsigned side, uint32_t end, uint32_t ack,
                                              uint32_t window) noexcept {
    TcpSide &sender = f.tcp[side], &receiver = f.tcp[side ^ 1];
    uint32_t& max_ack = f.tcp_max_ack[side];
    if (!lies_within(sender, receiver, max_ack, ack_slack(sender), end, ack)) return false;
    learn_from(sender, receiver, max_ack, end, ack, window << f.window_scale[side]);
    return true;
}

}  // namespace ravelin
