// SPDX-License-Identifier: Apache-2.0
// What the configuration says of a reservation.
#pragma once
#include <array>

#include "dataplane/config/schema.h"

namespace ravelin::model {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array kReservationFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "What refusals call it; no two have the same.",
          .required = true},
    Field{.name = "principal",
          .type = Type::kName,
          .help = "Whose packets it is for: those charged to it, not to one below it.",
          .required = true},
    Field{.name = "out",
          .type = Type::kName,
          .help = "Port they leave by: one with a rate, or a sub-interface of such a one.",
          .required = true},
    Field{.name = "bytes",
          .type = Type::kSize,
          .help = "Of its longest IP packet; what the wire takes beside is added.",
          .required = true,
          .minimum = 1,
          .maximum = 9600},
    Field{.name = "rate",
          .type = Type::kPacketRate,
          .help = "Packets a second.",
          .required = true,
          .minimum = 1,
          .maximum = 1'000'000'000},
    Field{.name = "deadline",
          .type = Type::kDuration,
          .help = "Longest time from when the port's queue takes a packet to its last bit on the "
                  "wire; default: one over the rate. A packet that comes before its rate allows "
                  "counts from when that allows it.",
          .minimum = 1'000,
          .maximum = 3'600'000'000'000},
    Field{.name = "cpu",
          .type = Type::kText,
          .help = "Cycles that functions take for a packet: refused while workers run none."},
};
inline constexpr Schema kReservationSchema{
    "reservation", "A deadline for a principal's packets at a port with a rate.",
    kReservationFields};

}  // namespace ravelin::model
