// SPDX-License-Identifier: Apache-2.0
// Windows of a connection whose both initial sequence numbers are known: whether a segment lies
// within them, and what it makes of them. `side` is the sender's index into Flow's arrays.
#pragma once
#include "dataplane/tcp_tracker.h"

namespace ravelin {

/// `a` comes behind `b` in sequence space.
constexpr bool after(uint32_t a, uint32_t b) noexcept { return static_cast<int32_t>(a - b) > 0; }
constexpr void raise(uint32_t& to, uint32_t v) noexcept {
    if (after(v, to)) to = v;
}

inline bool fits_window(const Flow& f, unsigned side, const TcpSegment& segment) noexcept {
    // Old acknowledgments are accepted this far back even from a side with smaller windows: one
    // unscaled window, as acknowledgments may be overtaken on the way.
    constexpr uint32_t kMinAckSlack = 65535;
    const TcpSide &sender = f.tcp[side], &receiver = f.tcp[side ^ 1];
    // One more than granted: a zero-window probe or a FIN (RFC 9293 section 3.8.6.1). One less
    // than a window back: a keep-alive (RFC 9293 section 3.8.4).
    if (after(segment.end(), sender.max_end + 1) ||
        after(sender.end - receiver.max_window - 1, segment.end()))
        return false;
    if (after(segment.ack, receiver.end)) return false;  // nobody sent that yet
    // RFC 5961 section 5: not older than a window; the first one must cover the SYN.
    uint32_t slack = 0;
    if ((f.tcp_flags[side] & kTcpAckSeen) != 0)
        slack = sender.max_window > kMinAckSlack ? sender.max_window : kMinAckSlack;
    return !after(f.tcp_max_ack[side] - slack, segment.ack);
}

inline void learn_window(Flow& f, unsigned side, const TcpSegment& segment) noexcept {
    TcpSide& sender = f.tcp[side];
    // Windows on SYNs are never scaled (RFC 7323 section 2.2).
    const uint32_t window = uint32_t{segment.window}
                            << (segment.has(kTcpSyn) ? 0 : f.window_scale[side]);
    raise(sender.end, segment.end());
    if (window > sender.max_window) sender.max_window = window;
    raise(f.tcp[side ^ 1].max_end, segment.ack + window);
    raise(f.tcp_max_ack[side], segment.ack);
    f.tcp_flags[side] = static_cast<uint8_t>(f.tcp_flags[side] | kTcpAckSeen);
}

}  // namespace ravelin
