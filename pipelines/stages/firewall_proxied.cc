// SPDX-License-Identifier: Apache-2.0
// Packets of flows that the SYN proxy has opened. The client's connection began with the cookie,
// the server's with a number of its own; so what either says about the server's numbers is shifted
// by the difference: sequence, acknowledgment, SACK blocks, timestamps, and the scale of windows.
// The flow has the client's view: a server's segment is shifted before it is tracked, a client's
// after.
#include <algorithm>

#include "dataplane/net/headers.h"
#include "pipelines/stages/firewall_judge.h"

namespace ravelin::firewall {
namespace {

constexpr uint32_t kOldest = 0xffff;  // an acknowledgment of the flow is this old at most

bool plain_syn(const TcpSegment& segment) noexcept {
    return segment.has(kTcpSyn) && !segment.has(kTcpAck);
}
bool finished(const Flow& flow) noexcept {
    return flow.state == FlowState::tcp_time_wait || flow.state == FlowState::tcp_closed;
}
// Whether a segment of the client acknowledges what this connection's server has sent.
bool belongs(const Flow& flow, const TcpSegment& segment) noexcept {
    const uint32_t most = std::max(flow.tcp[0].max_window, kOldest);
    return flow.tcp[1].end - segment.ack <= most;
}

bool offered(const Flow& flow, TcpSideFlag what) noexcept {
    return (flow.tcp_flags[0] & what) != 0;
}
// A number of bytes as a window field says it.
uint16_t unscaled(uint32_t bytes, uint8_t scale) noexcept {
    return static_cast<uint16_t>(std::min(bytes >> scale, 0xffffu));
}

// From the promise to what the server's SYN-ACK says; false: they differ.
bool settle(const Flow& flow, FlowProxy& proxy, uint32_t sequence,
            const net::TcpOptions& sent) noexcept {
    const bool scale = offered(flow, kTcpScaleOffered), sack = offered(flow, kTcpSackOffered);
    const bool timed = (proxy.flags & FlowProxy::kTimestamps) != 0;
    proxy.sequence -= sequence;
    proxy.timestamp = sent.timestamps ? proxy.timestamp - sent.ts_value : 0;
    // RFC 7323 section 2.2: scaling only if both SYNs offer it.
    if (scale && sent.window_scale >= 0) {
        proxy.responder_scale = static_cast<uint8_t>(sent.window_scale);
        proxy.originator_scale = flow.window_scale[0];
    }
    if (sack && !sent.sack_permitted) proxy.flags |= FlowProxy::kNoSack;
    return (!scale || int{sent.window_scale} == int{proxy.announced_scale}) &&
           (!sack || sent.sack_permitted) && (!timed || sent.timestamps);
}

}  // namespace

Outcome Judge::track_proxied(Subject& s, Flow& flow, Direction d) noexcept {
    TcpSegment segment;
    if (!read_segment(s.packet, *s.meta, segment)) return invalid(s, Outcome::kTcpFlags);
    const bool waits = flow.state == FlowState::tcp_syn_sent;
    const bool client = d == Direction::originator;
    if (client && plain_syn(segment) && (waits || finished(flow)))
        return challenge_again(s, flow, segment);
    if (waits) return client ? client_waits(s, flow, segment) : server_answers(s, flow, segment);
    // The end's challenge ACK will say where it stands; from the server: a connection of its own.
    if (plain_syn(segment)) return follow(s, flow, d, segment);
    return client ? from_client(s, flow, segment) : from_server(s, flow, segment);
}

// Another connection on these ports is not believed until its cookie comes back, so the flow stays.
Outcome Judge::challenge_again(Subject& s, Flow& flow, const TcpSegment& syn) noexcept {
    const Rule& rule = decide(classifier_key(*s.meta, kStateNew), s.meta->ttl, Take::kNothing);
    if (rule.proxy != nullptr && proxiable(*s.meta)) return challenge(s, rule, syn);
    return afresh(s, flow);
}

// The server has not answered yet. A client that speaks again gets the SYN sent again: it or its
// answer may have been lost.
Outcome Judge::client_waits(Subject& s, Flow& flow, const TcpSegment& segment) noexcept {
    if (segment.has(kTcpRst)) return follow(s, flow, Direction::originator, segment);
    if (!segment.has(kTcpAck) || segment.ack != s.proxy->sequence + 1) {
        const auto outcome = take_cookie(s, segment, &flow);
        return outcome ? *outcome : invalid(s, Outcome::kTcpState);
    }
    uint32_t syn = 0;
    SynOptions options;
    // Also with a cookie that has expired meanwhile: the flow is its proof.
    if (s.meta->has(PacketMeta::kFragment) ||
        check_cookie(s, segment, syn, options) == SynCookies::Verdict::kForged)
        return invalid(s, Outcome::kTcpState);
    const Outcome outcome = accept_known(s, flow, Direction::originator);
    return outcome == Outcome::kPass ? send_syn(s, segment, syn, options) : outcome;
}

Outcome Judge::server_answers(Subject& s, Flow& flow, const TcpSegment& segment) noexcept {
    const uint32_t cookie = s.proxy->sequence;
    if (segment.has(kTcpSyn)) return server_accepts(s, flow, segment);
    if (segment.has(kTcpRst)) {  // refused: the client has heard of an open connection
        TcpSegment refusal = segment;
        refusal.seq = cookie + 1;
        const Outcome outcome = follow(s, flow, Direction::responder, refusal);
        if (outcome != Outcome::kPass || context_.dry_run) return outcome;
        s.proxy->sequence = refusal.seq - segment.seq;
        shift_tcp(s.packet, *s.meta, {.sequence = s.proxy->sequence});
        return outcome;
    }
    // It holds an older connection on these ports and says where it stands. The client cannot
    // answer for that, so the proxy resets it (RFC 9293 section 3.5.1); the next SYN gets through.
    if (context_.dry_run) return Outcome::kAnswered;
    const TcpDraft reset{.sequence = segment.ack, .flags = net::kRst};
    rte_mbuf* frame = build_tcp(s.packet, *s.meta, ends_of_answer(*s.meta), reset, context_);
    if (frame == nullptr) return Outcome::kProxyUnanswered;
    context_.emit(frame, s.meta->in_port);
    return Outcome::kAnswered;
}

// SYN-ACK: the difference is known from here on. The server gets the ACK that the client has sent
// long ago, and the client the server's window.
Outcome Judge::server_accepts(Subject& s, Flow& flow, const TcpSegment& segment) noexcept {
    if (!segment.has(kTcpAck) || s.meta->has(PacketMeta::kFragment))
        return invalid(s, Outcome::kTcpState);
    const net::TcpOptions sent = net::read_tcp_options(s.packet, *s.meta);
    const FlowProxy before = *s.proxy;
    const uint32_t cookie = before.sequence;
    TcpSegment promised = segment;
    promised.seq = cookie;
    if (!offered(flow, kTcpScaleOffered))
        promised.wscale = -1;
    else
        promised.wscale = static_cast<int8_t>(before.announced_scale);
    const Outcome outcome = follow(s, flow, Direction::responder, promised);
    if (outcome != Outcome::kPass) return outcome;
    const TcpSegment ack{.seq = segment.ack,
                         .ack = cookie + 1,
                         .window = unscaled(flow.tcp[0].max_window, flow.window_scale[0]),
                         .flags = kTcpAck};
    tcp_track(flow, Direction::originator, ack);
    if (context_.dry_run) return outcome;
    if (earned_proof(flow)) flows_.prove(flow);
    flows_.touch(flow, context_.now.ms, policy_.timeouts.of(flow));
    tally_.events[kProxyMismatch] += settle(flow, *s.proxy, segment.seq, sent) ? 0 : 1;
    if (!acknowledge(s, flow, sent)) return Outcome::kProxyUnanswered;
    TcpDraft open{.sequence = cookie + 1, .acknowledgement = segment.ack, .flags = net::kAck};
    open.window = unscaled(segment.window, before.announced_scale);
    open.options.timestamps = (before.flags & FlowProxy::kTimestamps) != 0;
    open.options.ts_value = before.timestamp;
    open.options.ts_echo = sent.ts_echo;
    return replace(s, open) ? outcome : Outcome::kProxyUnanswered;
}

// Tells the server what the client has acknowledged, of a handshake that is complete on the
// client's side. `sent`: the options of the server's SYN-ACK.
bool Judge::acknowledge(const Subject& s, const Flow& flow,
                        const net::TcpOptions& sent) const noexcept {
    TcpDraft ack{.sequence = flow.tcp[0].end, .flags = net::kAck};
    ack.acknowledgement = flow.tcp[0].max_ack - s.proxy->sequence;
    ack.window = unscaled(flow.tcp[0].max_window, s.proxy->originator_scale);
    ack.options.timestamps = sent.timestamps && (s.proxy->flags & FlowProxy::kTimestamps) != 0;
    ack.options.ts_value = sent.ts_echo;
    ack.options.ts_echo = sent.ts_value;
    rte_mbuf* frame = build_tcp(s.packet, *s.meta, ends_of_answer(*s.meta), ack, context_);
    if (frame != nullptr) context_.emit(frame, s.meta->in_port);
    return frame != nullptr;
}

Outcome Judge::from_client(Subject& s, Flow& flow, const TcpSegment& segment) noexcept {
    const FlowProxy& p = *s.proxy;
    if (finished(flow) && !belongs(flow, segment))
        if (const auto outcome = take_cookie(s, segment, &flow)) return *outcome;
    const uint8_t scale = flow.window_scale[0];
    const Outcome outcome = follow(s, flow, Direction::originator, segment);
    if (outcome != Outcome::kPass || context_.dry_run) return outcome;
    shift_tcp(s.packet, *s.meta,
              {.acknowledgement = 0 - p.sequence,
               .ts_echo = 0 - p.timestamp,
               .window_from = scale,
               .window_to = p.originator_scale,
               .hide_sack = (p.flags & FlowProxy::kNoSack) != 0});
    return outcome;
}

Outcome Judge::from_server(Subject& s, Flow& flow, const TcpSegment& segment) noexcept {
    const FlowProxy& p = *s.proxy;
    TcpSegment shifted = segment;
    shifted.seq += p.sequence;
    const bool syn = segment.has(kTcpSyn);
    if (!syn) shifted.window = rescaled(segment.window, p.responder_scale, p.announced_scale);
    const Outcome outcome = follow(s, flow, Direction::responder, shifted);
    if (outcome != Outcome::kPass || context_.dry_run) return outcome;
    // A SYN-ACK again: the ACK was lost. The client would not know what to make of it.
    if (syn) {
        const auto options = net::read_tcp_options(s.packet, *s.meta);
        return acknowledge(s, flow, options) ? Outcome::kAnswered : Outcome::kProxyUnanswered;
    }
    shift_tcp(s.packet, *s.meta,
              {.sequence = p.sequence,
               .ts_value = p.timestamp,
               .window_from = p.responder_scale,
               .window_to = p.announced_scale});
    s.meta->flags |= PacketMeta::kSequenceTranslated;
    return outcome;
}

// An error quotes a packet as its sender's side of the box saw it, and goes to the other side: a
// server's packet back to the server, a client's to the client.
void Judge::shift_quote(Subject& s, const Quoted& quoted, Direction d) noexcept {
    if (context_.dry_run || quoted.protocol != net::kTcp) return;
    const uint32_t by = s.proxy->sequence;
    if (d == Direction::originator)
        shift_quoted_tcp(s.packet, *s.meta, quoted.l4_offset, 0, by);
    else
        shift_quoted_tcp(s.packet, *s.meta, quoted.l4_offset, 0 - by, 0);
}

}  // namespace ravelin::firewall
