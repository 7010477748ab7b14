// SPDX-License-Identifier: Apache-2.0
// FirewallPolicy: the firewall's compiled configuration. Immutable; shared by all workers.
#pragma once
#include <memory>
#include <vector>

#include "dataplane/snapshot.h"
#include "dataplane/tcp_tracker.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/tables/classifier.h"

namespace ravelin {
struct CompileContext;
}

namespace ravelin::firewall {

/// What is left of a rule once the classifier has found it.
struct CompiledRule {
    uint32_t slot = 0;        ///< hit counter
    uint32_t info = kNoRule;  ///< index into PolicySnapshot::rules = PacketMeta::rule
    Action action = Action::kDrop;
    uint8_t hop_limit = 0;  ///< 0: any
    bool stateful = true, log = false;
    uint32_t live = 0;  ///< live sets to ask: live_tests[live - 1] and on; 0: none
};

/// One live set a rule asks.
struct LiveTest {
    const LiveSet* set = nullptr;
    LiveField field = LiveField::kFrom;
    bool last = false;  ///< of its rule's

    [[nodiscard]] bool holds(const ClassifierKey& key) const noexcept;
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
    bool pickup = false, keep_established = false, wire = false;
    std::vector<RuleInfo> infos;         ///< what this policy added to PolicySnapshot::rules
    size_t first_info = 0;               ///< where it added them
    std::vector<uint32_t> info_of_slot;  ///< kNoRule where no rule counts

    /// As a hop limit: a flow is judged again on its responder's packet. Of the rules that depend
    /// on it, those that accept are then taken to match, as one did before.
    static constexpr int kHopLimitUnknown = -1;
    /// The first rule that takes the packet, else `otherwise`.
    [[nodiscard]] const CompiledRule& decide(const ClassifierKey& key,
                                             int hop_limit) const noexcept {
        const CompiledRule* rule = match(key, hop_limit);
        return rule != nullptr ? *rule : otherwise;
    }
    /// The same without `otherwise`: null where no rule takes it.
    [[nodiscard]] const CompiledRule* match(const ClassifierKey& key,
                                            int hop_limit) const noexcept {
        const uint32_t at =
            classifier.find(key, [&](uint32_t rule) { return takes(rules[rule], key, hop_limit); });
        return at != Classifier::kNoMatch ? &rules[at] : nullptr;
    }
    /// What the classifier cannot know of a rule that it found.
    [[nodiscard]] bool takes(const CompiledRule& rule, const ClassifierKey& key,
                             int hop_limit) const noexcept {
        if (rule.live != 0 && !live_holds(rule, key)) return false;
        const bool unknown = hop_limit == kHopLimitUnknown && rule.action == Action::kAccept;
        return rule.hop_limit == 0 || rule.hop_limit == hop_limit || unknown;
    }
    [[nodiscard]] uint32_t info(uint32_t slot) const noexcept {
        return slot < info_of_slot.size() ? info_of_slot[slot] : kNoRule;
    }
    [[nodiscard]] size_t memory_bytes() const override;

  private:
    [[nodiscard]] bool live_holds(const CompiledRule& rule,
                                  const ClassifierKey& key) const noexcept;
};

/// StageDecl::compile of the firewall.
Result<std::shared_ptr<const StagePolicy>> compile_firewall(const config::Node& config,
                                                            CompileContext& context);

}  // namespace ravelin::firewall
