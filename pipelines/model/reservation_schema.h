// SPDX-License-Identifier: Apache-2.0
// What the configuration says of a reservation.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"

namespace ravelin::model {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array<std::string_view, 3> kRelaxations{"equal-utilisation", "fixed",
                                                              "proportional"};
inline constexpr std::array kReservationFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "What refusals call it; no two have the same.",
          .required = true},
    Field{.name = "principal",
          .type = Type::kName,
          .help = "Whose packets it is for: those charged to it, not to one below it.",
          .required = true},
    Field{.name = "out",
          .type = Type::kTextSet,
          .help =
              "Ports they leave by, one or the other or copies by several: each with a rate, or "
              "a sub-interface of such a one, and each keeps the whole rate. Or on the bytes that "
              "another has of the port, like wan shared-with org/a: they are counted once, frames "
              "of both wait in one queue, and what they take of the deadline is as there. "
              "Default: cycles alone are reserved."},
    Field{.name = "bytes",
          .type = Type::kSize,
          .help = "Of its longest IP packet, with `out`; what the wire takes beside is added.",
          .minimum = 1,
          .maximum = 9600},
    Field{.name = "rate",
          .type = Type::kPacketRate,
          .help = "Packets a second.",
          .required = true,
          .minimum = 1,
          .maximum = 1'000'000'000},
    Field{.name = "deadline",
          .type = Type::kDuration,
          .help = "Longest time until its last bit is on the wire, or with cycles alone until its "
                  "functions are done, from when the worker gives a packet to the first function, "
                  "or without `cpu` from when the port's queue takes it; default: one over the "
                  "rate. A packet that comes before its rate allows counts from when that allows "
                  "it.",
          .minimum = 1'000,
          .maximum = 3'600'000'000'000},
    Field{.name = "cpu",
          .type = Type::kTextSet,
          .help = "Cycles of the time-stamp counter that the principal's functions take for a "
                  "packet, like 600cyc/pkt; each function must say its work. Where one passes "
                  "packets on to the `next`, those of all together, or of each in their order: "
                  "[600cyc/pkt, 200cyc/pkt]. Or those of another reservation, like shared-with "
                  "org/transcoder: they are counted once, both use them, and what they take of "
                  "the deadline is as there."},
    Field{.name = "relaxation",
          .type = Type::kEnum,
          .help = "What becomes of the part of the deadline that its resources do not need: "
                  "equal-utilisation leaves each of them as far below its capacity as the others; "
                  "fixed gives each as much of the deadline; proportional gives by what each "
                  "needs at least.",
          .fallback = "equal-utilisation",
          .words = kRelaxations},
    Field{.name = "cpu-deadline",
          .type = Type::kDuration,
          .help = "The functions' part of the deadline; set by the control plane as admission "
                  "finds it.",
          .minimum = 1,
          .maximum = 3'600'000'000'000},
    Field{.name = "cpu-parts",
          .type = Type::kTextSet,
          .help = "Of functions on several workers the parts of each, ns; set in the same way."},
};
inline constexpr Schema kReservationSchema{
    "reservation",
    "A deadline for a principal's packets: of cycles, at a port with a rate, or of both.",
    kReservationFields};

}  // namespace ravelin::model
