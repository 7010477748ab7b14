// SPDX-License-Identifier: Apache-2.0
// What the firewall is configured with. Constant data without EAL: the control plane validates YAML
// with it, the data plane decodes the tree with it.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"
#include "pipelines/stages/firewall_extra_schema.h"
#include "pipelines/stages/firewall_proxy_schema.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin::firewall {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array<std::string_view, 3> kActionWords{"accept", "drop", "reject"};
inline constexpr std::array<std::string_view, 2> kPickupWords{"deny", "validated"};
inline constexpr std::array<std::string_view, 2> kFamilyWords{"ip4", "ip6"};
/// Bit i is StateBit 1 << i (firewall_rules.h).
inline constexpr std::array<std::string_view, 5> kStateWords{"new", "established", "related",
                                                             "invalid", "untracked"};

/// A word for ICMP types, with its number in either family; -1 where the family has none.
struct IcmpWord {
    std::string_view word;
    int icmp, icmp6;
};
inline constexpr std::array<IcmpWord, 19> kIcmpTypes{{
    {"echo-request", 8, 128},
    {"echo-reply", 0, 129},
    {"unreachable", 3, 1},
    {"packet-too-big", -1, 2},
    {"time-exceeded", 11, 3},
    {"parameter-problem", 12, 4},
    {"redirect", 5, 137},
    {"router-solicitation", 10, 133},
    {"router-advertisement", 9, 134},
    {"neighbour-solicitation", -1, 135},
    {"neighbour-advertisement", -1, 136},
    {"inverse-solicitation", -1, 141},
    {"inverse-advertisement", -1, 142},
    {"multicast-query", -1, 130},
    {"multicast-report", -1, 131},
    {"multicast-done", -1, 132},
    {"multicast-report-v2", -1, 143},
    {"timestamp-request", 13, -1},
    {"timestamp-reply", 14, -1},
}};
inline constexpr auto kIcmpWords = [] {
    std::array<std::string_view, kIcmpTypes.size()> words;
    for (size_t i = 0; i < words.size(); ++i) words[i] = kIcmpTypes[i].word;
    return words;
}();

inline constexpr std::array kRuleFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "Unique; a name of a built-in rule replaces that rule in its place.",
          .required = true},
    Field{.name = "action",
          .type = Type::kEnum,
          .help = "What becomes of a packet that matches; reject answers with a TCP reset or ICMP "
                  "administratively prohibited.",
          .required = true,
          .words = kActionWords},
    Field{.name = "in",
          .type = Type::kNameSet,
          .help = "Ports the packet was received on; default: any."},
    Field{.name = "out",
          .type = Type::kNameSet,
          .help = "Ports the packet will leave by, local for the box itself; default: any."},
    Field{.name = "family",
          .type = Type::kEnum,
          .help = "IP version; default: both.",
          .words = kFamilyWords},
    Field{.name = "from",
          .type = Type::kPrefixSet,
          .help = "Source addresses; default: any. An empty set matches nothing.",
          .live = true},
    Field{.name = "to",
          .type = Type::kPrefixSet,
          .help = "Destination addresses; default: any. An empty set matches nothing.",
          .live = true},
    Field{.name = "protocol",
          .type = Type::kNameSet,
          .help = "Protocols by name (tcp udp icmp icmp6 sctp esp ah gre igmp ospf vrrp any) or "
                  "number; default: any."},
    Field{.name = "from-ports",
          .type = Type::kPortSet,
          .help = "Source ports of TCP, UDP and SCTP; default: any.",
          .live = true},
    Field{.name = "to-ports",
          .type = Type::kPortSet,
          .help = "Destination ports of TCP, UDP and SCTP; default: any.",
          .live = true},
    Field{.name = "from-endpoint",
          .type = Type::kLiveSet,
          .help = "Source address and port, in a live set of endpoints."},
    Field{.name = "to-endpoint",
          .type = Type::kLiveSet,
          .help = "Destination address and port, in a live set of endpoints."},
    Field{.name = "from-to",
          .type = Type::kLiveSet,
          .help = "Source and destination address, in a live set of address-pairs."},
    Field{.name = "icmp-types",
          .type = Type::kEnumSet,
          .help =
              "ICMP and ICMPv6 types by name, each with its number of either family; default: any.",
          .words = kIcmpWords},
    Field{.name = "icmp-type-numbers",
          .type = Type::kNameSet,
          .help = "ICMP and ICMPv6 types by number, beside those of icmp-types."},
    Field{.name = "hop-limit",
          .type = Type::kInteger,
          .help = "TTL or hop limit the packet must have exactly; 255 proves that it comes from "
                  "the link.",
          .minimum = 1,
          .maximum = 255},
    Field{.name = "ttl",
          .type = Type::kNameSet,
          .help = "TTLs or hop limits the packet may have: numbers and ranges like 1-64."},
    Field{
        .name = "dscp",
        .type = Type::kNameSet,
        .help = "DSCPs the packet may have: be, le, cs0 to cs7, af11 to af43, va, ef, or numbers."},
    Field{.name = "length",
          .type = Type::kName,
          .help = "Bytes of the IP packet, headers included: a number or a range like 0-576."},
    Field{.name = "tcp-flags",
          .type = Type::kText,
          .help = "Those set of those looked at: syn/syn,ack is a SYN without ACK, whatever else "
                  "is set; none/... is none of them."},
    Field{.name = "fragment",
          .type = Type::kBool,
          .help = "Whether the packet is a fragment, the first one included; default: any."},
    Field{.name = "options",
          .type = Type::kBool,
          .help = "Whether it has IPv4 options or IPv6 extension headers; default: any."},
    Field{.name = "limit",
          .type = Type::kMap,
          .help = "A rate; beyond it the rule does not match and the next one is asked.",
          .nested = &kLimitSchema},
    Field{.name = "connections",
          .type = Type::kMap,
          .help = "A number of live flows; beyond it the rule does not match and the next one is "
                  "asked.",
          .nested = &kConnectionSchema},
    Field{.name = "syn-proxy",
          .type = Type::kMap,
          .help = "New TCP connections that the rule accepts prove their source before the server "
                  "hears of them.",
          .nested = &kSynProxySchema},
    Field{.name = "tcp-window",
          .type = Type::kEnum,
          .help = "TCP window checks of the flows this rule accepts; default: as the stage says.",
          .words = kWindowWords},
    Field{.name = "state",
          .type = Type::kEnumSet,
          .help = "States the packet may have; default: all but invalid. Packets of a flow that "
                  "was accepted meet no rule.",
          .words = kStateWords},
    Field{.name = "principal",
          .type = Type::kName,
          .help = "Principal that is charged for what the rule matches, flows in both directions; "
                  "default: by prefix or port."},
    Field{.name = "stateful",
          .type = Type::kBool,
          .help = "Whether an accepted packet opens a flow that lets answers pass; false judges "
                  "each packet by itself.",
          .fallback = "true"},
    Field{.name = "log",
          .type = Type::kBool,
          .help = "Log the packet that opens a flow or is denied.",
          .fallback = "false"},
    Field{.name = "slot",
          .type = Type::kInteger,
          .help = "Hit counter; set by the control plane so that counts survive a change of order.",
          .minimum = 0,
          .maximum = firewall::kReservedSlots - 1},
    Field{.name = "disabled",
          .type = Type::kBool,
          .help = "Keep the rule, but match nothing with it.",
          .fallback = "false"},
};
inline constexpr Schema kRuleSchema{
    "rule", "One line of policy; the first rule that matches decides.", kRuleFields};

// Idle timeouts: bounds in nanoseconds as the tree has them; FlowTable keeps at most 2^30 ms.
inline constexpr int64_t kShortest = 1'000'000'000, kLongest = 12 * 86'400'000'000'000;
constexpr Field idle_timeout(std::string_view name, std::string_view help,
                             std::string_view fallback) {
    return {.name = name,
            .type = Type::kDuration,
            .help = help,
            .fallback = fallback,
            .minimum = kShortest,
            .maximum = kLongest};
}
inline constexpr std::array kTimeoutFields{
    idle_timeout("tcp-syn-sent", "A SYN was sent, nothing came back.", "240s"),
    idle_timeout("tcp-syn-received", "Both SYNs were sent.", "240s"),
    idle_timeout("tcp-established", "The connection stands; RFC 5382 asks for at least 124m.",
                 "124m"),
    idle_timeout("tcp-fin-wait", "One side has closed.", "240s"),
    idle_timeout("tcp-close-wait", "One side has closed and was heard.", "240s"),
    idle_timeout("tcp-last-ack", "Both sides have closed.", "240s"),
    idle_timeout("tcp-time-wait", "Both sides have closed and were heard.", "120s"),
    idle_timeout("tcp-closed", "The connection was reset.", "10s"),
    idle_timeout("udp", "UDP, not yet a conversation.", "30s"),
    idle_timeout("udp-stream", "UDP in both directions; RFC 4787 asks for at least 2m.", "180s"),
    idle_timeout("icmp", "ICMP echo.", "30s"),
    idle_timeout("other", "Every other protocol.", "600s"),
};
inline constexpr Schema kTimeoutSchema{
    "firewall timeouts", "How long a flow may be idle in each state.", kTimeoutFields};

inline constexpr std::array kFields{
    Field{.name = "default",
          .type = Type::kEnum,
          .help = "What becomes of a new packet that no rule matches.",
          .fallback = "drop",
          .words = kActionWords},
    Field{.name = "log-default",
          .type = Type::kBool,
          .help = "Log what the default denies.",
          .fallback = "false"},
    Field{.name = "rules",
          .type = Type::kList,
          .help = "In order; the first match decides. Built-in rules come before.",
          .fallback = "[]",
          .nested = &kRuleSchema},
    Field{.name = "builtin",
          .type = Type::kBool,
          .help = "Whether the built-in rules are there: ARP, neighbour discovery, ICMP errors "
                  "(RFC 4890).",
          .fallback = "true"},
    Field{.name = "timeouts",
          .type = Type::kMap,
          .help = "Idle timeouts of flows by state.",
          .fallback = "{}",
          .nested = &kTimeoutSchema},
    Field{.name = "pickup",
          .type = Type::kEnum,
          .help = "TCP in mid-stream without a flow: deny drops it, validated takes it up if a "
                  "rule accepts it.",
          .fallback = "deny",
          .words = kPickupWords},
    Field{.name = "tcp-window",
          .type = Type::kEnum,
          .help = "Segments outside the window of their connection: strict drops them, loose drops "
                  "resets alone, off none.",
          .fallback = "strict",
          .words = kWindowWords},
    Field{.name = "unproven-budget",
          .type = Type::kMap,
          .help = "State for flows that were not answered yet.",
          .fallback = "{}",
          .nested = &kUnprovenSchema},
    Field{.name = "reject-rate",
          .type = Type::kPacketRate,
          .help = "Most answers to rejected packets a second and worker; beyond it they are "
                  "dropped in silence.",
          .fallback = "1000pps",
          .minimum = 0,
          .maximum = 1'000'000},
    Field{.name = "keep-established",
          .type = Type::kBool,
          .help = "Whether flows go on that a new generation would not accept.",
          .fallback = "false"},
};
inline constexpr Schema kSchema{"stage firewall", "Accepts, drops or rejects by state and rules.",
                                kFields};

}  // namespace ravelin::firewall
