// SPDX-License-Identifier: Apache-2.0
// What the neighbour stage is configured with.
#pragma once
#include <array>

#include "dataplane/config/schema.h"

namespace ravelin::neighbour_schema {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array kStaticFields{
    Field{.name = "port",
          .type = Type::kName,
          .help = "The port the neighbour is on.",
          .required = true},
    Field{.name = "address", .type = Type::kAddress, .help = "Its IP address.", .required = true},
    Field{.name = "mac",
          .type = Type::kMac,
          .help = "Its MAC address; no message changes it.",
          .required = true},
};
inline constexpr Schema kStaticSchema{"static neighbour", "A neighbour that is not asked for.",
                                      kStaticFields};
inline constexpr std::array kFields{
    Field{.name = "static",
          .type = Type::kList,
          .help = "Neighbours whose MAC address is fixed.",
          .fallback = "[]",
          .nested = &kStaticSchema},
    Field{.name = "icmp-rate",
          .type = Type::kPacketRate,
          .help = "Most host-unreachable messages a second; a tenth of it for one sender.",
          .fallback = "1000pps",
          .minimum = 0,
          .maximum = 1'000'000},
};
inline constexpr Schema kSchema{
    "stage neighbour", "Finds the MAC addresses of neighbours and tells them the box's own.",
    kFields};

}  // namespace ravelin::neighbour_schema
