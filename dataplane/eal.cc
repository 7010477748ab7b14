// SPDX-License-Identifier: Apache-2.0
#include "dataplane/eal.h"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include <cstdio>

namespace ravelin {
namespace {

constexpr uint64_t kHugepage = 2u << 20;

uint64_t free_hugepage_bytes() {
    uint64_t pages = 0;
    if (FILE* f = std::fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re")) {
        if (std::fscanf(f, "%lu", &pages) != 1) pages = 0;
        std::fclose(f);
    }
    return pages * kHugepage;
}

cpu_set_t allowed_cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    return allowed;
}

/// EAL wants to pin its main thread; any CPU we may run on will do.
int first_allowed_cpu() {
    const cpu_set_t allowed = allowed_cpus();
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &allowed)) return cpu;
    return 0;
}

std::vector<std::string> arguments(const EalOptions& options, bool hugepages) {
    std::vector<std::string> args{"ravelin-dataplane", "--no-telemetry",
                                  "--force-max-simd-bitwidth=512",
                                  fmt::format("--lcores=(0)@({})", first_allowed_cpu())};
    const uint64_t megabytes = (options.memory_bytes >> 20) + 64;
    if (hugepages) {
        args.emplace_back("--in-memory");
    } else {
        args.insert(args.end(), {"--no-huge", "--no-shconf", "-m", fmt::format("{}", megabytes)});
    }
    if (options.pci.empty()) args.emplace_back("--no-pci");
    for (const std::string& address : options.pci) args.insert(args.end(), {"-a", address});
    if (!options.debug) args.insert(args.end(), {"--log-level", "error"});
    return args;
}

}  // namespace

Result<EalFacts> start_eal(const EalOptions& options) {
    static EalFacts facts;
    static bool started = false;
    if (started) return facts;
    const uint64_t needed = options.memory_bytes + (64u << 20);
    const bool enough = free_hugepage_bytes() >= needed;
    facts.hugepages = options.hugepages != EalOptions::Hugepages::kOff && enough;
    if (!enough && options.hugepages == EalOptions::Hugepages::kOn)
        return Error{fmt::format("workers.hugepages: on, but {} MiB are free and {} MiB are needed",
                                 free_hugepage_bytes() >> 20, needed >> 20)};
    if (!enough && options.hugepages == EalOptions::Hugepages::kAuto)
        facts.warning = fmt::format("not enough free hugepages ({} MiB of {} MiB): running without",
                                    free_hugepage_bytes() >> 20, needed >> 20);
    std::vector<std::string> args = arguments(options, facts.hugepages);
    std::vector<char*> argv;
    for (std::string& a : args) argv.push_back(a.data());
    const cpu_set_t ours = allowed_cpus();
    if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0)
        return Error{fmt::format("EAL did not start: {}", rte_strerror(rte_errno))};
    // Unpinned again: threads made from here would inherit the one CPU.
    sched_setaffinity(0, sizeof ours, &ours);
    started = true;
    return facts;
}

}  // namespace ravelin
