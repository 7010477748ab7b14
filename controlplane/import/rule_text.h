// SPDX-License-Identifier: Apache-2.0
// Boxes in the words of Ravelin's configuration.
#pragma once
#include <set>
#include <string>

#include "controlplane/import/box.h"
#include "controlplane/import/iptables.h"

namespace ravelin::import {

/// Members of a rule for the box's dimensions but the state, each with ", " before it; none where a
/// dimension is whole.
std::string members_of(const Box& box, const Interfaces& interfaces, bool v6);
/// "[10.0.0.0/8, 10.1.2.3]"; a single one without brackets.
std::string prefixes_text(const Numbers& addresses, bool v6);
std::string ports_text(const Numbers& ports);
/// Names of interfaces in a flow list; `local` is named so.
std::string devices_text(const Numbers& devices, const Interfaces& interfaces);

/// Makes a name unique among those seen.
class Names {
  public:
    std::string unique(const std::string& name);

  private:
    std::set<std::string> seen_;
};

}  // namespace ravelin::import
