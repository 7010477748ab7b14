// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/worker_cycles.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "dataplane/idle.h"
#include "dataplane/reservations.h"
#include "dataplane/sched/pace.h"
#include "dataplane/tsc.h"

namespace ravelin::control {
namespace {

using config::Node;

constexpr uint64_t kSecond = 1'000'000'000;

std::atomic<uint64_t> calibrated{0};

}  // namespace

uint64_t worker_cycles(const config::Node& tree) {
    if (const int64_t declared = tree["workers"]["cycles"].as_integer(); declared != 0)
        return static_cast<uint64_t>(declared);
    if (const uint64_t found = calibrated.load(); found != 0) return found;
    return tsc_hz() / 10 * 9;
}

std::vector<WorkerId> kinds_of_workers(const Node& tree) {
    std::set<WorkerId> named;
    for (const Node& function : tree["functions"].items())
        if (const WorkerId worker = worker_of(function); worker != kAnyWorker) named.insert(worker);
    std::vector<WorkerId> out(named.begin(), named.end());
    const auto count = static_cast<size_t>(tree["workers"]["count"].as_integer());
    if (out.empty() || out.size() < count) out.push_back(kAnyWorker);
    return out;
}

admission::Resource worker_resource(const Node& tree, WorkerId worker) {
    const Node& core = tree["workers"]["core"];
    const uint64_t cycles = worker_cycles(tree);
    const auto for_ns = [&](uint64_t ns) {
        return static_cast<uint64_t>(sched::Wide{cycles} * ns / kSecond);
    };
    uint64_t longest = 0;
    for (const Node& function : tree["functions"].items())
        longest =
            std::max(longest, for_ns(static_cast<uint64_t>(function["max-run"].as_integer())));
    const bool named = worker != kAnyWorker, alone = kinds_of_workers(tree).size() == 1;
    const bool sleeps = tree["workers"]["poll"].as_text() != "busy";
    return {.name = named   ? fmt::format("worker {}", worker)
                    : alone ? "each worker"
                            : "each other worker",
            .unit = "cycles",
            .capacity = cycles,
            .core = {.rate = cycles / 100 * static_cast<uint64_t>(core["cpu"].as_integer()),
                     .burst = for_ns(static_cast<uint64_t>(core["burst"].as_integer()))},
            .blocking = longest + kAroundRun,
            .wake = named && sleeps ? kLongestSleepNs + kLateToWakeNs : 0};
}

std::vector<CycleUse> cycle_uses(const Node& tree, const Node& live) {
    std::vector<CycleUse> out;
    const auto reservations = read_reservations(tree, live);
    for (const WorkerId worker : kinds_of_workers(tree)) {
        const admission::Resource resource = worker_resource(tree, worker);
        CycleUse use{.capacity = resource.capacity, .core = resource.core.rate, .worker = worker};
        for (size_t i = 0; reservations && i < reservations->size(); ++i)
            for (const ReservedPart& part : (*reservations)[i].parts) {
                sched::Contract one = part.contract;
                if (one.work == 0 || (part.worker != kAnyWorker && part.worker != worker)) continue;
                one.work += part.around();
                use.reserved += (one.work * kSecond + one.period_ns - 1) / one.period_ns;
            }
        out.push_back(use);
    }
    return out;
}

CycleUse cycle_use(const Node& tree, const Node& live) {
    return std::ranges::max(cycle_uses(tree, live), {}, &CycleUse::reserved);
}

void set_calibrated_cycles(uint64_t cycles_per_second) { calibrated = cycles_per_second; }

}  // namespace ravelin::control
