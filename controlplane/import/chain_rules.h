// SPDX-License-Identifier: Apache-2.0
// FORWARD or INPUT of all tables as rules: which of their flows may live, which answers pass.
#pragma once
#include <string>
#include <vector>

#include "controlplane/import/rule_writer.h"

namespace ravelin::import {

class ChainRules {
  public:
    /// `chain`: FORWARD or INPUT. `before`: what PREROUTING has denied, written by others.
    ChainRules(const File& file, const Interfaces& interfaces, const std::string& chain,
               const std::vector<Decision>& before, RuleWriter& writer, Remarks& remarks);
    /// Tells the writer; of both chains, before the first is written.
    void count() const;
    void write();

  private:
    void append(const char* table, Flattener::Use use, const std::string& chain);
    void add_policy();
    void take_logs();
    void accept(size_t at);
    [[nodiscard]] bool accepts_behind(size_t at) const;
    [[nodiscard]] bool denies_parts_before(size_t at) const;
    void mirror(const Decision& d, const Box& denied);
    void check_own_answers();

    const File& file_;
    std::string chain_;
    bool input_;
    RuleWriter& writer_;
    Remarks& remarks_;
    Box start_;
    std::vector<Decision> decisions_;
    size_t own_ = 0;  ///< those before it are others'
    std::vector<Box> mirrored_;
};

}  // namespace ravelin::import
