// SPDX-License-Identifier: Apache-2.0
// A file's filtering as lines of Ravelin's `rules:`.
#pragma once
#include "controlplane/import/flatten.h"
#include "controlplane/import/rule_text.h"

namespace ravelin::import {

/// FORWARD and INPUT with what raw and mangle deny before them; remarks on OUTPUT.
std::vector<std::string> filter_rules(const File& file, const Interfaces& interfaces, Names& names,
                                      Remarks& remarks);
/// Lines of the `rules:` of the stage nat.
std::vector<std::string> nat_rules(const File& file, const Interfaces& interfaces, Names& names,
                                   Remarks& remarks);

}  // namespace ravelin::import
