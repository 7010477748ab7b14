// SPDX-License-Identifier: Apache-2.0
// The rules that nobody has to write: without them a link does not work, or connections hang.
#include <algorithm>
#include <array>

#include "dataplane/flow.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/stages/firewall_schema.h"

namespace ravelin::firewall {
namespace {

constexpr size_t kBuiltin = 6;

}  // namespace

std::string_view state_name(uint8_t state) {
    for (size_t i = 0; i < kStateWords.size(); ++i)
        if (state == 1u << i) return kStateWords[i];
    return {};
}

bool is_builtin(std::string_view name) {
    return std::ranges::any_of(builtin_rules(), [&](const auto& r) { return r.name == name; });
}

std::string_view action_name(Action action) { return kActionWords[static_cast<size_t>(action)]; }

// A table, not logic.
// NOLINTNEXTLINE(readability-function-size)
std::span<const BuiltinRule> builtin_rules() {
    static_assert(builtin_slot(kBuiltin - 1) > FlowRule::kUnused, "nobody's counter");
    static const std::array<BuiltinRule, kBuiltin> rules{{
        {kArpRule, "ARP, which never leaves its link.", {}, {}, 0, 0, true},
        // RFC 4861 sections 6.1, 7.1, 8.1: hop limit 255 proves that no router was passed. 141,
        // 142: inverse discovery (RFC 3122); 148, 149: secure discovery (RFC 3971).
        {"builtin/neighbour-discovery",
         "IPv6 neighbour discovery on the link.",
         "icmp6",
         {133, 134, 135, 136, 137, 141, 142, 148, 149},
         kStateUntracked,
         255,
         true},
        // RFC 2710, RFC 3810, and multicast router discovery (RFC 4286); RFC 4890 section 4.4.1.
        {"builtin/multicast-listener",
         "IPv6 multicast listener discovery on the link.",
         "icmp6",
         {130, 131, 132, 143, 151, 152, 153},
         kStateUntracked,
         1,
         true},
        // RFC 4890 section 4.3.1. Without packet-too-big, path MTU discovery fails (RFC 8201).
        {"builtin/icmp6-errors",
         "ICMPv6 errors about packets of a flow.",
         "icmp6",
         {1, 2, 3, 4},
         kStateRelated,
         0,
         false},
        {"builtin/icmp6-echo",
         "IPv6 ping, which RFC 4890 section 4.3.1 wants to pass.",
         "icmp6",
         {128},
         kStateNew,
         0,
         false},
        // Unreachable has "fragmentation needed" (RFC 1191).
        {"builtin/icmp-errors",
         "ICMP errors about packets of a flow.",
         "icmp",
         {3, 11, 12},
         kStateRelated,
         0,
         false},
    }};
    return rules;
}

}  // namespace ravelin::firewall
