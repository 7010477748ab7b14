// SPDX-License-Identifier: Apache-2.0
// What is said of a reservation, and what of it was granted. Not a part of the configuration yet.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"

namespace ravelin::model {

/// In place of a number: cpu and bytes may be those of another principal's reservation.
inline constexpr std::string_view kSharedWith = "shared-with ";

inline constexpr int64_t kLongestReserved = 3'600'000'000'000;  // ns

inline constexpr std::array kReservationFields{
    config::Field{.name = "name",
                  .type = config::Type::kName,
                  .help = "Principal whose packets it is for.",
                  .required = true},
    config::Field{
        .name = "cpu",
        .type = config::Type::kText,
        .help = "Cycles that functions take for a packet, like 600cyc/pkt; or shared-with NAME: "
                "of what that principal reserved."},
    config::Field{.name = "bytes",
                  .type = config::Type::kText,
                  .help =
                      "Bytes of its longest IP packet, like 1500; or shared-with NAME. What the "
                      "wire takes beside is added. Needs out."},
    config::Field{.name = "rate",
                  .type = config::Type::kPacketRate,
                  .help = "Packets a second.",
                  .required = true,
                  .minimum = 1,
                  .maximum = 1'000'000'000},
    config::Field{.name = "deadline",
                  .type = config::Type::kDuration,
                  .help = "Longest time from when the port's queue takes a packet to its last bit; "
                          "default: one over the rate. A packet that comes before its rate allows "
                          "counts from when that allows it.",
                  .minimum = 1'000,
                  .maximum = kLongestReserved},
    config::Field{.name = "in",
                  .type = config::Type::kName,
                  .help = "Port its packets come in by; default: any."},
    config::Field{.name = "out",
                  .type = config::Type::kName,
                  .help = "Port its packets leave by, which has a rate."},
    config::Field{.name = "cpu-time",
                  .type = config::Type::kDuration,
                  .help = "The worker's part of the deadline; set by the control plane.",
                  .minimum = 0,
                  .maximum = kLongestReserved},
    config::Field{.name = "link-time",
                  .type = config::Type::kDuration,
                  .help = "The port's part of the deadline; set by the control plane.",
                  .minimum = 0,
                  .maximum = kLongestReserved},
};
inline constexpr config::Schema kReservationSchema{
    "reservation",
    "A deadline for a principal's packets: granted when all can be kept, refused otherwise.",
    kReservationFields};

}  // namespace ravelin::model
