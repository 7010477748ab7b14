// SPDX-License-Identifier: Apache-2.0
// Stages that exist in this program alone: after_<stage> does nothing but read the TSC, so that
// every stage's share of a packet's cost can be told. Each costs about one cycle a packet itself.
#pragma once
#include <array>
#include <cstdint>

namespace ravelin::perf {

inline constexpr std::array kProbed{"receive", "parse", "steer",   "route", "firewall", "neighbour",
                                    "local",   "clamp", "rewrite", "nat",   "classify"};

/// Since reset_probes(): cycles between the probe before and this one, packets and bursts that came
/// by.
struct Section {
    uint64_t cycles = 0, packets = 0, bursts = 0;
};
const std::array<Section, kProbed.size()>& probes();
void reset_probes();

}  // namespace ravelin::perf
