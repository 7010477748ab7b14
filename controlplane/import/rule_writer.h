// SPDX-License-Identifier: Apache-2.0
// Decisions as lines of Ravelin's `rules:`.
#pragma once
#include <string>
#include <vector>

#include "controlplane/import/flatten.h"
#include "controlplane/import/rule_text.h"

namespace ravelin::import {

class RuleWriter {
  public:
    RuleWriter(const File& file, const Interfaces& interfaces, Names& names, Remarks& remarks)
        : file_(file), interfaces_(interfaces), names_(names), remarks_(remarks) {}

    void deny(const Decision& d);
    /// Stateless: each packet is judged by itself.
    void accept(const Decision& d, bool stateful);
    void remark(const Decision& d, const std::string& why, bool lost = true);
    std::vector<std::string> take() { return std::move(out_); }

  private:
    void write(const Decision& d, const char* action, const std::string& states,
               bool stateful = true);

    const File& file_;
    const Interfaces& interfaces_;
    Names& names_;
    Remarks& remarks_;
    std::vector<std::string> out_;
};

}  // namespace ravelin::import
