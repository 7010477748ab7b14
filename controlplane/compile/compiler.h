// SPDX-License-Identifier: Apache-2.0
// Compiler: the operator's text -> what the data plane is sent. Builds the policy for trial with
// the stages' own compile(), so that what it passes the data plane will not refuse.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control.pb.h"
#include "controlplane/compile/slots.h"
#include "controlplane/config/positions.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "dataplane/snapshot.h"

namespace ravelin::control {

struct CompiledRule {
    std::string name;
    std::string action;
    uint32_t slot = 0;
    bool builtin = false;
};

/// A configuration that the data plane will take, but for its devices.
struct Compiled {
    config::Node tree;                  ///< typed, defaults filled, rule slots set
    std::vector<std::string> warnings;  ///< each with its position
    std::vector<CompiledRule> rules;    ///< in order of precedence, built-in ones included
};

/// The encoded model::PolicySnapshot.
std::string encode_snapshot(const config::Node& tree, uint64_t generation);
/// Its opposite: parses and checks against the schema. Error: what is wrong.
struct DecodedSnapshot {
    uint64_t generation = 0;
    config::Node tree;
};
Result<DecodedSnapshot> decode_snapshot(std::string_view bytes);

/// A rule of `nat` and where it is counted.
struct CompiledNatRule {
    std::string name, kind;
    uint32_t slot = 0;      ///< its packets
    uint32_t new_slot = 0;  ///< flows that it began to translate
};
/// All that have slots, in order.
std::vector<CompiledNatRule> nat_rules_of(const config::Node& tree);

/// Configured rules of the firewall and of `nat` and their slots, built-in ones left out.
std::vector<SlottedRule> slotted_rules(const config::Node& tree);

/// All rules of a compiled tree in order of precedence: built-in ones, configured ones, the
/// default.
std::vector<CompiledRule> rules_of(const config::Node& tree);

class Compiler {
  public:
    /// What else a configuration must pass, as the process can do it now; errors name members.
    using Gate = std::function<Status(const config::Node& tree)>;
    void set_gate(Gate gate) { gate_ = std::move(gate); }
    /// Reservations made while it runs, a list: a configuration must leave them what they have.
    using Reserved = std::function<config::Node()>;
    void set_reserved(Reserved reserved) { reserved_ = std::move(reserved); }
    /// `file` stands in messages; {file: ...} is relative to its folder. The error is one line with
    /// its position. Keeps the trial policy, which makes the next compilation cheap.
    Result<Compiled> compile(std::string_view text, const std::string& file, const SlotMap& slots);
    /// As compile() for a tree that was compiled before (rollback): new slots, a new trial.
    Result<Compiled> recompile(config::Node tree, const SlotMap& slots);

  private:
    Status set_slots(config::Node& tree, const SlotMap& slots) const;
    Result<Compiled> finish(config::Node tree, const SlotMap& slots,
                            const config::Positions& positions);

    [[nodiscard]] Status promises(config::Node& tree) const;

    Gate gate_;
    Reserved reserved_;
    std::unique_ptr<PolicySnapshot> trial_;
};

}  // namespace ravelin::control
