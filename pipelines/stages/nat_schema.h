// SPDX-License-Identifier: Apache-2.0
// What `nat` is configured with. Constant data without EAL.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "dataplane/config/schema.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin::nat {

using config::Field;
using config::Schema;
using config::Type;

enum class Kind : uint8_t { kMasquerade, kSource, kDestination, kStatic };
inline constexpr std::array<std::string_view, 4> kKindWords{"masquerade", "source", "destination",
                                                            "static"};

inline constexpr std::array kRuleFields{
    Field{.name = "name", .type = Type::kName, .help = "Unique.", .required = true},
    Field{.name = "kind",
          .type = Type::kEnum,
          .help = "masquerade: flows leave with an address of their out port; source: with one of "
                  "address; destination: packets to `to` go to address; static: `to` outside is "
                  "address inside, one to one, in both directions.",
          .required = true,
          .words = kKindWords},
    Field{.name = "in",
          .type = Type::kNameSet,
          .help = "Ports the first packet of a flow comes in by; of a static rule the outer ports, "
                  "by which inner hosts leave with their outer address. Default: any."},
    Field{.name = "out",
          .type = Type::kNameSet,
          .help = "Ports the flow leaves by, of masquerade and source. Default: any."},
    Field{.name = "from",
          .type = Type::kPrefixSet,
          .help = "Source addresses before translation; default: any."},
    Field{.name = "to",
          .type = Type::kPrefixSet,
          .help = "Destination addresses: of destination and static as they arrive, and they need "
                  "it; of the others after translation. Default: any."},
    Field{.name = "protocol",
          .type = Type::kNameSet,
          .help = "Protocols by name or number, as in firewall rules; default: any."},
    Field{.name = "from-ports", .type = Type::kPortSet, .help = "Source ports; default: any."},
    Field{.name = "to-ports",
          .type = Type::kPortSet,
          .help = "Destination ports, of destination as they arrive; default: any."},
    Field{.name = "address",
          .type = Type::kPrefixSet,
          .help = "source: the pool, of which an inner host gets the same address while its ports "
                  "last; destination: one address, or a prefix of the length of `to`; static: the "
                  "inner prefix, of that length too."},
    Field{.name = "ports",
          .type = Type::kPortSet,
          .help = "One range. masquerade and source: the ports and echo identifiers to leave with, "
                  "shared out to the workers (default 1024-65535); destination: the new port, or "
                  "as many as to-ports."},
    Field{.name = "hairpin",
          .type = Type::kBool,
          .help = "destination and static: take packets from every port, and let those that leave "
                  "by the port they came in by have an address of the box as source, so that inner "
                  "hosts reach inner servers by the outer address.",
          .fallback = "false"},
    Field{.name = "slot",
          .type = Type::kInteger,
          .help = "Hit counter of its packets; set by the control plane so that counts survive a "
                  "change of order.",
          .minimum = 0,
          .maximum = firewall::kReservedSlots - 1},
    Field{.name = "new-slot",
          .type = Type::kInteger,
          .help = "The same of the flows that it begins to translate.",
          .minimum = 0,
          .maximum = firewall::kReservedSlots - 1},
    Field{.name = "disabled",
          .type = Type::kBool,
          .help = "Keep the rule, but match nothing with it.",
          .fallback = "false"},
};
inline constexpr Schema kRuleSchema{
    "nat rule", "One translation; of the rules for an end, the first that matches decides.",
    kRuleFields};

inline constexpr std::array kFields{
    Field{.name = "rules",
          .type = Type::kList,
          .help = "In order. destination and static translate what arrives, masquerade, source and "
                  "static the sources of new flows that the firewall has accepted.",
          .fallback = "[]",
          .nested = &kRuleSchema},
};
inline constexpr Schema kSchema{
    "stage nat", "Translates IPv4 addresses and ports (NAT44); IPv6 is left alone.", kFields};

/// What a rule's hit counters are called among those of firewall rules, whose names have no colon.
inline std::string counted_as(const std::string& rule) { return "nat:" + rule; }
inline std::string new_counted_as(const std::string& rule) { return "nat:" + rule + ":new"; }

}  // namespace ravelin::nat
