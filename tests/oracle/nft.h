// SPDX-License-Identifier: Apache-2.0
// Translator: a Ravelin firewall configuration -> an nftables ruleset with the same verdicts. It
// reads the typed configuration tree itself, not what the firewall compiled from it. What nftables
// cannot say exactly is refused with the rule's name, never left out.
#pragma once
#include <string>

#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::oracle {

/// What marker packets have in common ; the ruleset lets them pass, unseen by conntrack.
inline constexpr const char* kMarkerSource = "10.255.255.254";
inline constexpr const char* kMarkerDestination = "203.0.113.254";
inline constexpr unsigned kMarkerProtocol = 253;  // RFC 3692: for experiments

/// What a rule asks of header fields beyond addresses, ports and types, for one family; kNever
/// where no forwarded packet can have it.
std::string header_clause(const config::Node& rule, bool v4);
inline constexpr const char* kNever = "never";

/// `firewall`: the stage's configuration, conforming to its schema. Port names become device names;
/// `out: local` becomes a rule of the input hook's kind that a forward chain never meets.
Result<std::string> to_nft(const config::Node& firewall);

}  // namespace ravelin::oracle
