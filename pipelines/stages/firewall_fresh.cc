// SPDX-License-Identifier: Apache-2.0
// Packets that no flow has: what may open one, what may only belong to one, and what has none.
#include <algorithm>

#include "dataplane/net/headers.h"
#include "pipelines/stages/firewall_judge.h"

namespace ravelin::firewall {
namespace {

constexpr uint8_t kEchoRequest4 = 8, kEchoRequest6 = 128;
constexpr unsigned kGuessedScale = 14;  // the largest (RFC 7323 section 2.3): unknown in mid-stream
constexpr uint32_t kLeastWindow = 0xffff;

bool has_ports(uint8_t protocol) noexcept {
    return protocol == net::kTcp || protocol == net::kUdp || protocol == net::kSctp ||
           protocol == net::kIcmp || protocol == net::kIcmpv6;
}

// RFC 792, RFC 4443 section 2.1. One without PacketMeta::kIcmpError quotes too little to be
// checked.
bool is_error(const PacketMeta& m) noexcept {
    if (m.protocol == net::kIcmpv6) return m.icmp_type < 128;
    return (m.icmp_type >= 3 && m.icmp_type <= 5) || m.icmp_type == 11 || m.icmp_type == 12;
}

// A connection from one segment in its middle. The other side's numbers are known by what this one
// acknowledges; scales are unknown, so windows start at the largest they can be.
void pick_up(Flow& flow, const TcpSegment& segment) noexcept {
    const uint32_t window = std::max(uint32_t{segment.window} << kGuessedScale, kLeastWindow);
    flow.tcp[0] = {segment.end(), segment.end() + window, window, segment.ack};
    flow.tcp[1] = {segment.ack + window, segment.ack + window, window, segment.seq - window};
    flow.window_scale = {kGuessedScale, kGuessedScale};
    flow.tcp_flags = {kTcpSynSeen | kTcpAckSeen, kTcpSynSeen};
    flow.state = FlowState::tcp_syn_received;
}

// What tracking its first packet has made of a flow that was not in the table yet.
void begin_as(Flow& flow, const Flow& start) noexcept {
    flow.tcp = start.tcp;
    flow.window_scale = start.window_scale;
    flow.tcp_flags = start.tcp_flags;
    flow.syn_tag = start.syn_tag;
    flow.state = start.state;
}

}  // namespace

Outcome Judge::fresh(Subject& s) noexcept {
    const PacketMeta& m = *s.meta;
    if (m.has(PacketMeta::kLaterFragment) && has_ports(m.protocol)) return fresh_fragment(s);
    const bool icmp = m.protocol == net::kIcmp || m.protocol == net::kIcmpv6;
    if (m.protocol == net::kTcp) return fresh_tcp(s);
    if (icmp && m.has(PacketMeta::kEcho)) {
        const bool request =
            m.icmp_type == (m.protocol == net::kIcmp ? kEchoRequest4 : kEchoRequest6);
        return request ? open_datagram(s) : orphan(s, Outcome::kIcmpNoFlow);
    }
    if (icmp && is_error(m)) return orphan(s, Outcome::kIcmpUnrelated);
    if (!icmp && m.protocol != net::kIgmp) return open_datagram(s);
    // Nothing ever answers the rest of ICMP and IGMP in a way that a flow could foresee.
    return obey(s, decide(classifier_key(m, kStateUntracked), m.ttl), kStateUntracked);
}

// Its first fragment has opened the flow if one may be; this one cannot.
Outcome Judge::fresh_fragment(Subject& s) noexcept {
    const bool ports = s.meta->has(PacketMeta::kPorts | PacketMeta::kEcho);
    return ports ? orphan(s, Outcome::kFragment) : invalid(s, Outcome::kFragment);
}

Outcome Judge::fresh_tcp(Subject& s) noexcept {
    TcpSegment segment;
    if (!read_segment(s.packet, *s.meta, segment)) return invalid(s, Outcome::kTcpFlags);
    Flow start{};
    start.key = s.key;
    switch (tcp_track(start, Direction::originator, segment)) {
        case TcpVerdict::new_ok:
            return policy_.proxies() ? open_proxied(s, start, segment) : open(s, start);
        case TcpVerdict::invalid_flags:
            return invalid(s, Outcome::kTcpFlags);
        default:
            return mid_stream(s, segment);
    }
}

Outcome Judge::mid_stream(Subject& s, const TcpSegment& segment) noexcept {
    if (policy_.proxies())
        if (const auto outcome = take_cookie(s, segment, nullptr)) return *outcome;
    const bool plain = (segment.flags & (kTcpSyn | kTcpFin | kTcpRst | kTcpAck)) == kTcpAck;
    const bool pickup = policy_.pickup || s.meta->has(PacketMeta::kFromKernel);
    if (!pickup || !plain) return orphan(s, Outcome::kTcpNoFlow);
    const RuleKey key = classifier_key(*s.meta, kStateNew);
    const auto opens = [](const Rule& r) { return r.action == Action::kAccept && r.stateful; };
    if (!opens(decide(key, s.meta->ttl, Take::kNothing))) return orphan(s, Outcome::kTcpNoFlow);
    const Rule& rule = decide(key, s.meta->ttl, Take::kFlow);
    if (!opens(rule)) return orphan(s, Outcome::kTcpNoFlow);  // the last token went meanwhile
    Flow start{};
    start.key = s.key;
    pick_up(start, segment);
    const Outcome outcome = create(s, rule, start);
    if (outcome == Outcome::kPass) ++tally_.events[kPickedUp];
    return outcome;
}

Outcome Judge::open_datagram(Subject& s) noexcept {
    Flow start{};
    start.key = s.key;
    datagram_track(start, Direction::originator);
    return open(s, start);
}

Outcome Judge::open(Subject& s, const Flow& start) noexcept {
    RuleKey key = classifier_key(*s.meta, kStateNew);
    key.first = s.first;
    const Rule& rule = decide(key, s.meta->ttl, Take::kFlow);
    if (rule.action == Action::kAccept && rule.stateful) return create(s, rule, start);
    return obey(s, rule, kStateNew);
}

// The table evicts an unproven flow for a new one; where all are proven, the new one has to wait.
Outcome Judge::create(Subject& s, const Rule& rule, const Flow& start,
                      const FlowProxy* proxy) noexcept {
    FlowTranslation translation;
    Outcome refused = translate(s, translation);
    charged_ = false;
    if (classes_ != nullptr && refused == Outcome::kPass) refused = admit_principal(s, rule);
    refused = admit(s, rule, refused, proxy != nullptr);
    Flow* flow = nullptr;
    if (refused == Outcome::kPass && !context_.dry_run) {
        flow = flows_.insert(s.key, s.hash, context_.now.ms);
        changed_ = true;
    }
    if (refused == Outcome::kPass && (context_.dry_run ? !room() : flow == nullptr))
        refused = Outcome::kFlowTableFull;
    if (refused != Outcome::kPass) {
        withdraw(s, rule);
        credit(s, rule, kStateNew);
        if (rule.log) log(s, refused);
        return refused;
    }
    s.created = true;
    s.meta->nat_source = translation.source;
    s.meta->nat_source_port = translation.source_port;
    const Outcome outcome = obey(s, rule, kStateNew);
    if (flow == nullptr) return outcome;
    if (s.swapped) flow->flags = static_cast<uint8_t>(flow->flags | kFlowOriginatorSecond);
    if (translation != FlowTranslation{}) {
        flows_.translate(*flow, translation);
        count_translated(s, translation);
        count_new(translation);
    }
    if (proxy != nullptr) flows_.put_proxy(*flow, *proxy);
    begin_as(*flow, start);
    flow->epoch = epoch_;
    flow->rule = rule.slot;
    if (classes_ != nullptr) flows_.charge_to(*flow, s.meta->principal, charged_);
    flow->flags = static_cast<uint8_t>(flow->flags | counted_);
    flow->in_port = s.meta->has(PacketMeta::kFromKernel) ? kLocalPort : s.meta->in_port;
    flow->out_port = s.meta->out_port;
    flow->count(Direction::originator, s.meta->l3_total);
    flows_.touch(*flow, context_.now.ms, policy_.timeouts.of(*flow));
    return outcome;
}

// It belongs to a flow that is not there. Rules that ask for such packets decide; else it passes
// only where flows are not wanted (`stateful: false`).
Outcome Judge::orphan(Subject& s, Outcome reason) noexcept {
    if (const Rule* rule = match(classifier_key(*s.meta, kStateInvalid), s.meta->ttl))
        return obey(s, *rule, kStateInvalid);
    const RuleKey key = classifier_key(*s.meta, kStateNew);
    const auto passes = [](const Rule& r) { return r.action == Action::kAccept && !r.stateful; };
    const Rule& tried = decide(key, s.meta->ttl, Take::kNothing);
    if (passes(tried))
        if (const Rule& rule = ask_.limited ? decide(key, s.meta->ttl) : tried; passes(rule))
            return obey(s, rule, kStateNew);
    s.meta->flow_state = kStateInvalid;
    return reason;
}

Outcome Judge::invalid(Subject& s, Outcome reason) noexcept {
    if (const Rule* rule = match(classifier_key(*s.meta, kStateInvalid), s.meta->ttl))
        return obey(s, *rule, kStateInvalid);
    s.meta->flow_state = kStateInvalid;
    return reason;
}

}  // namespace ravelin::firewall
