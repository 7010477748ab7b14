// SPDX-License-Identifier: Apache-2.0
// One reservation as the configuration writes it (reservation_schema.h), read.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::model {

/// A part of one resource: work of its own, or what another principal reserved.
struct Wanted {
    uint64_t work = 0;             ///< cycles, or bytes on the wire; 0: shared
    std::string shared_with = {};  ///< principal
    bool operator==(const Wanted&) const = default;
};

struct Reservation {
    std::string principal;
    std::optional<Wanted> cpu, link;
    std::string in, out;               ///< ports; empty: any, none
    int64_t period = 0, deadline = 0;  ///< ns; period: one over the rate, rounded down
    /// What was granted; of a shared part the referent's time. None: nothing was yet.
    std::optional<int64_t> cpu_time, link_time;  // ns
    /// Whether the same is asked for.
    [[nodiscard]] bool asks_as(const Reservation& other) const;
};

/// Bytes that the wire takes for a packet beside its IP packet: Ethernet header, check sequence,
/// preamble, gap.
inline constexpr uint64_t kWireOverhead = 14 + 24;

/// `tags`: VLAN tags that packets leave with, 4 bytes each. Error: "cpu: found ..., expected ...".
Result<Reservation> read_reservation(const config::Node& node, unsigned tags);

/// The node with what was granted in it.
config::Node granted(const config::Node& node, const Reservation& reservation);

}  // namespace ravelin::model
