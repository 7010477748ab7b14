// SPDX-License-Identifier: Apache-2.0
// What a file's rules do to each other beyond their order.
#pragma once
#include "controlplane/import/iptables.h"

namespace ravelin::import {

/// More rules than this, jumps resolved, are refused: as many as Ravelin takes.
inline constexpr size_t kMostRules = 65'536;

/// Error: a chain that comes back to itself, or that has more than kMostRules rules.
Status check_chains(const File& file);
/// Where a target changes a header field, later matches by it see another value than the firewall
/// does: they become unknown.
void distrust_changed_fields(File& file);

}  // namespace ravelin::import
