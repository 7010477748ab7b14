// SPDX-License-Identifier: Apache-2.0
// Proofs of rules (`ravelin selftest`): packets made for each rule run through the policy in force
// in a spare pipeline. Rules that deny must deny; rules that accept must leave alone what lies just
// outside of them.
#pragma once
#include <string_view>
#include <vector>

#include "dataplane/process/made_packets.h"
#include "dataplane/process/spare_pipeline.h"

namespace ravelin {

enum class Proof : uint8_t {
    kHolds,     ///< it decided, and as it says
    kCovered,   ///< it never decided; what it would deny is denied, and so on, by others
    kShadowed,  ///< a rule that denies: it never decided, and some of its packets passed by others
    kBroken,    ///< its own packets passed, or met a later rule, or it took another's
    kOff,       ///< disabled, or a set of it is empty
    kUnproved,  ///< no made packet can meet it, such as one that waits for a rate to be exceeded
};
std::string_view name_of(Proof proof);
/// Whether somebody has to look at it.
constexpr bool fails(Proof proof) { return proof == Proof::kShadowed || proof == Proof::kBroken; }

struct RuleProof {
    std::string rule, action;
    Proof proof = Proof::kUnproved;
    std::string by;      ///< who decided instead: a rule or a drop
    std::string packet;  ///< the one that shows it
    unsigned tried = 0;  ///< packets
};

/// Rules from index `first` on, in their order and the default last, until `budget_ns` is spent (at
/// least one). `next`: where to go on; 0: that was the last. Error: no buffers, or the policy has
/// no firewall.
struct Proofs {
    std::vector<RuleProof> rules;
    uint32_t next = 0;
};
Result<Proofs> prove_rules(SparePipeline& spare, const PolicySnapshot& policy, uint32_t first,
                           uint64_t budget_ns, Clock clock = &Now::read);

/// The firewall's configuration with all live rules in it; null: there is no firewall.
std::shared_ptr<const config::Node> firewall_config(const PolicySnapshot& policy);
/// All its rules in the order they are tried.
Result<std::vector<firewall::NamedRule>> rules_of(const PolicySnapshot& policy,
                                                  const config::Node& firewall_config);
/// Who decided: a rule's name, else the drop's, else the verdict.
std::string decider(const SparePipeline& spare, const PolicySnapshot& policy, const Tried& tried);
/// The packet was dropped by a rule's or the default's word.
bool denied_by_rule(const SparePipeline& spare, const Tried& tried);

}  // namespace ravelin
