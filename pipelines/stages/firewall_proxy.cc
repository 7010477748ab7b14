// SPDX-License-Identifier: Apache-2.0
// The SYN proxy before a flow exists (RFC 4987): SYNs are answered with a cookie and forgotten; who
// brings one back is no forged source, gets a flow, and the server a SYN. Until the server answers
// the client is told of a window of 0, so that it has nothing to send that would have to be kept.
// What an ACK carries anyway is dropped; the client sends it again.
#include "dataplane/net/headers.h"
#include "pipelines/net/reply_frame.h"
#include "pipelines/stages/firewall_judge.h"

namespace ravelin::firewall {
namespace {

constexpr uint16_t kHeaders6 = 20;  // an IPv6 header more than an IPv4 one

// The options of the answer are among those of the SYN: an answer is never longer than what it
// answers, and nobody gains by forging one.
net::TcpOptions promised(const SynProxy& proxy, const net::TcpOptions& asked, bool v4) noexcept {
    net::TcpOptions o;
    if (asked.segment_size != 0)
        o.segment_size =
            v4 ? proxy.segment_size : static_cast<uint16_t>(proxy.segment_size - kHeaders6);
    if (asked.window_scale >= 0) o.window_scale = proxy.window_scale;
    o.sack_permitted = asked.sack_permitted && proxy.sack;
    o.timestamps = asked.timestamps && proxy.timestamps;
    o.ts_echo = asked.ts_value;
    return o;
}

uint32_t real_window(const TcpSegment& segment, int scale) noexcept {
    const uint32_t window = uint32_t{segment.window} << (scale > 0 ? scale : 0);
    return window != 0 ? window : 1;
}

}  // namespace

// The box has no server's side, and its kernel has cookies of its own.
bool Judge::proxiable(const PacketMeta& meta) const noexcept {
    return meta.out_port != kLocalPort && !meta.has(PacketMeta::kFromKernel);
}

// Nothing that a rule is bound to is taken for a SYN that is answered: it may be forged.
Outcome Judge::open_proxied(Subject& s, const Flow& start, const TcpSegment& syn) noexcept {
    if (!proxiable(*s.meta)) return open(s, start);
    const Rule& rule = decide(classifier_key(*s.meta, kStateNew), s.meta->ttl, Take::kNothing);
    if (rule.proxy == nullptr) return open(s, start);
    LimitTable* above = rule.proxy->above;
    if (above != nullptr) {
        const PacketMeta& m = *s.meta;
        const auto verdict =
            above->check(m.source, m.destination, m.l3_total, context_.now.ns, !context_.dry_run);
        if (verdict == LimitTable::Verdict::kWithin) return open(s, start);
    }
    return challenge(s, rule, syn);
}

Outcome Judge::challenge(Subject& s, const Rule& rule, const TcpSegment& syn) noexcept {
    const PacketMeta& m = *s.meta;
    credit(s, rule, kStateNew);
    const bool one_host = net::is_one_host(m.source) && net::is_one_host(m.destination) &&
                          !m.has(PacketMeta::kL2Multicast);
    if (!one_host) return Outcome::kProxyUnanswered;
    if (context_.dry_run) return Outcome::kAnswered;
    const SynProxy& proxy = rule.proxy->spec;
    const net::TcpOptions asked = net::read_tcp_options(s.packet, m);
    TcpDraft answer{.acknowledgement = syn.seq + 1, .flags = net::kSyn | net::kAck};
    answer.options = promised(proxy, asked, m.has(PacketMeta::kIpv4));
    const auto cookie =
        cookies_.make(s.key, s.swapped, syn.seq,
                      {asked.segment_size, asked.window_scale, answer.options.sack_permitted});
    answer.sequence = cookie.sequence;
    answer.options.ts_value = cookie.timestamp;
    rte_mbuf* frame = build_tcp(s.packet, m, ends_of_answer(m), answer, context_);
    if (frame == nullptr) return Outcome::kProxyUnanswered;
    context_.emit(frame, m.in_port);
    ++tally_.events[kCookies];
    return Outcome::kAnswered;
}

// The SYN's number is the one before; a keep-alive, or a probe of the closed window, repeats it
// (RFC 9293 section 3.8.4).
SynCookies::Verdict Judge::check_cookie(const Subject& s, const TcpSegment& segment, uint32_t& syn,
                                        SynOptions& options) const noexcept {
    using Verdict = SynCookies::Verdict;
    const uint32_t cookie = segment.ack - 1;
    syn = segment.seq - 1;
    const Verdict first = cookies_.check(s.key, s.swapped, syn, cookie, options);
    if (first != Verdict::kForged) return first;
    syn = segment.seq;
    return cookies_.check(s.key, s.swapped, syn, cookie, options);
}

// A segment that no flow has, or whose flow `old` is over. Nothing: it is for no server behind the
// proxy.
std::optional<Outcome> Judge::take_cookie(Subject& s, const TcpSegment& segment,
                                          Flow* old) noexcept {
    if (!proxiable(*s.meta) || segment.has(kTcpSyn | kTcpRst) || !segment.has(kTcpAck))
        return std::nullopt;
    // The rules are asked about the SYN that it stands for.
    PacketMeta as_syn = *s.meta;
    as_syn.tcp_flags = kTcpSyn;
    const RuleKey key = classifier_key(as_syn, kStateNew);
    if (decide(key, s.meta->ttl, Take::kNothing).proxy == nullptr) return std::nullopt;
    uint32_t syn = 0;
    SynOptions options;
    const auto verdict = s.meta->has(PacketMeta::kFragment)
                             ? SynCookies::Verdict::kForged
                             : check_cookie(s, segment, syn, options);
    if (verdict == SynCookies::Verdict::kForged) return orphan(s, Outcome::kProxyForged);
    if (verdict == SynCookies::Verdict::kExpired) return orphan(s, Outcome::kProxyExpired);
    const Rule& rule = decide(key, s.meta->ttl, Take::kFlow);
    if (rule.proxy == nullptr) return obey(s, rule, kStateNew);  // the last token went meanwhile
    if (old != nullptr) remove(*old);
    return begin_proxied(s, rule, segment, syn, options);
}

Outcome Judge::begin_proxied(Subject& s, const Rule& rule, const TcpSegment& segment, uint32_t syn,
                             const SynOptions& options) noexcept {
    Flow start{};
    start.key = s.key;
    const TcpSegment opening{.seq = syn,
                             .flags = kTcpSyn,
                             .wscale = options.window_scale,
                             .sack_permitted = options.sack};
    tcp_track(start, Direction::originator, opening);
    start.tcp[0].max_window = real_window(segment, options.window_scale);
    const SynProxy& promise = rule.proxy->spec;
    const net::TcpOptions sent = net::read_tcp_options(s.packet, *s.meta);
    FlowProxy proxy{.sequence = segment.ack - 1, .timestamp = sent.ts_echo};
    if (options.window_scale >= 0)
        proxy.announced_scale = static_cast<uint8_t>(promise.window_scale);
    if (sent.timestamps) proxy.flags = FlowProxy::kTimestamps;
    const Outcome outcome = create(s, rule, start, &proxy);
    if (outcome != Outcome::kPass) return outcome;
    ++tally_.events[kProxied];
    return send_syn(s, segment, syn, options);
}

// The client's packet goes on to the server as the SYN that it answers for. Its number is the
// client's own, so this direction's numbers need no shifting.
Outcome Judge::send_syn(Subject& s, const TcpSegment& segment, uint32_t syn,
                        const SynOptions& options) noexcept {
    const net::TcpOptions sent = net::read_tcp_options(s.packet, *s.meta);
    TcpDraft draft{.sequence = syn, .flags = net::kSyn};
    draft.window =
        static_cast<uint16_t>(std::min(real_window(segment, options.window_scale), 0xffffu));
    draft.options.segment_size = options.segment_size;
    draft.options.window_scale = options.window_scale;
    draft.options.sack_permitted = options.sack;
    draft.options.timestamps = sent.timestamps;
    draft.options.ts_value = sent.ts_value;
    return replace(s, draft) ? Outcome::kPass : Outcome::kProxyUnanswered;
}

bool Judge::replace(Subject& s, const TcpDraft& draft) noexcept {
    if (context_.dry_run) return true;
    rte_mbuf* frame = with_tcp(s.packet, *s.meta, draft, context_.pool);
    if (frame == nullptr) return false;
    rte_pktmbuf_free(s.packet.frame());
    s.packet = Packet(frame);
    return true;
}

}  // namespace ravelin::firewall
