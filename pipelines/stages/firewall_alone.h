// SPDX-License-Identifier: Apache-2.0
// Packets without a flow that rules judge by themselves: what stateless rules accept, what rules or
// the default drop, and what is in mid-stream of nothing. The rules of all such packets of a burst
// are looked up together, so that their memory comes together.
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/burst.h"
#include "pipelines/stages/firewall_judge.h"

namespace ravelin::firewall {

/// Flags of TCP that make a segment one of a kind; UDP has none.
inline constexpr unsigned kTurns = kTcpFin | kTcpSyn | kTcpRst | kTcpAck;
/// Bit f: segments with these flags are looked up here, where tables need not be asked about what
/// no flow could have (RuleTables::takes_invalid). Others are what no host sends, which Judge
/// knows.
inline constexpr uint32_t kNewSegments = 1u << kTcpSyn;
inline constexpr uint32_t kPlainSegments = kNewSegments | 1u << kTcpAck |
                                           1u << (kTcpFin | kTcpAck) | 1u << kTcpRst |
                                           1u << (kTcpRst | kTcpAck) | 1u << (kTcpSyn | kTcpAck);
inline uint32_t segments_of(const RuleTables& tables) noexcept {
    return tables.takes_invalid ? kNewSegments : kPlainSegments;
}

/// What rules alone make of a packet without a flow: as Judge::open() and Judge::orphan().
struct Word {
    bool decided = false;  ///< else Judge is to be asked
    Outcome outcome = Outcome::kPass;
    uint32_t slot = kNoRule;  ///< of the rule that it meets; kNoRule: none, as a new packet would
};
/// `flags`: those of kTurns. Of a SYN only if its options can be read.
inline Word word_alone(RuleWord rule, unsigned flags, const FirewallPolicy& policy) noexcept {
    if (rule.kind == RuleWord::kAccepts) return {true, Outcome::kPass, rule.slot};
    if (flags != 0 && flags != kTcpSyn) {
        const bool picked_up = policy.pickup && flags == kTcpAck;
        if (rule.kind == RuleWord::kAsks || (rule.kind == RuleWord::kKeeps && picked_up)) return {};
        return {true, Outcome::kTcpNoFlow, kNoRule};
    }
    if (rule.kind != RuleWord::kDrops) return {};
    const bool fallback = rule.slot == policy.otherwise.slot;
    return {true, fallback ? Outcome::kDefault : Outcome::kRule, rule.slot};
}

/// What Judge would say of TCP and UDP over IPv4, where nobody but the rules has a word about it.
class Alone {
  public:
    /// Bit i of `unknown`: packet i has no flow. Others are left out.
    Alone(const Burst& burst, uint32_t unknown, const FirewallPolicy& policy,
          const WorkerContext& context) noexcept;
    /// Whether outcome() and slot() say what becomes of the packet; else Judge is to be asked.
    [[nodiscard]] bool decides(unsigned i) const noexcept { return (decided_ >> i & 1) != 0; }
    [[nodiscard]] Outcome outcome(unsigned i) const noexcept { return outcomes_[i]; }
    /// Of the rule that it meets; kNoRule: none, as a new packet would.
    [[nodiscard]] uint32_t slot(unsigned i) const noexcept { return slots_[i]; }
    /// Of the packet as a new one: RuleKey::first.
    [[nodiscard]] uint32_t first(unsigned i) const noexcept {
        return (found_ >> i & 1) != 0 ? firsts_[i] : kNotAsked;
    }

  private:
    void look(const Burst& burst, uint32_t unknown, const FirewallPolicy& policy,
              const WorkerContext& context) noexcept;
    void decide(const Burst& burst, unsigned i, RuleWord word, const FirewallPolicy& policy,
                const WorkerContext& context) noexcept;
    uint32_t found_ = 0, decided_ = 0;  // bit i: firsts_[i], slots_[i] and outcomes_[i] are there
    std::array<uint32_t, Burst::kCapacity> firsts_, slots_;
    std::array<Outcome, Burst::kCapacity> outcomes_;
};

}  // namespace ravelin::firewall
