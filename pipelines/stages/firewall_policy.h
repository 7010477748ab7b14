// SPDX-License-Identifier: Apache-2.0
// FirewallPolicy: the firewall's compiled configuration. Immutable; shared by all workers.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "dataplane/snapshot.h"
#include "dataplane/tcp_tracker.h"
#include "pipelines/stages/firewall_tables.h"

namespace ravelin {
struct CompileContext;
}

namespace ravelin::firewall {

/// Flows that were not answered yet.
struct UnprovenBudget {
    uint32_t percent = 100;   ///< of the flow table
    uint32_t per_source = 0;  ///< 0: any number
    bool drop = false;        ///< at `percent`: the new one, instead of the oldest
};

class FirewallPolicy final : public StagePolicy {
  public:
    std::shared_ptr<const FirewallTables> tables;
    std::shared_ptr<const FirewallDelta> delta;  ///< live edits the tables lack; null: none
    CompiledRule arp, otherwise;  ///< what meets ARP; what meets a packet no rule takes
    Timeouts timeouts;
    uint32_t reject_rate = 0;  ///< answers a second and worker
    TcpWindow window = TcpWindow::strict;
    UnprovenBudget unproven;
    bool pickup = false, keep_established = false, wire = false;
    LiveSets sets;                                       ///< of the snapshot: rules point at them
    std::shared_ptr<const Principals> principals;        ///< of the snapshot: rules name them
    std::shared_ptr<const std::vector<RuleInfo>> infos;  ///< the rules of `tables`, and the default

    static constexpr int kHopLimitUnknown = RuleTables::kHopLimitUnknown;
    /// The first rule that takes the packet, else `otherwise`.
    [[nodiscard]] const CompiledRule& decide(const RuleKey& key, int hop_limit,
                                             Ask& ask) const noexcept {
        const CompiledRule* rule = match(key, hop_limit, ask);
        return rule != nullptr ? *rule : otherwise;
    }
    /// The same without `otherwise`: null where no rule takes it.
    [[nodiscard]] const CompiledRule* match(const RuleKey& key, int hop_limit,
                                            Ask& ask) const noexcept {
        if (delta != nullptr) [[unlikely]]
            return match_edited(key, hop_limit, ask);
        return tables->rules.match(key, hop_limit, ask);
    }
    /// Of a flow that this rule accepted.
    [[nodiscard]] TcpWindow window_of(uint32_t slot) const noexcept;
    /// Whom that rule charges; kNoPrincipal: it does not say.
    [[nodiscard]] sched::PrincipalId principal_of(uint32_t slot) const noexcept;
    [[nodiscard]] size_t memory_bytes() const override;
    /// Whether a rule answers SYNs.
    [[nodiscard]] bool proxies() const noexcept {
        return !tables->rules.proxies.empty() ||
               (delta != nullptr && !delta->added.proxies.empty());
    }
    /// Of what rules ask beyond the classifier; not part of memory_bytes().
    [[nodiscard]] size_t limit_bytes() const;
    [[nodiscard]] size_t limit_count() const;

  private:
    // As match(), with edits beside the tables.
    [[nodiscard]] const CompiledRule* match_edited(const RuleKey& key, int hop_limit,
                                                   Ask& ask) const noexcept;
};

/// What rules are called, and the default.
std::vector<RuleInfo> names_of(std::span<const NamedRule> named, const CompiledRule& otherwise);

/// StageDecl::compile of the firewall.
Result<std::shared_ptr<const StagePolicy>> compile_firewall(const config::Node& config,
                                                            CompileContext& context);

}  // namespace ravelin::firewall
