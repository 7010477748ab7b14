// SPDX-License-Identifier: Apache-2.0
// Limits of rules and budgets of the firewall, as they are configured. Part of firewall_schema.h.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"

namespace ravelin::firewall {

inline constexpr std::array<std::string_view, 3> kPerWords{"rule", "source", "destination"};
inline constexpr std::array<std::string_view, 3> kWindowWords{"strict", "loose", "off"};
inline constexpr std::array<std::string_view, 2> kFullWords{"shed", "drop"};

inline constexpr std::array kLimitFields{
    config::Field{.name = "rate",
                  .type = config::Type::kPacketRate,
                  .help = "Packets a second; this, every or bandwidth.",
                  .minimum = 1,
                  .maximum = 1'000'000'000},
    config::Field{.name = "every",
                  .type = config::Type::kDuration,
                  .help = "One packet in this time, for rates below one a second.",
                  .minimum = 1000,
                  .maximum = 86'400'000'000'000},
    config::Field{.name = "bandwidth",
                  .type = config::Type::kRate,
                  .help = "Bits a second of IP packets, headers included.",
                  .minimum = 1000,
                  .maximum = 1'000'000'000'000},
    config::Field{.name = "burst",
                  .type = config::Type::kInteger,
                  .help = "Packets at once after a pause, with rate and every; default: 5.",
                  .minimum = 1,
                  .maximum = 65535},
    config::Field{.name = "burst-size",
                  .type = config::Type::kSize,
                  .help = "Bytes at once after a pause, with bandwidth; a longer packet is always "
                          "beyond the rate; default: what one second carries, at least 64KiB.",
                  .minimum = 1500,
                  .maximum = 1 << 30},
    config::Field{.name = "per",
                  .type = config::Type::kEnum,
                  .help =
                      "Whose packets share a rate: all that meet the rule, those of one source, "
                      "or those to one destination; IPv6 addresses by their /64. The same for "
                      "all workers together.",
                  .fallback = "rule",
                  .words = kPerWords},
    config::Field{.name = "over",
                  .type = config::Type::kBool,
                  .help = "Match the packets beyond the rate instead of those within.",
                  .fallback = "false"},
    config::Field{.name = "size",
                  .type = config::Type::kInteger,
                  .help =
                      "Sources or destinations told apart at once, 32 bytes each; a packet that "
                      "finds no room counts as beyond the rate.",
                  .fallback = "65536",
                  .minimum = 64,
                  .maximum = 1 << 22},
};
inline constexpr config::Schema kLimitSchema{
    "rule limit",
    "A rate that a rule is bound to. Packets of accepted flows meet no rule and so no limit.",
    kLimitFields};

inline constexpr std::array kConnectionFields{
    config::Field{.name = "per-source",
                  .type = config::Type::kInteger,
                  .help =
                      "Live flows one source may have, of those the rule has accepted, over all "
                      "workers; IPv6 sources by their /64.",
                  .required = true,
                  .minimum = 1,
                  .maximum = 1'000'000},
    config::Field{
        .name = "over",
        .type = config::Type::kBool,
        .help = "Match the new flows beyond that number instead of those within; needs of.",
        .fallback = "false"},
    config::Field{
        .name = "of",
        .type = config::Type::kName,
        .help = "Count the flows of this rule, which accepts; default: of the rule itself."},
};
inline constexpr config::Schema kConnectionSchema{
    "rule connections", "A number of live flows that a rule is bound to.", kConnectionFields};

inline constexpr std::array kUnprovenFields{
    config::Field{.name = "percent",
                  .type = config::Type::kInteger,
                  .help = "Part of each worker's flow table that flows may take that were not "
                          "answered yet, half-open TCP among them.",
                  .fallback = "100",
                  .minimum = 1,
                  .maximum = 100},
    config::Field{.name = "when-full",
                  .type = config::Type::kEnum,
                  .help =
                      "At that part, shed the oldest unanswered flow for a new one, or drop the "
                      "new packet.",
                  .fallback = "shed",
                  .words = kFullWords},
    config::Field{.name = "per-source",
                  .type = config::Type::kInteger,
                  .help = "Unanswered flows that an IPv4 /24 or an IPv6 /56 may have over all "
                          "workers; a packet beyond is dropped. Default: any number.",
                  .minimum = 1,
                  .maximum = 1'000'000},
};
inline constexpr config::Schema kUnprovenSchema{
    "firewall unproven-budget",
    "State for sources that have not been shown to be what they say. Answered flows are untouched.",
    kUnprovenFields};

}  // namespace ravelin::firewall
