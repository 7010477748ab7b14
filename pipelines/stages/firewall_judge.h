// SPDX-License-Identifier: Apache-2.0
// Judge: what the firewall decides for one packet, and what it remembers of it. Lives for a burst.
// In a dry run it works on copies of flows and changes nothing.
#pragma once
#include <optional>

#include "dataplane/flow_table.h"
#include "dataplane/rule_tally.h"
#include "dataplane/stage.h"
#include "pipelines/net/icmp_error.h"
#include "pipelines/net/tcp_segment.h"
#include "pipelines/stages/classify.h"
#include "pipelines/stages/firewall_packet.h"
#include "pipelines/stages/firewall_policy.h"
#include "pipelines/stages/firewall_syn_cookie.h"
#include "pipelines/stages/nat_policy.h"

namespace ravelin::firewall {

/// Order of the stage's drop names (firewall.cc).
enum class Outcome : uint8_t {
    kRule,
    kDefault,
    kReject,
    kTcpFlags,
    kTcpState,
    kTcpWindow,
    kTcpNoFlow,
    kFlowTableFull,
    kFlowCut,
    kIcmpUnrelated,
    kIcmpNoFlow,
    kFragment,
    kPortsExhausted,
    kNatUnsupported,
    kNatMismatch,
    kUnprovenBudget,
    kUnprovenSource,
    kProxyForged,
    kProxyExpired,
    kProxyUnanswered,
    kPrincipalFlows,
    kPrincipalMemory,
    kPass,      ///< none of these: it goes on
    kAnswered,  ///< nor that: its frame is of no more use
};

/// Order of the stage's counters (firewall.cc).
enum Counter : unsigned {
    kJudgedAgain,
    kKept,
    kPickedUp,
    kAnswered,
    kUnanswered,
    kPortsKept,
    kPortsChanged,
    kLoose,
    kLimitFull,
    kCookies,
    kProxied,
    kProxyMismatch,
    kCounters
};

/// Counts of one burst.
struct Tally : RuleTally {
    uint64_t events[kCounters] = {};
    RuleTally sources, destinations;  ///< by rules of `nat`
};

class Judge {
  public:
    /// `first_drop`: the stage's drop code of Outcome 0, for the log.
    Judge(const FirewallPolicy& policy, WorkerContext& context, Replies& replies,
          const SynCookies& cookies, Tally& tally, DropCode first_drop) noexcept
        : policy_(policy),
          context_(context),
          replies_(replies),
          cookies_(cookies),
          tally_(tally),
          flows_(*context.flows),
          nat_(nat::policy_of(*context.policy)),
          classes_(classify::policy_of(*context.policy)),
          epoch_(context.policy->epoch),
          first_drop_(first_drop) {}

    /// An IP packet whose key is its own; `flow` is what the table has for it, or null.
    Outcome judge(Subject& subject, Flow* flow) noexcept;
    /// A packet with PacketMeta::kIcmpError.
    Outcome judge_error(Subject& subject, uint16_t zone) noexcept;
    Outcome judge_arp(Subject& subject) noexcept;
    /// A packet without a flow, by what Alone has found.
    void obey_alone(PacketMeta& meta, uint32_t slot) noexcept {
        meta.flow_state = slot == kNoRule ? kStateInvalid : kStateNew;
        meta.rule = slot;
        if (classes_ != nullptr) [[unlikely]]
            meta.principal = charged(slot, meta);
        if (slot == kNoRule) return;
        tally_.hit(slot, meta.l3_total, context_.counters);
    }
    /// Flows came or went: what was found for later packets of the burst may be another's now.
    [[nodiscard]] bool table_changed() const noexcept { return changed_; }

  private:
    using Rule = CompiledRule;
    // Packets of a flow.
    Outcome known(Subject& s, Flow& flow) noexcept;
    Outcome crossed_echo(Subject& s, Flow& flow, Direction d) noexcept;
    bool judge_again(Subject& s, Flow& flow, Direction d) noexcept;
    Outcome track_tcp(Subject& s, Flow& flow, Direction d) noexcept;
    Outcome track_fragment(Subject& s, Flow& flow, Direction d) noexcept;
    Outcome follow(Subject& s, Flow& flow, Direction d, const TcpSegment& segment) noexcept;
    Outcome accept_known(Subject& s, Flow& flow, Direction d) noexcept;
    // Packets without one.
    Outcome fresh(Subject& s) noexcept;
    Outcome afresh(Subject& s, Flow& flow) noexcept;
    Outcome fresh_tcp(Subject& s) noexcept;
    Outcome fresh_fragment(Subject& s) noexcept;
    Outcome mid_stream(Subject& s, const TcpSegment& segment) noexcept;
    Outcome open(Subject& s, const Flow& start) noexcept;
    Outcome open_datagram(Subject& s) noexcept;
    Outcome create(Subject& s, const Rule& rule, const Flow& start,
                   const FlowProxy* proxy = nullptr) noexcept;
    // Connections that begin with a SYN cookie (firewall_proxy.cc).
    [[nodiscard]] bool proxiable(const PacketMeta& meta) const noexcept;
    Outcome open_proxied(Subject& s, const Flow& start, const TcpSegment& syn) noexcept;
    Outcome challenge(Subject& s, const Rule& rule, const TcpSegment& syn) noexcept;
    SynCookies::Verdict check_cookie(const Subject& s, const TcpSegment& segment, uint32_t& syn,
                                     SynOptions& options) const noexcept;
    std::optional<Outcome> take_cookie(Subject& s, const TcpSegment& segment, Flow* old) noexcept;
    Outcome begin_proxied(Subject& s, const Rule& rule, const TcpSegment& segment, uint32_t syn,
                          const SynOptions& options) noexcept;
    Outcome send_syn(Subject& s, const TcpSegment& segment, uint32_t syn,
                     const SynOptions& options) noexcept;
    bool replace(Subject& s, const TcpDraft& draft) noexcept;
    // Packets of their flows (firewall_proxied.cc).
    Outcome track_proxied(Subject& s, Flow& flow, Direction d) noexcept;
    Outcome from_client(Subject& s, Flow& flow, const TcpSegment& segment) noexcept;
    Outcome from_server(Subject& s, Flow& flow, const TcpSegment& segment) noexcept;
    Outcome client_waits(Subject& s, Flow& flow, const TcpSegment& segment) noexcept;
    Outcome server_answers(Subject& s, Flow& flow, const TcpSegment& segment) noexcept;
    Outcome server_accepts(Subject& s, Flow& flow, const TcpSegment& segment) noexcept;
    Outcome challenge_again(Subject& s, Flow& flow, const TcpSegment& syn) noexcept;
    bool acknowledge(const Subject& s, const Flow& flow,
                     const net::TcpOptions& sent) const noexcept;
    void shift_quote(Subject& s, const Quoted& quoted, Direction d) noexcept;
    // Flows that count for their source (firewall_counts.cc).
    Outcome admit(const Subject& s, const Rule& rule, Outcome so_far, bool shown) noexcept;
    Outcome admit_unproven(const Subject& s) noexcept;
    void withdraw(const Subject& s, const Rule& rule) noexcept;
    void recount(Flow& flow, const Rule& rule) noexcept;
    // Whom packets and flows are charged to (firewall_principals.cc). Only where some are declared.
    [[nodiscard]] sched::PrincipalId charged(uint32_t slot, const PacketMeta& meta) const noexcept;
    [[nodiscard]] sched::PrincipalId charged(uint32_t slot, const Flow& flow) const noexcept;
    [[nodiscard]] sched::PrincipalId charged(const Flow& flow) const noexcept {
        return flow.epoch == epoch_ ? sched::PrincipalId{flow.principal} : charged(flow.rule, flow);
    }
    Outcome cut(const Subject& s, const Flow& flow) const noexcept;
    void charge_again(Flow& flow) noexcept;
    Outcome charge_packet(const Subject& s, Outcome outcome) const noexcept {
        if (classes_ != nullptr && s.meta->principal == sched::kNoPrincipal) [[unlikely]]
            s.meta->principal = charged(s.meta->rule, *s.meta);
        return outcome;
    }
    Outcome admit_principal(const Subject& s, const Rule& rule) noexcept;
    Outcome orphan(Subject& s, Outcome reason) noexcept;
    Outcome invalid(Subject& s, Outcome reason) noexcept;
    // Address translation (firewall_nat.cc).
    bool agrees(Subject& s, Direction d) const noexcept {
        return s.translation != nullptr ? agrees_translated(s, d)
                                        : !s.meta->has(PacketMeta::kDestinationTranslated);
    }
    bool agrees_translated(Subject& s, Direction d) const noexcept;
    Outcome translate(const Subject& s, FlowTranslation& to) noexcept;
    bool translates_again(const Subject& s, const Flow& flow) noexcept;
    Outcome without_flow(Subject& s, Outcome outcome) noexcept;
    void count_translated(const Subject& s, const FlowTranslation& t) noexcept;
    void count_new(const FlowTranslation& t) const noexcept;
    [[nodiscard]] bool translatable(const PacketMeta& meta) const noexcept;
    // A rule's word.
    using Take = Ask::Take;
    const Rule* match(const RuleKey& key, int hop_limit, Take take = Take::kTokens) noexcept;
    const Rule& decide(const RuleKey& key, int hop_limit, Take take = Take::kTokens) noexcept {
        const Rule* rule = match(key, hop_limit, take);
        return rule != nullptr ? *rule : policy_.otherwise;
    }
    bool passes_outside(Flow& flow, Direction d, const TcpSegment& segment) noexcept;
    Outcome obey(Subject& s, const Rule& rule, uint8_t state) noexcept;
    void credit(Subject& s, const Rule& rule, uint8_t state) noexcept;
    void answer(Subject& s) noexcept;
    void log(const Subject& s, Outcome outcome) noexcept;

    [[nodiscard]] bool room() const noexcept;
    void remove(Flow& flow) noexcept;

    const FirewallPolicy& policy_;
    WorkerContext& context_;
    Replies& replies_;
    const SynCookies& cookies_;
    Tally& tally_;
    FlowTable& flows_;
    const nat::NatPolicy* nat_;                // null without that stage
    const classify::ClassifyPolicy* classes_;  // null: nobody is declared
    uint32_t epoch_;
    DropCode first_drop_;
    Ask ask_;
    uint8_t counted_ = 0;   ///< FlowFlag bits the flow to come has, as it is counted already
    bool charged_ = false;  ///< the flow to come is counted for its principal
    bool changed_ = false;
};

}  // namespace ravelin::firewall
