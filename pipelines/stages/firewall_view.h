// SPDX-License-Identifier: Apache-2.0
// A flow in words, for `ravelin flows` and explain. Control thread, on a copy of the flow.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/flow.h"
#include "dataplane/snapshot.h"

namespace ravelin::firewall {

/// Originator first.
struct FlowView {
    std::string protocol;  ///< "tcp", or the number
    IpAddress source, destination;
    uint16_t source_port = 0, destination_port = 0;  ///< ICMP echo: the identifier twice
    /// As the other side sees them; empty: not translated.
    std::string outer_source, outer_destination;
    std::string_view state;         ///< "established", "syn-sent", "request", ...
    std::string rule;               ///< empty: none accepts it any more (keep-established)
    std::string in_port, out_port;  ///< of the originator's packets; "local", or empty
    /// Empty: none are declared, or it was not judged under the policy in force yet.
    std::string principal{};
    uint64_t generation = 0;  ///< that judged it last; 0: an earlier one than that in force
    bool proven = false;      ///< answered
    uint64_t packets_out = 0, bytes_out = 0, packets_back = 0, bytes_back = 0;
    uint32_t expires_ms = 0;  ///< 0: any moment
};

/// `policy`: the one in force; its rules and ports give the names. `translation`: the flow's, or
/// what is none.
FlowView describe(const Flow& flow, const FlowTranslation& translation,
                  const PolicySnapshot& policy, uint32_t now_ms);

/// "tcp 192.0.2.1:1234 > 198.51.100.7:80 established, rule web", one line.
std::string to_string(const FlowView& view);

}  // namespace ravelin::firewall
