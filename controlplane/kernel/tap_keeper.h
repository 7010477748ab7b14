// SPDX-License-Identifier: Apache-2.0
// TapKeeper: holds the kernel's ends of the ports while no data plane does. A TAP without anybody
// loses its carrier, and routing daemons give up every session over it; with a queue that is
// attached but switched off it keeps it for the second a new data plane needs.
#pragma once
#include <map>
#include <set>
#include <string>

#include "controlplane/loop/unique_fd.h"

namespace ravelin::control {

class TapKeeper {
  public:
    /// Holds exactly `names`; those held until now and no longer wanted are given up for good: they
    /// vanish as soon as no data plane has them open. Error: which could not be held.
    Status keep(const std::set<std::string>& names);
    /// As keep() of none.
    void release();

  private:
    static void give_up(const UniqueFd& fd);
    std::map<std::string, UniqueFd> held_;
};

}  // namespace ravelin::control
