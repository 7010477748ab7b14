// SPDX-License-Identifier: Apache-2.0
// Decisions as lines of Ravelin's `rules:`.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/import/flatten.h"
#include "controlplane/import/rule_text.h"

namespace ravelin::import {

class RuleWriter {
  public:
    RuleWriter(const File& file, const Interfaces& interfaces, Names& names, Remarks& remarks)
        : file_(file), interfaces_(interfaces), names_(names), remarks_(remarks) {}

    /// To be told of all decisions before the first is written: a limit has one bucket in the
    /// source, and each rule here has its own.
    void count(const Decision& d);
    /// `accepts_behind`: whether a rule behind it takes packets of states that this one does not
    /// name.
    void deny(const Decision& d, bool accepts_behind);
    /// Stateless: each packet is judged by itself.
    void accept(const Decision& d, bool stateful);
    void remark(const Decision& d, const std::string& why, bool lost = true);
    std::vector<std::string> take() { return std::move(out_); }

  private:
    Decision unlimited(const Decision& d);
    void write(const Decision& d, const char* action, const std::string& states,
               bool stateful = true);

    const File& file_;
    const Interfaces& interfaces_;
    Names& names_;
    Remarks& remarks_;
    std::map<int, size_t> sharing_;  ///< rules by the line that limits them
    std::set<int> begun_;            ///< limits that an accept has
    std::vector<std::string> out_;
};

}  // namespace ravelin::import
