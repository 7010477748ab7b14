// SPDX-License-Identifier: Apache-2.0
// Floods: frames of one kind of attack after another, the same in every run.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "perf/bench/traffic.h"

namespace ravelin::perf {

class Flood {
  public:
    virtual ~Flood() = default;
    /// Writes the next frame; the port it comes in by.
    virtual PortId next(rte_mbuf* frame, const Box& box) = 0;
};

struct FloodKind {
    const char* name;
    const char* help;
    std::unique_ptr<Flood> (*make)();  ///< null: not on this machine
};
/// Every kind there is.
const std::vector<FloodKind>& flood_kinds();

/// The firewall's rules the floods aim at: what they may do and what not.
inline constexpr const char* kFloodRules =
    "{name: out, action: accept, in: lan},\n"
    "      {name: web, action: accept, in: wan, to: 10.200.0.0/16, protocol: tcp, to-ports: 443},\n"
    "      {name: dns, action: accept, in: wan, to: 10.200.0.0/16, protocol: udp, to-ports: 53},\n"
    "      {name: ping, action: accept, in: wan, protocol: icmp}";

}  // namespace ravelin::perf
