// SPDX-License-Identifier: Apache-2.0
// One rule of iptables-save: the words behind `-A CHAIN`.
#pragma once
#include "controlplane/import/iptables.h"

namespace ravelin::import {

/// Fills `rule`, whose box is everything of its family.
void read_rule(const std::vector<std::string>& words, bool v6, const Interfaces& interfaces,
               Line& rule);

}  // namespace ravelin::import
