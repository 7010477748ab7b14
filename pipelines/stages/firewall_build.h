// SPDX-License-Identifier: Apache-2.0
// Building the firewall's tables from rules as they are configured. Control thread, or a merge.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "pipelines/stages/firewall_policy.h"
#include "pipelines/stages/firewall_tables.h"

namespace ravelin::firewall {

using KeptTables = std::vector<const RuleTables*>;

/// What rules are built with.
struct BuildContext {
    const LiveSets& sets;
    /// With the limits in force. One that stays as it was keeps its buckets, or every change
    /// would be a burst for everybody.
    KeptTables kept;
    /// Rules beside which these are built; null: these are all.
    const FirewallTables* beside = nullptr;
};
/// Limits of all rules together.
inline constexpr size_t kMostLimitBytes = size_t{1} << 30;

/// The tables of a policy and of its live edits. Null: none.
void keep_limits(const FirewallPolicy* policy, KeptTables& kept);

struct BuiltRules {
    RuleTables tables;
    /// The classifier index of rule i's first entry is first[i], one past the last
    /// first[rules.size()].
    std::vector<uint32_t> first;
};
/// Error: a set that is not there or of another type, a rule whose flows cannot be counted, or no
/// memory.
Result<BuiltRules> build_rules(std::span<const NamedRule> named, const BuildContext& context);

/// Fills extras and limits of `to`, and the slots of rules whose flows are counted, sorted. The
/// answer is CompiledRule::extra by index into `named`.
Result<std::vector<uint32_t>> add_extras(RuleTables& to, std::vector<uint32_t>& counted,
                                         std::span<const NamedRule> named,
                                         const BuildContext& context);

/// CompiledRule::proxy of a rule.
const CompiledProxy* add_proxy(RuleTables& to, const NamedRule& rule, const KeptTables& kept);

/// Whom each rule charges, kNoPrincipal: nobody. Error: it names one that is not declared.
Result<std::vector<sched::PrincipalId>> principals_of(std::span<const NamedRule> named,
                                                      const Principals* declared);

/// Tables of all rules as rules_of() has them, for `policy`, whose settings and sets are there.
/// `previous`: what was in force before; may be null.
Result<std::shared_ptr<const FirewallTables>> build_tables(std::span<const NamedRule> named,
                                                           const FirewallPolicy& policy,
                                                           const FirewallPolicy* previous);

}  // namespace ravelin::firewall
