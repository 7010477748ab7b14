// SPDX-License-Identifier: Apache-2.0
// What the configuration says of functions. A type's own fields are read by its file in
// pipelines/functions/.
#pragma once
#include <array>

#include "dataplane/config/schema.h"
#include "dataplane/limits.h"

namespace ravelin::model {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array kThinFields{
    Field{.name = "keep",
          .type = Type::kInteger,
          .help = "So many of each `of` packets of a flow are kept, the first ones.",
          .fallback = "1",
          .minimum = 1,
          .maximum = 1'000'000},
    Field{.name = "of",
          .type = Type::kInteger,
          .help = "Packets of a flow that are counted together.",
          .fallback = "1",
          .minimum = 1,
          .maximum = 1'000'000},
    Field{.name = "rate",
          .type = Type::kPacketRate,
          .help = "Packets of a flow that are kept are one over this apart, at least; default: no "
                  "bound.",
          .minimum = 1,
          .maximum = 1'000'000'000},
};
inline constexpr Schema kThinSchema{
    "function thin", "Leaves out packets of each flow, as a transcoder thins a stream of media.",
    kThinFields};

inline constexpr std::array kMirrorFields{
    Field{.name = "port",
          .type = Type::kName,
          .help = "Port that a copy of each packet leaves by, the frame as it came in.",
          .required = true},
};
inline constexpr Schema kMirrorSchema{
    "function mirror", "Sends a copy of each packet out of a port, and lets it pass.",
    kMirrorFields};

inline constexpr std::array kBurnFields{
    Field{.name = "cycles",
          .type = Type::kInteger,
          .help = "Cycles that each packet costs.",
          .required = true,
          .minimum = 0,
          .maximum = 1'000'000'000},
};
inline constexpr Schema kBurnSchema{
    "function burn",
    "Spends cycles on each packet and lets it pass: for tests of reservations, nothing else.",
    kBurnFields};

inline constexpr std::array kFunctionFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "Up to four levels, like org/thin.",
          .required = true},
    Field{.name = "thin",
          .type = Type::kMap,
          .help = "It leaves out packets of each flow.",
          .nested = &kThinSchema},
    Field{.name = "mirror",
          .type = Type::kMap,
          .help = "It sends copies out of a port.",
          .nested = &kMirrorSchema},
    Field{.name = "burn", .type = Type::kMap, .help = "It spends cycles.", .nested = &kBurnSchema},
    Field{.name = "next",
          .type = Type::kName,
          .help = "Function that gets what this one lets pass; default: the packets go on behind "
                  "the stage invoke."},
    Field{.name = "worker",
          .type = Type::kInteger,
          .help = "Worker that runs it, counted from 0, whichever received the packets, so with "
                  "state for all of them; they go on from there. Default: the one that has the "
                  "packet, which owns its flow or has run the function before.",
          .minimum = 0,
          .maximum = limits::kMaxWorkers - 1},
    Field{.name = "allow",
          .type = Type::kNameSet,
          .help = "Principals that may call it, with all below them; default: all."},
    Field{.name = "work",
          .type = Type::kInteger,
          .help = "Cycles of the time-stamp counter that a packet takes; who takes a quarter more "
                  "again and again runs packet by packet, then not at all. Default: as measured.",
          .minimum = 1,
          .maximum = 1'000'000'000},
    Field{.name = "max-run",
          .type = Type::kDuration,
          .help = "Longest uninterrupted run; bursts are split by the cycles that a packet takes.",
          .fallback = "40us",
          .minimum = 1'000,
          .maximum = 10'000'000},
    Field{.name = "queue",
          .type = Type::kInteger,
          .help = "Bursts that may wait for it on each worker, of each principal.",
          .fallback = "256",
          .minimum = 1,
          .maximum = 65'536},
    Field{.name = "deadline",
          .type = Type::kDuration,
          .help = "How old a packet may be when it is run for; default: any age.",
          .minimum = 1'000,
          .maximum = 3'600'000'000'000},
    Field{.name = "drop-late",
          .type = Type::kBool,
          .help = "Whether packets past their deadline are dropped before cycles are spent on "
                  "them.",
          .fallback = "true"},
};
inline constexpr Schema kFunctionSchema{
    "function",
    "What is done to the packets of principals that name it, on cycles that they are charged for; "
    "one of thin, mirror and burn says what.",
    kFunctionFields};

}  // namespace ravelin::model
