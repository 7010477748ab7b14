// SPDX-License-Identifier: Apache-2.0
// The configuration file's top level. What a stage is configured with stands in the stage's file.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"
#include "dataplane/limits.h"
#include "dataplane/live_set.h"
#include "dataplane/sched/principal.h"
#include "pipelines/model/function_schema.h"
#include "pipelines/model/port_schema.h"
#include "pipelines/model/reservation_schema.h"
#include "pipelines/model/worker_schema.h"

namespace ravelin::model {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array<std::string_view, 2> kModes{"router", "wire"};

inline constexpr std::array kControlFields{
    Field{.name = "metrics",
          .type = Type::kText,
          .help = "Address and port of the Prometheus endpoint; off switches it off.",
          .fallback = "127.0.0.1:9477"},
    Field{.name = "rule-log",
          .type = Type::kText,
          .help = "File for logged rule decisions, JSON lines; default: rules.log in the state "
                  "directory."},
    Field{.name = "rule-log-rate",
          .type = Type::kPacketRate,
          .help = "Most rule log lines a second; what is beyond is counted.",
          .fallback = "1000pps",
          .minimum = 1},
    Field{.name = "syslog",
          .type = Type::kBool,
          .help = "Also send logged rule decisions to syslog.",
          .fallback = "false"},
    Field{.name = "history",
          .type = Type::kInteger,
          .help = "Committed generations to keep.",
          .fallback = "100",
          .minimum = 2,
          .maximum = 100000},
};
inline constexpr Schema kControlSchema{"control", "The control plane itself.", kControlFields};

inline constexpr std::array kLiveSetFields{
    Field{.name = "type",
          .type = Type::kEnum,
          .help = "What its elements are; endpoints are addresses with a port.",
          .required = true,
          .words = kSetTypes},
    Field{.name = "size",
          .type = Type::kInteger,
          .help = "Most elements; memory for them is taken at once, up to 150 bytes each.",
          .fallback = "65536",
          .minimum = 1,
          .maximum = LiveSet::kMaxSize},
    Field{.name = "timeout",
          .type = Type::kDuration,
          .help = "How long an element stays that is added without a timeout of its own; default: "
                  "until it is deleted.",
          .minimum = 1'000'000'000,
          .maximum = 366 * 86'400'000'000'000},
};
inline constexpr Schema kLiveSetSchema{
    "live set",
    "A set whose elements `ravelin set add` and `ravelin set del` change at any time; they stay "
    "when "
    "a configuration is applied that declares the set with the same type.",
    kLiveSetFields};

inline constexpr std::array kKernelRouteFields{
    Field{.name = "table",
          .type = Type::kInteger,
          .help = "Number of the kernel's routing table.",
          .fallback = "254",
          .minimum = 1,
          .maximum = UINT32_MAX},
    Field{.name = "protocols",
          .type = Type::kNameSet,
          .help = "Whose routes: names as `ip route` shows them, or numbers.",
          .fallback = "[bgp, ospf, isis, rip, ripng, eigrp, babel, openfabric, nhrp, bird, zebra, "
                      "zstatic]"},
    Field{
        .name = "limit",
        .type = Type::kInteger,
        .help =
            "Most prefixes; those beyond it are refused and counted. IPv6 prefixes far apart take "
            "up to 28 KiB each, 4 GiB in all; let the routing daemon limit its peers too.",
        .fallback = "1000000",
        .minimum = 1,
        .maximum = 4'000'000},
    Field{.name = "stale-time",
          .type = Type::kDuration,
          .help =
              "How long they are forwarded by while no control plane tells what became of them; "
              "then they are removed and counted. Default: until there is one.",
          .minimum = 1'000'000'000,
          .maximum = 86'400'000'000'000},
};
inline constexpr Schema kKernelRoutesSchema{
    "kernel-routes", "Routes that routing daemons give the kernel.", kKernelRouteFields};

inline constexpr std::array kManagementFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "What a refusal calls the path.",
          .required = true},
    Field{.name = "from",
          .type = Type::kPrefixSet,
          .help = "Where it is managed from: the operators' and the controllers' addresses.",
          .required = true},
    Field{.name = "to",
          .type = Type::kPrefixSet,
          .help = "Addresses it is managed by: the box's own, or a host reached through it.",
          .required = true},
    Field{.name = "in",
          .type = Type::kNameSet,
          .help = "Ports it comes in by; default: where the routes to `from` lead."},
    Field{.name = "protocol",
          .type = Type::kNameSet,
          .help = "Protocols, as in a rule.",
          .fallback = "tcp"},
    Field{.name = "to-ports", .type = Type::kPortSet, .help = "Destination ports; default: any."},
};
inline constexpr Schema kManagementSchema{
    "management path",
    "Packets that every policy must let pass; a change that would cut them is refused unless "
    "forced.",
    kManagementFields};

inline constexpr std::array kPrincipalCapFields{
    Field{.name = "cpu",
          .type = Type::kInteger,
          .help = "Most of the workers' time, in per cent of one worker, over all of them; each "
                  "has an even share. Packets beyond it are dropped before functions and the rest "
                  "of the pipeline; what it costs to receive and judge them counts too. No more "
                  "than one above it has.",
          .minimum = 1,
          .maximum = 100'000},
    Field{.name = "cycles",
          .type = Type::kCycleRate,
          .help = "The same in cycles a second, over all workers: where both are given the lesser "
                  "counts. No more than one above it has.",
          .minimum = 1'000'000,
          .maximum = 10'000'000'000'000},
    Field{.name = "memory",
          .type = Type::kSize,
          .help = "Most memory of its flows' state, 200 bytes a flow, over all workers; packets "
                  "that would open one more are dropped. No more than one above it has.",
          .minimum = 200,
          .maximum = 1'000'000'000'000},
    Field{.name = "bandwidth",
          .type = Type::kRate,
          .help = "Most bits a second of IP packets, of both directions together; those beyond it "
                  "are dropped. Each worker has an even share of it. At a port with a rate it "
                  "shapes instead: packets wait, bits count as on the wire, and what leaves there "
                  "has the cap to itself.",
          .minimum = 64'000,
          .maximum = 1'000'000'000'000},
    Field{.name = "flows",
          .type = Type::kInteger,
          .help = "Most flows at a time, over all workers; packets that would open one more are "
                  "dropped.",
          .minimum = 1,
          .maximum = UINT32_MAX},
};
inline constexpr Schema kPrincipalCapsSchema{
    "caps", "What a principal and all below it may use at most; default: no cap.",
    kPrincipalCapFields};

inline constexpr std::array kPrincipalFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "Up to four levels, like org/web; those above are made where they are not "
                  "declared.",
          .required = true},
    Field{.name = "prefixes",
          .type = Type::kPrefixSet,
          .help = "Addresses whose flows it pays for: those of the side that opened the flow, the "
                  "longest prefix of all principals counts."},
    Field{.name = "function",
          .type = Type::kName,
          .help = "Function that its packets are given to, not those of one below it; default: "
                  "none."},
    Field{.name = "weight",
          .type = Type::kInteger,
          .help = "Its share of a port with a rate, against those of the same level who want to "
                  "send too; its flows share it however many they are. core has 1.",
          .fallback = "1",
          .minimum = 1,
          .maximum = sched::kMaxWeight},
    Field{.name = "caps",
          .type = Type::kMap,
          .help = "What it and all below it may use at most.",
          .fallback = "{}",
          .nested = &kPrincipalCapsSchema},
};
inline constexpr Schema kPrincipalSchema{
    "principal",
    "Whom packets are charged to. A rule, a prefix or a port binds them, in this order; the rest "
    "is charged to core.",
    kPrincipalFields};

inline constexpr std::array kConfigFields{
    Field{.name = "mode",
          .type = Type::kEnum,
          .help = "router forwards by IP address; wire passes frames between two ports unchanged.",
          .fallback = "router",
          .words = kModes},
    Field{.name = "workers",
          .type = Type::kMap,
          .help = "The threads that move packets; fixed while the data plane runs.",
          .fallback = "{}",
          .nested = &kWorkersSchema},
    Field{
        .name = "ports",
        .type = Type::kList,
        .help =
            "The network devices and what stands on them; fixed while the data plane runs, but for "
            "addresses and rates.",
        .required = true,
        .nested = &kPortSchema},
    Field{.name = "sets",
          .type = Type::kSets,
          .help = "Named prefix sets and live sets; rules name them as @name.",
          .nested = &kLiveSetSchema},
    Field{.name = "principals",
          .type = Type::kList,
          .help = "Whom packets are charged to; needs the stage classify.",
          .nested = &kPrincipalSchema},
    Field{.name = "functions",
          .type = Type::kList,
          .help = "What is done to packets beside forwarding; needs the stage invoke, and "
                  "principals that name them.",
          .nested = &kFunctionSchema},
    Field{.name = "reservations",
          .type = Type::kList,
          .help = "Deadlines that are kept whatever others send; a configuration that asks for "
                  "more than can be kept is refused.",
          .nested = &kReservationSchema},
    Field{.name = "pipeline",
          .type = Type::kStages,
          .help = "The stages in order of execution; default: the usual ones of the mode.",
          .required = true},
    Field{.name = "kernel-routes",
          .type = Type::kMap,
          .help = "Router mode: forward by routes of the kernel as well, such as FRR's, whose next "
                  "hops are behind ports with a tap; of equal prefixes the configured route wins.",
          .nested = &kKernelRoutesSchema},
    Field{.name = "management",
          .type = Type::kList,
          .help = "Paths by which the box is managed; a change that would cut one is refused "
                  "unless forced.",
          .nested = &kManagementSchema},
    Field{.name = "control",
          .type = Type::kMap,
          .help = "The control plane itself.",
          .fallback = "{}",
          .nested = &kControlSchema},
};
inline constexpr Schema kConfigSchema{"configuration", "One file is the whole truth.",
                                      kConfigFields};

}  // namespace ravelin::model
