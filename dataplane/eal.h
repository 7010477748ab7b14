// SPDX-License-Identifier: Apache-2.0
// The only file that calls rte_eal_init.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/result.h"

namespace ravelin {

struct EalOptions {
    enum class Hugepages : uint8_t { kAuto, kOn, kOff } hugepages = Hugepages::kAuto;
    uint64_t memory_bytes = 0;     ///< what the buffer pools will need
    std::vector<std::string> pci;  ///< addresses to probe; empty: no PCI bus at all
    bool debug = false;            ///< let EAL log at its usual verbosity
};

struct EalFacts {
    bool hugepages = false;  ///< 2 MiB pages in use
    std::string warning;     ///< why not, where `auto` fell back
};

/// Starts EAL once a process; a later call returns what the first one found. 512-bit SIMD is
/// allowed (EAL's own limit is 256). Errors name what is missing.
Result<EalFacts> start_eal(const EalOptions& options);

}  // namespace ravelin
