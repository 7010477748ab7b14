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

inline constexpr Field kMtu{
    .name = "mtu",
    .type = Type::kSize,
    .help = "Largest IP packet sent this way, where the port's MTU is larger; IPv6 needs 1280B.",
    .minimum = 576,
    .maximum = 9600};

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
    kMtu,
};
inline constexpr Schema kRouteSchema{"route", "Next hops for a set of destinations.", kRouteFields};

inline constexpr std::array kTableFields{
    Field{.name = "name", .type = Type::kName, .help = "What rules call it.", .required = true},
    Field{.name = "routes",
          .type = Type::kList,
          .help = "Its routes; networks of the ports are not in it unless listed.",
          .required = true,
          .nested = &kRouteSchema},
};
inline constexpr Schema kTableSchema{"route table", "Routes that rules choose.", kTableFields};

inline constexpr std::array<std::string_view, 2> kFamilies{"ip4", "ip6"};
inline constexpr std::array kRuleFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "What errors and explain call it.",
          .required = true},
    Field{.name = "in",
          .type = Type::kNameSet,
          .help = "Ports the packet was received on; default: any."},
    Field{.name = "family",
          .type = Type::kEnum,
          .help = "IP version; default: that of via, else both.",
          .words = kFamilies},
    Field{.name = "from",
          .type = Type::kPrefixSet,
          .help = "Source addresses; default: any. An empty set matches nothing."},
    Field{.name = "to",
          .type = Type::kPrefixSet,
          .help = "Destination addresses; default: any. An empty set matches nothing."},
    Field{.name = "protocol",
          .type = Type::kNameSet,
          .help = "Protocols by name or number, as in firewall rules; default: any."},
    Field{.name = "from-ports",
          .type = Type::kPortSet,
          .help = "Source ports of TCP, UDP and SCTP; default: any."},
    Field{.name = "to-ports",
          .type = Type::kPortSet,
          .help = "Destination ports of TCP, UDP and SCTP; default: any."},
    Field{.name = "dscp",
          .type = Type::kNameSet,
          .help =
              "Differentiated services by name (cs0 to cs7, af11 to af43, ef, va, le) or number "
              "0 to 63; default: any."},
    Field{.name = "table",
          .type = Type::kName,
          .help = "The table to look the destination up in; without a route there the next rule is "
                  "tried, and the main table last. Or a next hop as in a route:"},
    kVia,
    kPort,
    kNextHopsField,
    kKind,
    kMtu,
};
inline constexpr Schema kRuleSchema{
    "route rule", "Sends packets that are not for the box by another way than the main table's.",
    kRuleFields};

inline constexpr std::array<std::string_view, 2> kDropOrAccept{"drop", "accept"};
inline constexpr std::array kFields{
    Field{.name = "routes",
          .type = Type::kList,
          .help = "Static routes; networks of the ports' addresses are known without.",
          .fallback = "[]",
          .nested = &kRouteSchema},
    Field{.name = "tables",
          .type = Type::kList,
          .help = "Named tables of routes beside the main one.",
          .fallback = "[]",
          .nested = &kTableSchema},
    Field{.name = "rules",
          .type = Type::kList,
          .help = "Policy routes for received packets, in order; they come before the main table, "
                  "connected networks included, but not before the box's own addresses.",
          .fallback = "[]",
          .nested = &kRuleSchema},
    Field{.name = "martians",
          .type = Type::kEnum,
          .help = "Packets to 0.0.0.0/8 and 240.0.0.0/4 (RFC 1812 section 5.3.7); accept routes "
                  "them. Packets from there are always dropped, by parse.",
          .fallback = "drop",
          .words = kDropOrAccept},
    Field{.name = "special-sources",
          .type = Type::kEnum,
          .help = "Packets from blocks that belong to nobody (RFC 6890): documentation networks, "
                  "192.0.0.0/24; drop them at the edge of the Internet.",
          .fallback = "accept",
          .words = kDropOrAccept},
    Field{.name = "directed-broadcast",
          .type = Type::kEnum,
          .help = "Packets to the broadcast address of another port's network (RFC 2644); accept "
                  "sends them to all on that link.",
          .fallback = "drop",
          .words = kDropOrAccept},
};
inline constexpr Schema kSchema{"stage route",
                                "Chooses the port and next hop by destination address.", kFields};

}  // namespace ravelin::route_schema
