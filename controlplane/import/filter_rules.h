// SPDX-License-Identifier: Apache-2.0
// A file's nat and filtering as lines of Ravelin's `rules:`.
#pragma once
#include "controlplane/import/flatten.h"
#include "controlplane/import/rule_text.h"

namespace ravelin::import {

/// A rule of nat with a new destination, as written.
struct Destination {
    Box box;  ///< what it takes
    Numbers addresses;
    Numbers ports;  ///< empty: as they were
};
struct NatRules {
    std::vector<std::string> lines;
    std::vector<Destination> destinations;
    /// What the source gives another destination and the lines do not: it never came to the filter
    /// so, and Ravelin's firewall must not judge it by the old one.
    std::vector<Decision> denials;
};
/// PREROUTING and POSTROUTING of nat; remarks on OUTPUT and INPUT.
NatRules nat_rules(const File& file, const Interfaces& interfaces, Names& names, Remarks& remarks);

/// FORWARD and INPUT of filter with what nat leaves and raw, mangle and security deny; remarks on
/// OUTPUT and on other tables.
std::vector<std::string> filter_rules(const File& file, const Interfaces& interfaces,
                                      const NatRules& nat, Names& names, Remarks& remarks);

}  // namespace ravelin::import
