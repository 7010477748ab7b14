// SPDX-License-Identifier: Apache-2.0
// Addresses and networks as iptables-save writes them.
#pragma once
#include <optional>
#include <string>

#include "controlplane/import/box.h"
#include "dataplane/address.h"

namespace ravelin::import {

Wide wide(const IpAddress& a);
/// Nothing: no address, or of the other family.
std::optional<IpAddress> address_of(const std::string& text, bool v6);
/// "10.0.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::1".
std::optional<Range> network(const std::string& text, bool v6);

}  // namespace ravelin::import
