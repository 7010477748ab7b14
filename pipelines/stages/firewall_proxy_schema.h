// SPDX-License-Identifier: Apache-2.0
// What a rule's syn-proxy is configured with. Part of firewall_schema.h.
#pragma once
#include <array>

#include "dataplane/config/schema.h"

namespace ravelin::firewall {

inline constexpr std::array kSynProxyFields{
    config::Field{.name = "mss",
                  .type = config::Type::kInteger,
                  .help = "Segment size in bytes that the servers announce over IPv4; over IPv6 20 "
                          "less.",
                  .fallback = "1460",
                  .minimum = 88,
                  .maximum = 65495},
    config::Field{.name = "window-scale",
                  .type = config::Type::kInteger,
                  .help = "Window scale that the servers announce; windows of one that announces "
                          "another are rescaled.",
                  .fallback = "7",
                  .minimum = 0,
                  .maximum = 14},
    config::Field{.name = "sack",
                  .type = config::Type::kBool,
                  .help = "Whether the servers permit selective acknowledgments.",
                  .fallback = "true"},
    config::Field{.name = "timestamps",
                  .type = config::Type::kBool,
                  .help = "Whether the servers send timestamps.",
                  .fallback = "true"},
    config::Field{.name = "above",
                  .type = config::Type::kPacketRate,
                  .help = "New connections a second, of all workers together, up to which servers "
                          "get SYNs directly, a tenth of a second's at once; default: none.",
                  .minimum = 1,
                  .maximum = 1'000'000'000},
};
inline constexpr config::Schema kSynProxySchema{
    "rule syn-proxy",
    "Completes a TCP handshake by SYN cookie (RFC 4987) before the server hears of it, so that "
    "forged SYNs cost neither server nor firewall any state. Not for the box itself.",
    kSynProxyFields};

}  // namespace ravelin::firewall
