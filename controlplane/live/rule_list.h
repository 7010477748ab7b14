// SPDX-License-Identifier: Apache-2.0
// RuleList: the firewall's configured rules with live changes carried out. A change costs what it
// changes, however many rules there are.
#pragma once
#include <list>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dataplane/config/node.h"
#include "pipelines/stages/firewall_wire.h"

namespace ravelin::control {

class RuleList {
  public:
    /// The rules of a whole configuration.
    void reset(const config::Node& tree);
    /// Error: the change that does not fit, or the rule that would ask for flows which none counts;
    /// nothing changed.
    Status change(const firewall::RuleChanges& changes);
    /// Whether change() would carry them out.
    Status fits(const firewall::RuleChanges& changes);
    /// In order, as a configuration has them.
    [[nodiscard]] config::Node rules() const;

  private:
    using Rules = std::list<config::Node>;
    struct Step {
        Rules::iterator rule;
        bool came = false;
        Rules::iterator next{};  // of one that went
    };
    Status carry_out(const firewall::RuleChanges& changes);
    Status carry_out(const firewall::RuleEdit& edit);
    [[nodiscard]] Result<Rules::iterator> place_of(const firewall::RuleEdit& edit);
    void undo();
    void enter(Rules::iterator rule);
    void leave(Rules::iterator rule);
    [[nodiscard]] Status check_counts() const;
    [[nodiscard]] Status check_count(const std::string& asker, const std::string& of) const;

    bool firewall_ = false;
    Rules rules_, gone_;                                    // gone_: by steps_
    std::unordered_map<std::string, Rules::iterator> at_;   // by name, but for built-in ones
    std::set<std::pair<std::string, std::string>> askers_;  // rules and who asks for their flows
    std::vector<Step> steps_;                               // of the changes under way
};

}  // namespace ravelin::control
