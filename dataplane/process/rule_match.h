// SPDX-License-Identifier: Apache-2.0
// Whether a rule takes a packet, found by comparing one dimension after the other: nothing of the
// classifier's tables is used, so that a proof does not rest on what it proves.
#pragma once
#include "dataplane/packet.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin {

/// `meta` as the firewall left it; false where it did not see the packet. What the classifier does
/// not know of the rule (rates, header fields, live sets) is not looked at.
bool takes(const firewall::NamedRule& rule, const PacketMeta& meta);

}  // namespace ravelin
