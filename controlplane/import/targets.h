// SPDX-License-Identifier: Apache-2.0
// What the targets of iptables do, as far as it matters here.
#pragma once
#include <string>

namespace ravelin::import {

/// Of the table nat: another address or port.
bool translates(const std::string& target);
bool logs(const std::string& target);
/// Targets after which the chain goes on.
bool goes_on(const std::string& target);
/// Whether `word` is an option of the target. Any may be one of a target that goes on.
bool takes_option(const std::string& target, const std::string& word);

}  // namespace ravelin::import
