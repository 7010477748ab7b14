// SPDX-License-Identifier: Apache-2.0
// A small schema with one field of every type, for the loader's tests and its fuzz target.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "controlplane/config/yaml_loader.h"

namespace ravelin::config::testing {

inline constexpr std::array<std::string_view, 3> kActions{"allow", "deny", "reset"};
inline constexpr std::array<std::string_view, 3> kStates{"new", "established", "related"};
inline constexpr std::array kPortFields{
    Field{.name = "name", .type = Type::kName, .help = "Its name.", .required = true},
    Field{.name = "mtu",
          .type = Type::kSize,
          .help = "Largest frame.",
          .fallback = "1500B",
          .minimum = 64,
          .maximum = 9000},
    Field{.name = "address", .type = Type::kInterface, .help = "Own address."},
    Field{.name = "extra", .type = Type::kInterfaceSet, .help = "More addresses."},
    Field{.name = "mac", .type = Type::kMac, .help = "Own MAC."},
    Field{.name = "rate", .type = Type::kRate, .help = "Line rate."},
    Field{.name = "note", .type = Type::kText, .help = "Free text."},
    Field{.name = "labels", .type = Type::kTextSet, .help = "More of it."},
};
inline constexpr Schema kPort{"port", "One NIC.", kPortFields};
inline constexpr std::array kRuleFields{
    Field{.name = "action",
          .type = Type::kEnum,
          .help = "What to do.",
          .fallback = "allow",
          .words = kActions},
    Field{.name = "protocol",
          .type = Type::kInteger,
          .help = "IP protocol.",
          .minimum = 0,
          .maximum = 255},
    Field{.name = "source", .type = Type::kPrefixSet, .help = "From."},
    Field{.name = "ports", .type = Type::kPortSet, .help = "Destination ports."},
    Field{.name = "state",
          .type = Type::kEnumSet,
          .help = "Connection states.",
          .fallback = "[new, established]",
          .words = kStates},
    Field{.name = "inputs", .type = Type::kNameSet, .help = "Ports it came in by."},
    Field{.name = "log", .type = Type::kBool, .help = "Log it.", .fallback = "false"},
};
inline constexpr Schema kRule{"rule", "One rule.", kRuleFields};
inline constexpr std::array kFirewallFields{
    Field{.name = "rules",
          .type = Type::kList,
          .help = "In order.",
          .fallback = "[]",
          .nested = &kRule},
    Field{.name = "idle",
          .type = Type::kDuration,
          .help = "Until forgotten.",
          .fallback = "5m",
          .minimum = 1'000'000'000},
};
inline constexpr Schema kFirewall{"stage firewall", "Filters.", kFirewallFields};
inline constexpr std::array kPoliceFields{Field{.name = "limit",
                                                .type = Type::kPacketRate,
                                                .help = "Packets.",
                                                .required = true,
                                                .maximum = 1'000'000}};
inline constexpr Schema kPolice{"stage police", "Limits.", kPoliceFields};
inline constexpr Schema kParse{"stage parse", "Reads headers.", {}};
inline constexpr std::array kLimitFields{
    Field{.name = "flows",
          .type = Type::kInteger,
          .help = "Table size.",
          .fallback = "1000",
          .minimum = 1},
    Field{.name = "cycles",
          .type = Type::kCycleRate,
          .help = "Time.",
          .minimum = 1'000'000,
          .maximum = 2'000'000'000},
    Field{.name = "server", .type = Type::kAddress, .help = "Peer."},
    Field{.name = "network", .type = Type::kPrefix, .help = "Home."},
};
inline constexpr Schema kLimits{"limits", "Bounds.", kLimitFields};
inline constexpr std::array kTopFields{
    Field{.name = "sets", .type = Type::kSets, .help = "Named sets."},
    Field{.name = "ports", .type = Type::kList, .help = "NICs.", .nested = &kPort},
    Field{.name = "limits",
          .type = Type::kMap,
          .help = "Bounds.",
          .fallback = "{}",
          .nested = &kLimits},
    Field{.name = "pipeline", .type = Type::kStages, .help = "Stages in order."},
};
inline constexpr Schema kTop{"document", "The whole.", kTopFields};
inline constexpr std::array<std::string_view, 3> kStageNames{"parse", "firewall", "police"};

inline const Schema* stage_schema(std::string_view name) {
    if (name == "parse") return &kParse;
    if (name == "firewall") return &kFirewall;
    return name == "police" ? &kPolice : nullptr;
}

inline Result<Loaded> load(std::string_view yaml, const std::string& file = "edge.yaml") {
    return load_text(yaml, file, kTop, stage_schema, kStageNames);
}

}  // namespace ravelin::config::testing
