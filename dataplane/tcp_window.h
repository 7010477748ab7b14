// SPDX-License-Identifier: Apache-2.0
// Windows of a connection whose both initial sequence numbers are known: whether a segment lies
// within them, and what it makes of them. `side` is the sender's index into Flow's arrays.
#pragma once
#include "dataplane/lanes.h"
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

/// Of a segment that ends before `end` and acknowledges `ack`; `slack` bytes behind the sender's
/// max_ack are good.
[[gnu::always_inline]] constexpr bool lies_within(const TcpSide& sender, const TcpSide& receiver,
                                                  uint32_t slack, uint32_t end,
                                                  uint32_t ack) noexcept {
    // What is not behind its bound is no negative number; all at once, as all are nearly always so.
    // One more than granted: a zero-window probe or a FIN (RFC 9293 section 3.8.6.1). One less
    // than a window back: a keep-alive (RFC 9293 section 3.8.4). No acknowledgment of what nobody
    // has sent yet; none older than a window (RFC 5961 section 5).
    const uint32_t beyond = (sender.max_end + 1 - end) |
                            (end - (sender.end - receiver.max_window - 1)) | (receiver.end - ack) |
                            (ack - (sender.max_ack - slack));
    return static_cast<int32_t>(beyond) >= 0;
}

/// What such a segment makes of them; `window` is scaled.
[[gnu::always_inline]] constexpr void learn_from(TcpSide& sender, TcpSide& receiver, uint32_t end,
                                                 uint32_t ack, uint32_t window) noexcept {
    raise(sender.end, end);
    if (window > sender.max_window) [[unlikely]]
        sender.max_window = window;
    raise(receiver.max_end, ack + window);
    raise(sender.max_ack, ack);
}

inline bool fits_window(const Flow& f, unsigned side, const TcpSegment& segment) noexcept {
    const TcpSide& sender = f.tcp[side];
    // The first one must cover the SYN.
    const uint32_t slack = (f.tcp_flags[side] & kTcpAckSeen) != 0 ? ack_slack(sender) : 0;
    return lies_within(sender, f.tcp[side ^ 1], slack, segment.end(), segment.ack);
}

inline void learn_window(Flow& f, unsigned side, const TcpSegment& segment) noexcept {
    // Windows on SYNs are never scaled (RFC 7323 section 2.2).
    const uint32_t window = uint32_t{segment.window}
                            << (segment.has(kTcpSyn) ? 0 : f.window_scale[side]);
    learn_from(f.tcp[side], f.tcp[side ^ 1], segment.end(), segment.ack, window);
    f.tcp_flags[side] = static_cast<uint8_t>(f.tcp_flags[side] | kTcpAckSeen);
}

/// Both, of data of an established connection, each side of which has acknowledged. False, and
/// nothing is changed: it does not fit.
[[gnu::always_inline]] inline bool track_data_plain(Flow& f, unsigned side,
                                                    const TcpAdvance& segment) noexcept {
    TcpSide &sender = f.tcp[side], &receiver = f.tcp[side ^ 1];
    const uint32_t end = segment.end, ack = segment.acknowledgement;
    if (!lies_within(sender, receiver, ack_slack(sender), end, ack)) return false;
    learn_from(sender, receiver, end, ack, segment.window << f.window_scale[side]);
    return true;
}

#ifdef RAVELIN_LANES
/// The same by vectors of eight, the sender's TcpSide and the receiver's behind it: what the
/// segment says, less what is known, must lie within bounds, and where it is more it is what is
/// known next (tests/unit/tcp_tracker_test.cc).
[[gnu::always_inline]] inline bool track_data(Flow& f, unsigned side,
                                              const TcpAdvance& segment) noexcept {
    constexpr int kAll = -1, kBounds = 0b00011011;  // the lanes that lies_within() judges
    alignas(32) static constexpr uint64_t kOrder[2][4] = {{0, 1, 2, 3}, {2, 3, 0, 1}};
    auto* const at = reinterpret_cast<__m256i*>(&f.tcp);
    const __m256i order = _mm256_load_si256(reinterpret_cast<const __m256i*>(kOrder[side]));
    const __m256i known = _mm256_permutexvar_epi64(order, _mm256_load_si256(at));
    // End, end, window, acknowledgment; acknowledgment, that and window.
    const __m256i row =
        _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(&segment)));
    const __m256i scale =
        _mm256_and_si256(_mm256_set1_epi8(static_cast<char>(f.window_scale[side])),
                         _mm256_setr_epi32(0, 0, 0xff, 0, 0, 0xff, 0, 0));
    const __m256i said = _mm256_add_epi32(
        _mm256_sllv_epi32(
            _mm256_permutevar8x32_epi32(row, _mm256_setr_epi32(0, 0, 2, 1, 1, 2, 3, 3)), scale),
        _mm256_shuffle_epi8(
            row, _mm256_setr_epi32(kAll, kAll, kAll, kAll, kAll, 0x07060504, kAll, kAll)));
    const __m256i more = _mm256_sub_epi32(said, known);
    // How far it may be behind, or, where it is turned round, before: lies_within(), ack_slack().
    const __m256i windows = _mm256_and_si256(
        _mm256_permutevar8x32_epi32(known, _mm256_setr_epi32(6, 0, 0, 2, 0, 0, 0, 0)),
        _mm256_setr_epi32(kAll, 0, 0, kAll, 0, 0, 0, 0));
    const __m256i slack =
        _mm256_add_epi32(_mm256_max_epu32(windows, _mm256_setr_epi32(0, 0, 0, 65535, 0, 0, 0, 0)),
                         _mm256_setr_epi32(1, 1, 0, 0, 0, 0, 0, 0));
    const __m256i way = _mm256_sign_epi32(more, _mm256_setr_epi32(1, -1, 0, 1, -1, 0, 0, 0));
    const int beyond = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_add_epi32(way, slack)));
    if ((beyond & kBounds) != 0) return false;
    const __m256i raised = _mm256_and_si256(_mm256_max_epi32(more, _mm256_setzero_si256()),
                                            _mm256_setr_epi32(kAll, 0, kAll, kAll, 0, kAll, 0, 0));
    _mm256_store_si256(at, _mm256_permutexvar_epi64(order, _mm256_add_epi32(known, raised)));
    return true;
}
#else
inline bool track_data(Flow& f, unsigned side, const TcpAdvance& segment) noexcept {
    return track_data_plain(f, side, segment);
}
#endif

}  // namespace ravelin
