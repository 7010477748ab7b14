// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/worker_cycles.h"

#include <algorithm>
#include <atomic>

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

admission::Resource workers_of(const Node& tree) {
    const Node& core = tree["workers"]["core"];
    const uint64_t cycles = worker_cycles(tree);
    const auto for_ns = [&](uint64_t ns) {
        return static_cast<uint64_t>(sched::Wide{cycles} * ns / kSecond);
    };
    uint64_t longest = 0;
    for (const Node& function : tree["functions"].items())
        longest =
            std::max(longest, for_ns(static_cast<uint64_t>(function["max-run"].as_integer())));
    return {.name = "each worker",
            .unit = "cycles",
            .capacity = cycles,
            .core = {.rate = cycles / 100 * static_cast<uint64_t>(core["cpu"].as_integer()),
                     .burst = for_ns(static_cast<uint64_t>(core["burst"].as_integer()))},
            .blocking = longest + kAroundRun};
}

CycleUse cycle_use(const Node& tree, const Node& live) {
    const admission::Resource workers = workers_of(tree);
    CycleUse out{.capacity = workers.capacity, .core = workers.core.rate};
    const auto reservations = read_reservations(tree, live);
    for (size_t i = 0; reservations && i < reservations->size(); ++i)
        if (sched::Contract one = (*reservations)[i].cycles; one.work != 0) {
            one.work += (*reservations)[i].around();
            out.reserved += (one.work * kSecond + one.period_ns - 1) / one.period_ns;
        }
    return out;
}

void set_calibrated_cycles(uint64_t cycles_per_second) { calibrated = cycles_per_second; }

}  // namespace ravelin::control
