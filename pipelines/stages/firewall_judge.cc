// SPDX-License-Identifier: Apache-2.0
// A rule's word and what follows from it; packets of known flows. Those without one stand in
// firewall_fresh.cc.
#include "pipelines/stages/firewall_judge.h"

#include <algorithm>

#include "dataplane/engine_counters.h"
#include "dataplane/events.h"
#include "dataplane/limits.h"
#include "dataplane/net/headers.h"
#include "pipelines/stages/vxlan_mtu.h"

namespace ravelin::firewall {

namespace {

// FlowPort keeps these apart in a byte: the second are asked no rule again.
static_assert(limits::kMaxPorts <= 0xfe && kLocalPort == 0xfffe && kNoPort == 0xffff);

constexpr uint8_t kEchoRequest4 = 8, kEchoRequest6 = 128;

bool is_icmp(const PacketMeta& m) noexcept {
    return m.protocol == net::kIcmp || m.protocol == net::kIcmpv6;
}
bool is_request(const PacketMeta& m) noexcept {
    return m.icmp_type == (m.protocol == net::kIcmp ? kEchoRequest4 : kEchoRequest6);
}

}  // namespace

Outcome Judge::judge(Subject& s, Flow* flow) noexcept {
    // Only echo has flows in ICMP; the key of another type is that of echo with identifier 0.
    const bool other_icmp =
        is_icmp(*s.meta) && !s.meta->has(PacketMeta::kEcho | PacketMeta::kPorts);
    if (flow == nullptr || other_icmp) return charge_packet(s, without_flow(s, fresh(s)));
    // The wheel is up to a tick late; a flow in no state was being opened when a process was
    // killed.
    if (flow->expired(context_.now.ms) || flow->state == FlowState::none) {
        remove(*flow);
        return charge_packet(s, without_flow(s, fresh(s)));
    }
    if ((flow->flags & kFlowTranslated) != 0) s.translation = &flows_.translation(*flow);
    if ((flow->flags & kFlowProxied) != 0) s.proxy = &flows_.proxy(*flow);
    if (!context_.dry_run) return known(s, *flow);
    Flow copy = *flow;
    return known(s, copy);
}

Outcome Judge::judge_error(Subject& s, uint16_t zone) noexcept {
    const auto quoted = read_quoted(s.packet, *s.meta);
    // An error goes to whom the quoted packet came from; anything else is made up.
    if (!quoted || quoted->source != s.meta->destination)
        return charge_packet(s, orphan(s, Outcome::kIcmpUnrelated));
    find_key(s, *quoted, zone);
    const Flow* flow = flows_.find(s.key, s.hash);
    if (flow == nullptr || flow->expired(context_.now.ms) ||
        !has_under_way(*flow, flow->direction(s.swapped), *quoted)) {
        // The box's own packets have no flow; what paths of tunnels carry it must hear.
        if (s.meta->out_port == kLocalPort &&
            read_too_big(s.packet, *s.meta, context_.policy->ports))
            return charge_packet(
                s, obey(s, decide(classifier_key(*s.meta, kStateRelated), s.meta->ttl),
                        kStateRelated));
        return charge_packet(s, without_flow(s, orphan(s, Outcome::kIcmpUnrelated)));
    }
    if (classes_ != nullptr) s.meta->principal = charged(*flow);
    // It goes the way of what it is about, backwards.
    if ((flow->flags & kFlowTranslated) != 0) s.translation = &flows_.translation(*flow);
    if (!agrees(s, reverse(flow->direction(s.swapped)))) return Outcome::kNatMismatch;
    const RuleKey key = classifier_key(*s.meta, kStateRelated);
    const Outcome outcome = obey(s, decide(key, s.meta->ttl), kStateRelated);
    if ((flow->flags & kFlowProxied) == 0 || outcome != Outcome::kPass) return outcome;
    if (flow->state == FlowState::tcp_syn_sent) return outcome;  // nothing to shift by yet
    s.proxy = &flows_.proxy(*flow);
    shift_quote(s, *quoted, flow->direction(s.swapped));
    return outcome;
}

Outcome Judge::judge_arp(Subject& s) noexcept { return obey(s, policy_.arp, kStateUntracked); }

Outcome Judge::known(Subject& s, Flow& flow) noexcept {
    const Direction d = flow.direction(s.swapped);
    if (flow.epoch != epoch_ && !judge_again(s, flow, d)) return cut(s, flow);
    if (classes_ != nullptr) s.meta->principal = sched::PrincipalId{flow.principal};
    if (!agrees(s, d)) return Outcome::kNatMismatch;
    if (flow.key.protocol == net::kTcp) return track_tcp(s, flow, d);
    if (s.meta->has(PacketMeta::kEcho) && is_request(*s.meta) != (d == Direction::originator))
        return crossed_echo(s, flow, d);
    if (!s.meta->has(PacketMeta::kLaterFragment)) datagram_track(flow, d);
    return accept_known(s, flow, d);
}

// The responder asks too, under the same identifier: its request is no answer, so the rules decide.
// Only if they accepted one do the originator's replies belong to anything.
Outcome Judge::crossed_echo(Subject& s, Flow& flow, Direction d) noexcept {
    uint8_t& asked = flow.tcp_flags[static_cast<uint8_t>(Direction::responder)];
    if (d == Direction::originator)
        return asked != 0 ? accept_known(s, flow, d) : orphan(s, Outcome::kIcmpNoFlow);
    const Rule& rule = decide(classifier_key(*s.meta, kStateNew), s.meta->ttl);
    if (rule.action == Action::kAccept) {
        asked = kTcpSynSeen;
        if (!context_.dry_run) flows_.touch(flow, context_.now.ms, policy_.timeouts.of(flow));
    }
    return obey(s, rule, kStateNew);
}

// By what opened the flow, not by the packet at hand: an answer meets no rule of its own.
bool Judge::judge_again(Subject& s, Flow& flow, Direction d) noexcept {
    flow.epoch = epoch_;
    if (flow.in_port == kLocalPort) return true;  // the kernel's: no rule let it in
    const bool original = d == Direction::originator;
    if (original) {  // routes may have changed, and with them the way out
        flow.in_port = s.meta->in_port;
        flow.out_port = s.meta->out_port;
    }
    if (s.translation != nullptr && !translates_again(s, flow)) {
        remove(flow);
        return false;
    }
    const int hop_limit = original ? s.meta->ttl : FirewallPolicy::kHopLimitUnknown;
    const Rule& rule = decide(classifier_key(flow), hop_limit);
    ++tally_.events[kJudgedAgain];
    if (rule.action == Action::kAccept || policy_.keep_established) {
        recount(flow, rule);
        if (rule.action != Action::kAccept) ++tally_.events[kKept];
        return true;
    }
    credit(s, rule, kStateEstablished);
    if (rule.log) log(s, Outcome::kFlowCut);
    if (rule.action == Action::kReject) answer(s);
    remove(flow);
    return false;
}

Outcome Judge::track_tcp(Subject& s, Flow& flow, Direction d) noexcept {
    if (s.meta->has(PacketMeta::kLaterFragment)) return track_fragment(s, flow, d);
    if (s.proxy != nullptr) return track_proxied(s, flow, d);
    TcpSegment segment;
    return read_segment(s.packet, *s.meta, segment) ? follow(s, flow, d, segment)
                                                    : invalid(s, Outcome::kTcpFlags);
}

// No sequence number here. What it carries may be acknowledged, so its bytes count as sent as far
// as the window allows.
Outcome Judge::track_fragment(Subject& s, Flow& flow, Direction d) noexcept {
    TcpSide& sender = flow.tcp[static_cast<uint8_t>(d)];
    const uint32_t granted = sender.max_end - sender.end;
    if (static_cast<int32_t>(granted) > 0) sender.end += std::min(granted, s.meta->payload_length);
    return accept_known(s, flow, d);
}

Outcome Judge::follow(Subject& s, Flow& flow, Direction d, const TcpSegment& segment) noexcept {
    switch (tcp_track(flow, d, segment)) {
        case TcpVerdict::ok:
        case TcpVerdict::new_ok:
        case TcpVerdict::syn_retransmit:
        case TcpVerdict::challenge_ack:
            return accept_known(s, flow, d);
        case TcpVerdict::reuse:
            return afresh(s, flow);
        case TcpVerdict::invalid_flags:
            return invalid(s, Outcome::kTcpFlags);
        case TcpVerdict::out_of_window:
            if (passes_outside(flow, d, segment)) return accept_known(s, flow, d);
            return invalid(s, Outcome::kTcpWindow);
        case TcpVerdict::invalid_state:
            break;
    }
    return invalid(s, Outcome::kTcpState);
}

// The flow is over, and the packet begins another one.
Outcome Judge::afresh(Subject& s, Flow& flow) noexcept {
    remove(flow);
    s.meta->principal = sched::kNoPrincipal;
    return charge_packet(s, fresh(s));
}

// A segment that was refused has changed nothing, so it may be tried again by other rules.
bool Judge::passes_outside(Flow& flow, Direction d, const TcpSegment& segment) noexcept {
    const TcpWindow window = policy_.window_of(flow.rule);
    if (window == TcpWindow::strict || !passes(tcp_track(flow, d, segment, window))) return false;
    ++tally_.events[kLoose];
    return true;
}

Outcome Judge::accept_known(Subject& s, Flow& flow, Direction d) noexcept {
    s.meta->flow_state = kStateEstablished;
    s.meta->rule = flow.rule;
    if (flow.rule < limits::kMaxRules) tally_.hit(flow.rule, s.meta->l3_total, context_.counters);
    if (s.translation != nullptr) count_translated(s, *s.translation);
    if (context_.dry_run) return Outcome::kPass;
    flow.count(d, s.meta->l3_total);
    if (!flow.proven() && earned_proof(flow)) flows_.prove(flow);
    if (flow.proven()) s.meta->flags |= PacketMeta::kProvenFlow;
    flows_.touch(flow, context_.now.ms, policy_.timeouts.of(flow));
    return Outcome::kPass;
}

const CompiledRule* Judge::match(const RuleKey& key, int hop_limit, Take take) noexcept {
    // The kernel is the box: no rule names it as a source, and what it opens is wanted.
    static constexpr CompiledRule kOwn{.slot = kNoRule, .action = Action::kAccept};
    if (key.packet != nullptr && key.packet->has(PacketMeta::kFromKernel)) {
        ask_ = {};
        return key.state == kStateInvalid ? nullptr : &kOwn;
    }
    ask_ = {context_.now.ns, flows_.counts(), context_.dry_run ? Take::kNothing : take};
    const Rule* rule = policy_.match(key, hop_limit, ask_);
    if (ask_.no_room) ++tally_.events[kLimitFull];
    return rule;
}

Outcome Judge::obey(Subject& s, const Rule& rule, uint8_t state) noexcept {
    credit(s, rule, state);
    Outcome outcome = Outcome::kPass;
    if (rule.action == Action::kReject) {
        outcome = Outcome::kReject;
        answer(s);
    } else if (rule.action == Action::kDrop) {
        outcome = rule.slot == policy_.otherwise.slot ? Outcome::kDefault : Outcome::kRule;
    }
    if (rule.log) log(s, outcome);
    return outcome;
}

void Judge::credit(Subject& s, const Rule& rule, uint8_t state) noexcept {
    s.meta->flow_state = state;
    s.meta->rule = rule.slot;
    const uint32_t bytes = s.meta->l3_total != 0 ? s.meta->l3_total : s.packet.length();
    tally_.hit(rule.slot, bytes, context_.counters);
}

void Judge::answer(Subject& s) noexcept {
    const PacketMeta& meta = *s.meta;
    if (context_.dry_run || meta.has(PacketMeta::kArp)) return;
    const auto outcome = meta.protocol == net::kTcp
                             ? replies_.reset(s.packet, meta, policy_.reject_rate, context_)
                             : replies_.icmp(s.packet, meta, IcmpError::kAdminProhibited,
                                             policy_.reject_rate, context_);
    ++tally_.events[outcome == Replies::Outcome::kSent ? kAnswered : kUnanswered];
}

void Judge::log(const Subject& s, Outcome outcome) noexcept {
    if (context_.dry_run) return;
    RuleLogRecord record;
    record.length = s.packet.length();
    record.unix_ns = unix_ns();
    record.generation = context_.policy->generation;
    if (outcome != Outcome::kPass)
        record.reason = static_cast<DropCode>(first_drop_ + static_cast<unsigned>(outcome));
    record.worker = context_.worker;
    record.meta = *s.meta;
    if (!context_.events->push(&record, sizeof record, nullptr, 0))
        context_.counters.add(kEventsLost);
}

bool Judge::room() const noexcept {
    return flows_.size() < flows_.capacity() || flows_.oldest_unproven() != nullptr;
}

void Judge::remove(Flow& flow) noexcept {
    if (context_.dry_run) return;
    flows_.remove(flow);
    changed_ = true;
}

}  // namespace ravelin::firewall
