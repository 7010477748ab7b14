// SPDX-License-Identifier: Apache-2.0
// What the configuration says of workers.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"
#include "dataplane/limits.h"

namespace ravelin::model {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array<std::string_view, 2> kPolls{"busy", "adaptive"};
inline constexpr std::array<std::string_view, 3> kHugepages{"auto", "on", "off"};

inline constexpr std::array kCoreFields{
    Field{.name = "cpu",
          .type = Type::kInteger,
          .help = "Percent of a worker that forwarding and control may take before functions with "
                  "reserved cycles can suffer.",
          .fallback = "50",
          .minimum = 1,
          .maximum = 99},
    Field{.name = "burst",
          .type = Type::kDuration,
          .help = "What it may take at once beside.",
          .fallback = "500us",
          .minimum = 1'000,
          .maximum = 1'000'000'000},
    Field{.name = "enforce",
          .type = Type::kBool,
          .help = "Whether, beyond that, functions run although packets wait to be received; else "
                  "these go first whatever they take.",
          .fallback = "false"},
};
inline constexpr Schema kCoreSchema{
    "core", "What is not granted to reservations of cycles, of each worker.", kCoreFields};

inline constexpr std::array kWorkerFields{
    Field{.name = "count",
          .type = Type::kInteger,
          .help = "Workers; each is one thread with its own queues and flow table.",
          .fallback = "1",
          .minimum = 1,
          .maximum = limits::kMaxWorkers},
    Field{.name = "poll",
          .type = Type::kEnum,
          .help = "busy polls without pause for line rate on a dedicated core; adaptive sleeps "
                  "when idle.",
          .fallback = "adaptive",
          .words = kPolls},
    Field{.name = "cpus",
          .type = Type::kNameSet,
          .help = "CPU numbers to pin the workers to, in order and repeated if fewer than workers; "
                  "default: all allowed ones."},
    Field{.name = "flows",
          .type = Type::kInteger,
          .help = "Flow table entries of each worker; 200 bytes each.",
          .fallback = "65536",
          .minimum = 1024,
          .maximum = 1 << 26},
    Field{.name = "buffers",
          .type = Type::kInteger,
          .help = "Packet buffers of each worker.",
          .fallback = "8192",
          .minimum = 1024,
          .maximum = 1 << 20},
    Field{.name = "hugepages",
          .type = Type::kEnum,
          .help = "auto keeps packet buffers in 2 MiB pages if enough are free; on refuses to "
                  "start without; off never does. Flow tables take free ones by themselves.",
          .fallback = "auto",
          .words = kHugepages},
    Field{.name = "core",
          .type = Type::kMap,
          .help = "What forwarding and control keep of a worker's cycles.",
          .fallback = "{}",
          .nested = &kCoreSchema},
    Field{.name = "cycles",
          .type = Type::kInteger,
          .help = "Cycles a second that a worker has, of the time-stamp counter; default: as "
                  "calibrated, else nine tenths of what that counts.",
          .minimum = 1'000'000,
          .maximum = 100'000'000'000},
};
inline constexpr Schema kWorkersSchema{"workers", "The threads that move packets.", kWorkerFields};

}  // namespace ravelin::model
