// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tcp_tracker.h"

#include "dataplane/tcp_window.h"

namespace ravelin {
namespace {

constexpr bool within(uint32_t low, uint32_t v, uint32_t high) noexcept {
    return v - low <= high - low;
}
constexpr uint32_t at_least_one(uint32_t v) noexcept { return v != 0 ? v : 1; }

// Null, xmas and the contradictory ones. RFC 9293 has an ACK on everything but SYN and RST.
bool valid_flags(const TcpSegment& s) noexcept {
    const unsigned what = s.flags & unsigned{kTcpSyn | kTcpFin | kTcpRst | kTcpAck};
    switch (what) {
        case kTcpSyn:
        case kTcpSyn | kTcpAck:
        case kTcpRst:
        case kTcpRst | kTcpAck:
        case kTcpFin | kTcpAck:
        case kTcpAck:
            return true;
        default:
            return false;
    }
}

// One segment against one flow; s and r index the sender's and the receiver's side.
class Tracker {
  public:
    Tracker(Flow& flow, Direction d, const TcpSegment& segment, TcpWindow window) noexcept
        : f_(flow),
          seg_(segment),
          window_(window),
          s_(static_cast<uint8_t>(d)),
          r_(static_cast<uint8_t>(reverse(d))) {}

    TcpVerdict run() noexcept {
        if (!valid_flags(seg_)) return TcpVerdict::invalid_flags;
        switch (f_.state) {
            case FlowState::none:
                return open();
            case FlowState::tcp_syn_sent:
                return s_ == 0 ? client_before_answer() : answer();
            case FlowState::tcp_closed:
                return after_reset();
            default:
                return synchronized();
        }
    }

  private:
    [[nodiscard]] bool seen(unsigned side, uint8_t flag) const noexcept {
        return (f_.tcp_flags[side] & flag) != 0;
    }
    void set(unsigned side, uint8_t flag) noexcept {
        f_.tcp_flags[side] = static_cast<uint8_t>(f_.tcp_flags[side] | flag);
    }
    [[nodiscard]] bool unchecked() const noexcept { return window_ == TcpWindow::off; }
    [[nodiscard]] bool plain_syn() const noexcept {
        return seg_.has(kTcpSyn) && !seg_.has(kTcpAck);
    }
    // The originator's initial sequence number lies less than 64 KiB (a SYN's data) below `end`.
    [[nodiscard]] bool same_syn() const noexcept {
        return static_cast<uint16_t>(seg_.seq) == f_.syn_tag &&
               f_.tcp[0].end - 1 - seg_.seq <= 0xffff;
    }

    void take_syn_options() noexcept {
        set(s_, kTcpSynSeen);
        if (seg_.sack_permitted) set(s_, kTcpSackOffered);
        if (seg_.wscale < 0) return;
        set(s_, kTcpScaleOffered);
        const auto shift = static_cast<uint8_t>(seg_.wscale);
        f_.window_scale[s_] = shift < kMaxWindowScale ? shift : kMaxWindowScale;
    }

    TcpVerdict open() noexcept {
        if (!plain_syn() || s_ != 0) return TcpVerdict::invalid_state;
        f_.tcp_flags = {};
        f_.window_scale = {};
        f_.tcp = {};
        f_.tcp[0] = {seg_.end(), seg_.end(), at_least_one(seg_.window), 0};
        f_.syn_tag = static_cast<uint16_t>(seg_.seq);
        take_syn_options();
        f_.state = FlowState::tcp_syn_sent;
        return TcpVerdict::new_ok;
    }

    TcpVerdict client_before_answer() noexcept {
        if (plain_syn()) {
            if (!same_syn()) return open();  // the application tried again from the same port
            raise(f_.tcp[0].end, seg_.end());
            if (seg_.window > f_.tcp[0].max_window) f_.tcp[0].max_window = seg_.window;
            take_syn_options();
            return TcpVerdict::syn_retransmit;
        }
        if (!seg_.has(kTcpRst)) return TcpVerdict::invalid_state;
        // Half-open: the reset that answers the other end's plain ACK (see answer()).
        if (seen(1, kTcpChallenged) && seg_.seq == f_.tcp[1].max_ack) return TcpVerdict::ok;
        return seg_.seq == f_.tcp[0].end || unchecked() ? reset() : TcpVerdict::out_of_window;
    }

    // The responder's first word.
    TcpVerdict answer() noexcept {
        const uint32_t first = f_.tcp[0].end - (f_.tcp[0].end - f_.syn_tag - 1) % 0x10000u;
        const bool acks_syn =
            seg_.has(kTcpAck) && (within(first, seg_.ack, f_.tcp[0].end) || unchecked());
        if (seg_.has(kTcpRst)) return acks_syn ? reset() : TcpVerdict::out_of_window;
        if (!seg_.has(kTcpSyn)) {
            // The responder holds an older connection on these ports and says where it stands; the
            // originator's reset to that number must get through.
            set(1, kTcpChallenged);
            f_.tcp[1].max_ack = seg_.ack;
            return TcpVerdict::challenge_ack;
        }
        if (seg_.has(kTcpAck) && !acks_syn) return TcpVerdict::out_of_window;
        TcpSide& client = f_.tcp[0];
        client.max_end = client.end + seg_.window;
        if (seg_.has(kTcpAck)) client.max_end = seg_.ack + seg_.window;
        raise(client.max_end, client.end);
        client.max_ack = seg_.seq + 1;
        f_.tcp[1] = {seg_.end(), seg_.end() + client.max_window, at_least_one(seg_.window),
                     seg_.has(kTcpAck) ? seg_.ack : first};
        take_syn_options();
        // RFC 7323 section 2.2: scaling only if both SYNs offer it.
        if (!seen(0, kTcpScaleOffered) || !seen(1, kTcpScaleOffered)) f_.window_scale = {};
        if (seg_.has(kTcpAck)) set(1, kTcpAckSeen);
        f_.state = FlowState::tcp_syn_received;
        return TcpVerdict::ok;
    }

    TcpVerdict reset() noexcept {
        f_.flags = static_cast<uint8_t>(f_.flags | kFlowClosing);
        f_.state = FlowState::tcp_closed;
        return TcpVerdict::ok;
    }

    // Both initial sequence numbers are known.
    TcpVerdict synchronized() noexcept {
        if (seg_.has(kTcpRst)) return judge_reset();
        if (plain_syn()) return later_syn();
        if (!fits() && window_ == TcpWindow::strict) return TcpVerdict::out_of_window;
        learn_window(f_, s_, seg_);
        advance();
        return TcpVerdict::ok;
    }

    [[nodiscard]] bool fits() const noexcept { return fits_window(f_, s_, seg_); }

    void advance() noexcept {
        if (f_.state == FlowState::tcp_established && !seg_.has(kTcpFin)) return;
        if (seg_.has(kTcpFin)) {
            set(s_, kTcpFinSeen);
            f_.flags = static_cast<uint8_t>(f_.flags | kFlowClosing);
        }
        if (seen(r_, kTcpFinSeen) && seg_.ack == f_.tcp[r_].end) set(r_, kTcpFinAcked);
        const unsigned fins = (seen(0, kTcpFinSeen) ? 1u : 0u) + (seen(1, kTcpFinSeen) ? 1u : 0u);
        const unsigned acked =
            (seen(0, kTcpFinAcked) ? 1u : 0u) + (seen(1, kTcpFinAcked) ? 1u : 0u);
        if (fins == 0) {
            const bool both = seen(0, kTcpAckSeen) && seen(1, kTcpAckSeen);
            f_.state = both ? FlowState::tcp_established : FlowState::tcp_syn_received;
        } else if (fins == 1) {
            f_.state = acked == 0 ? FlowState::tcp_fin_wait : FlowState::tcp_close_wait;
        } else {
            f_.state = acked == 2 ? FlowState::tcp_time_wait : FlowState::tcp_last_ack;
        }
    }

    // RFC 5961 section 3.2: a reset counts only at exactly the number the receiver awaits; which
    // we know as its last acknowledgment, or the sender's last byte if nothing was lost. Others in
    // the window pass and provoke a challenge ACK.
    TcpVerdict judge_reset() noexcept {
        const TcpSide& sender = f_.tcp[s_];
        const bool exact =
            seg_.seq == sender.end || (seen(r_, kTcpAckSeen) && seg_.seq == f_.tcp[r_].max_ack);
        // RFC 1337: a reset must not cut TIME-WAIT short.
        if (exact || unchecked())
            return f_.state == FlowState::tcp_time_wait ? TcpVerdict::ok : reset();
        const uint32_t low = sender.end - f_.tcp[r_].max_window - 1;
        return within(low, seg_.seq, sender.max_end) ? TcpVerdict::challenge_ack
                                                     : TcpVerdict::out_of_window;
    }

    // A SYN without ACK on a connection whose ends have both spoken.
    TcpVerdict later_syn() noexcept {
        // Whether its number must be higher is for the end to say, which may go by timestamps (RFC
        // 6191); should it refuse, its plain ACK passes as the answer to the new SYN.
        if (f_.state == FlowState::tcp_time_wait) return TcpVerdict::reuse;
        const bool repeated = s_ == 0 ? same_syn() : seg_.end() == f_.tcp[1].end;
        if (f_.state == FlowState::tcp_syn_received && repeated) return TcpVerdict::syn_retransmit;
        // RFC 5961 section 4: the end answers with a challenge ACK, whatever the number; if the
        // sender really restarted, its exact reset to that clears the flow.
        return TcpVerdict::challenge_ack;
    }

    // What was on the way when the reset passed, and the next connection.
    TcpVerdict after_reset() noexcept {
        if (plain_syn()) return TcpVerdict::reuse;
        if (!seen(1, kTcpSynSeen)) {
            const bool again = s_ == 1 && seg_.has(kTcpRst) && seg_.has(kTcpAck) &&
                               f_.tcp[0].end - seg_.ack <= 0xffff;
            return again ? TcpVerdict::ok : TcpVerdict::invalid_state;
        }
        const TcpSide& sender = f_.tcp[s_];
        const uint32_t low = sender.end - f_.tcp[r_].max_window - 1;
        const bool passes = seg_.has(kTcpRst) ? within(low, seg_.seq, sender.max_end) || unchecked()
                                              : fits() || window_ != TcpWindow::strict;
        return passes ? TcpVerdict::ok : TcpVerdict::out_of_window;
    }

    Flow& f_;
    const TcpSegment& seg_;
    TcpWindow window_;
    unsigned s_;
    unsigned r_;
};

}  // namespace

TcpVerdict tcp_track(Flow& flow, Direction direction, const TcpSegment& segment,
                     TcpWindow window) noexcept {
    return Tracker(flow, direction, segment, window).run();
}

}  // namespace ravelin
