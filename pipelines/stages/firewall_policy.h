// SPDX-License-Identifier: Apache-2.0
// FirewallPolicy: the firewall's compiled configuration. Immutable; shared by all workers.
#pragma once
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/snapshot.h"
#include "dataplane/tcp_tracker.h"
#include "pipelines/stages/firewall_packet.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/tables/classifier.h"

namespace ravelin {
struct CompileContext;
class SourceCounts;
}  // namespace ravelin

namespace ravelin::firewall {

/// What is left of a rule once the classifier has found it.
struct CompiledRule {
    uint32_t slot = 0;        ///< hit counter
    uint32_t info = kNoRule;  ///< index into PolicySnapshot::rules = PacketMeta::rule
    Action action = Action::kDrop;
    uint8_t hop_limit = 0;  ///< 0: any
    bool stateful = true, log = false;
    bool counted = false;  ///< its flows count for their source
    uint32_t extra = 0;    ///< extras[extra - 1] must hold as well; 0: none
    uint32_t live = 0;     ///< live sets to ask: live_tests[live - 1] and on; 0: none
    uint32_t proxy = 0;    ///< proxies[proxy - 1] answers SYNs; 0: none
};

/// One live set a rule asks.
struct LiveTest {
    const LiveSet* set = nullptr;
    LiveField field = LiveField::kFrom;
    bool last = false;  ///< of its rule's

    [[nodiscard]] bool holds(const ClassifierKey& key) const noexcept;
};

/// What a rule asks once the classifier has found it (firewall_limits.cc).
struct CompiledExtra {
    Conditions conditions{};
    LimitTable* limit = nullptr;
    uint32_t per_source = 0;    ///< live flows; 0: any number
    uint32_t counted_slot = 0;  ///< of the rule whose flows count
    bool over = false;
};

/// How a rule's SYNs are answered, and which.
struct CompiledProxy {
    SynProxy spec;
    LimitTable* above = nullptr;  ///< null: all of them
};

/// What limits are asked with, and what they answer.
struct Ask {
    uint64_t now_ns = 0;
    SourceCounts* counts = nullptr;
    /// Taken of what the rule found is bound to: nothing where it may not be obeyed; tokens; and
    /// one flow of its number, which the caller is then to open or to give back.
    enum class Take : uint8_t { kNothing, kTokens, kFlow } take = Take::kNothing;
    bool counted = false;  ///< answer: that was done, for the rule returned
    bool no_room = false;  ///< answer: a limit had no room for this packet's key
};

/// Flows that were not answered yet.
struct UnprovenBudget {
    uint32_t percent = 100;   ///< of the flow table
    uint32_t per_source = 0;  ///< 0: any number
    bool drop = false;        ///< at `percent`: the new one, instead of the oldest
};

class FirewallPolicy final : public StagePolicy {
  public:
    Classifier classifier;
    std::vector<CompiledRule> rules;  ///< by the classifier's index
    std::vector<LiveTest> live_tests;
    std::vector<std::shared_ptr<LiveSet>> sets;  ///< of the snapshot: live_tests point at them
    CompiledRule arp, otherwise;  ///< what meets ARP; what meets a packet no rule takes
    Timeouts timeouts;
    uint32_t reject_rate = 0;  ///< answers a second and worker
    TcpWindow window = TcpWindow::strict;
    UnprovenBudget unproven;
    bool pickup = false, keep_established = false, wire = false;
    std::vector<RuleInfo> infos;         ///< what this policy added to PolicySnapshot::rules
    size_t first_info = 0;               ///< where it added them
    std::vector<uint32_t> info_of_slot;  ///< kNoRule where no rule counts

    /// As a hop limit: a flow is judged again on its responder's packet. Of the rules that depend
    /// on it, those that accept are then taken to match, as one did before.
    static constexpr int kHopLimitUnknown = -1;
    /// The first rule that takes the packet, else `otherwise`.
    [[nodiscard]] const CompiledRule& decide(const RuleKey& key, int hop_limit,
                                             Ask& ask) const noexcept {
        const CompiledRule* rule = match(key, hop_limit, ask);
        return rule != nullptr ? *rule : otherwise;
    }
    /// The same without `otherwise`: null where no rule takes it.
    [[nodiscard]] const CompiledRule* match(const RuleKey& key, int hop_limit,
                                            Ask& ask) const noexcept {
        const auto taken = [&](uint32_t at) { return takes(rules[at], key, hop_limit, ask); };
        const uint32_t at = classifier.find(key, taken);
        return at != Classifier::kNoMatch ? &rules[at] : nullptr;
    }
    /// What the classifier cannot know of a rule that it found. What `ask` takes comes last: only a
    /// rule that is matched takes anything.
    [[nodiscard]] bool takes(const CompiledRule& rule, const RuleKey& key, int hop_limit,
                             Ask& ask) const noexcept {
        if (rule.live != 0 && !live_holds(rule, key)) return false;
        const bool unknown = hop_limit == kHopLimitUnknown && rule.action == Action::kAccept;
        if (rule.hop_limit != 0 && rule.hop_limit != hop_limit && !unknown) return false;
        return rule.extra == 0 || extra_holds(rule, key, hop_limit, ask);
    }
    [[nodiscard]] uint32_t info(uint32_t slot) const noexcept {
        return slot < info_of_slot.size() ? info_of_slot[slot] : kNoRule;
    }
    /// Of a flow that this rule accepted.
    [[nodiscard]] TcpWindow window_of(uint32_t slot) const noexcept {
        return slot < windows.size() ? windows[slot] : window;
    }
    [[nodiscard]] size_t memory_bytes() const override;

    std::vector<CompiledExtra> extras;
    /// By slot of the rule. Mutable state, shared with the policies before and after that have the
    /// same limit; LimitTable is safe for all workers.
    std::vector<std::pair<uint32_t, std::shared_ptr<LimitTable>>> limits;
    std::vector<uint32_t> counted_slots;  ///< sorted
    std::vector<CompiledProxy> proxies;
    /// As limits: of SynProxy::above.
    std::vector<std::pair<uint32_t, std::shared_ptr<LimitTable>>> proxy_rates;
    std::vector<TcpWindow> windows;  ///< by slot; empty: no rule has its own

    /// Fills extras, limits and counted_slots; of_rule[i]: CompiledRule::extra of named[i].
    Status add_extras(std::span<const NamedRule> named, const FirewallPolicy* previous,
                      std::vector<uint32_t>& of_rule);
    /// CompiledRule::proxy of a rule.
    uint32_t add_proxy(const NamedRule& rule, const FirewallPolicy* previous);
    /// Of what rules ask beyond the classifier; not part of memory_bytes().
    [[nodiscard]] size_t limit_bytes() const;

  private:
    [[nodiscard]] bool extra_holds(const CompiledRule& rule, const RuleKey& key, int hop_limit,
                                   Ask& ask) const noexcept;
    [[nodiscard]] bool live_holds(const CompiledRule& rule,
                                  const ClassifierKey& key) const noexcept;
};

/// StageDecl::compile of the firewall.
Result<std::shared_ptr<const StagePolicy>> compile_firewall(const config::Node& config,
                                                            CompileContext& context);

}  // namespace ravelin::firewall
