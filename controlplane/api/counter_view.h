// SPDX-License-Identifier: Apache-2.0
// CounterView: the data plane's counter segment, opened again whenever it is replaced.
#pragma once
#include <optional>
#include <string>

#include "controlplane/compile/slots.h"
#include "dataplane/counters.h"

namespace ravelin::control {

class CounterView {
  public:
    /// Where the data plane says they are.
    void set_path(const std::string& path);
    /// Null: there are none; problem() says why.
    const CounterReader* reader();
    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    /// What a rule's slot counts now, for the slot map.
    SlotMap::Reading read_slot(uint32_t slot);

  private:
    std::string path_;
    std::string problem_ = "the data plane has not said where its counters are";
    std::optional<CounterReader> reader_;
};

}  // namespace ravelin::control
