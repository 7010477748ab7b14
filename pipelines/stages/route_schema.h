// SPDX-License-Identifier: Apache-2.0
// What `route` is configured with.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"

namespace ravelin::route_schema {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array<std::string_view, 4> kKinds{"forward", "blackhole", "unreachable",
                                                        "prohibit"};

inline constexpr std::array kNextHopFields{
    Field{.name = "via",
          .type = Type::kAddress,
          .help = "The router; on a connected network unless port is given."},
    Field{.name = "port",
          .type = Type::kName,
          .help = "The port packets leave by; without via the destinations are hosts on its link."},
    Field{.name = "weight",
          .type = Type::kInteger,
          .help = "Share of the flows, relative to the other next hops.",
          .fallback = "1",
          .minimum = 1,
          .maximum = 255},
};
inline constexpr Schema kNextHopSchema{
    "next hop", "One of several ways; it is passed over while it cannot be reached.",
    kNextHopFields};

// The ways packets may go: of a route.
inline constexpr Field kVia{
    .name = "via",
    .type = Type::kAddress,
    .help = "The next router; on a connected network unless port is given."};
inline constexpr Field kPort{
    .name = "port",
    .type = Type::kName,
    .help = "The port packets leave by; without via the destinations are hosts on its link."};
inline constexpr Field kNextHopsField{
    .name = "next-hops",
    .type = Type::kList,
    .help =
        "Several ways instead of via and port, at most 64; a flow keeps its own as long as that "
        "can be reached.",
    .nested = &kNextHopSchema};
inline constexpr Field kKind{
    .name = "kind",
    .type = Type::kEnum,
    .help =
        "forward; blackhole drops in silence; unreachable and prohibit answer with an ICMP "
        "error.",
    .fallback = "forward",
    .words = kKinds};

inline constexpr std::array kRouteFields{
    Field{.name = "to",
          .type = Type::kPrefixSet,
          .help = "Destinations; of equal prefixes the later route wins, and connected networks "
                  "win over all.",
          .required = true},
    kVia,
    kPort,
    kNextHopsField,
    kKind,
};
inline constexpr Schema kRouteSchema{"route", "Next hops for a set of destinations.", kRouteFields};

inline constexpr std::array kFields{
    Field{.name = "routes",
          .type = Type::kList,
          .help = "Static routes; networks of the ports' addresses are known without.",
          .fallback = "[]",
          .nested = &kRouteSchema},
};
inline constexpr Schema kSchema{"stage route",
                                "Chooses the port and next hop by destination address.", kFields};

}  // namespace ravelin::route_schema
