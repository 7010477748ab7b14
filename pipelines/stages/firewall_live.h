// SPDX-License-Identifier: Apache-2.0
// Live rules: a small list of edits beside the compiled tables, until a merge makes them part of
// them. The verdict is always that of the first match in the edited list.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin::firewall {

class FirewallPolicy;
struct FirewallDelta;

/// Most edits beside the tables: no more than one chunk of the classifier, so that a delta is built
/// and searched in microseconds.
inline constexpr size_t kMostLiveEdits = kChunkRules / 2;

/// One live change of the rule list: `rule` comes in, or the rule called `remove` goes.
struct RuleEdit {
    enum class Place : uint8_t { kLast, kFirst, kBefore, kAfter };
    config::Node rule;   ///< null: remove
    std::string remove;  ///< name
    Place place = Place::kLast;
    std::string anchor;  ///< name, of kBefore and kAfter
};

/// What is wrong with an edit.
Error no_rule(std::string_view name);
Error name_taken(std::string_view name);

/// Carries the edit out on a firewall's configured `rules`. Error: nothing changed.
Status edit_rules(config::Node& rules, const RuleEdit& edit);

/// An edit as the data plane holds it: `named` is its rule, read.
struct HeldEdit {
    RuleEdit edit;
    NamedRule named{};
};
using HeldEdits = std::vector<std::shared_ptr<const HeldEdit>>;

/// What `edits`, in order, change about the tables of `policy`; null: nothing. At most
/// kMostLiveEdits. Limits as in `policy` or `previous` go on. Error: the edit that does not fit.
Result<std::shared_ptr<const FirewallDelta>> make_delta(
    const FirewallPolicy& policy, std::span<const HeldEdits::value_type> edits,
    const FirewallPolicy* previous = nullptr);

/// A firewall's configuration with `edits` carried out. Error: the edit that does not fit.
Result<config::Node> with_edits(config::Node firewall_config,
                                std::span<const HeldEdits::value_type> edits);

/// `old` with the rules of `config` in its tables and no edits beside them. Takes as long as a
/// compilation.
Result<std::shared_ptr<const FirewallPolicy>> rebuild(const FirewallPolicy& old,
                                                      const config::Node& config,
                                                      const std::vector<std::string>& port_names);

}  // namespace ravelin::firewall
