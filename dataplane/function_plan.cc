// SPDX-License-Identifier: Apache-2.0
#include "dataplane/function_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/reservations.h"
#include "dataplane/sched/deadline_servers.h"
#include "dataplane/tsc.h"

namespace ravelin {
namespace {

using config::Node;

constexpr uint64_t kSecond = 1'000'000'000, kMicrosecond = 1'000;
// Of one worker's buffers, frames that wait for functions; invocations are as many, since each may
// hold a single frame.
constexpr uint32_t kPartThatWaits = 4, kMostWaiting = 65'536;

/// What admission keeps for the core, in cycles of the machine as it is.
sched::CoreEnvelope envelope_of(const Node& core) {
    const auto part = static_cast<uint64_t>(core["cpu"].as_integer());
    const auto burst = static_cast<uint64_t>(core["burst"].as_integer());
    return {tsc_hz() / 100 * part, cycles_in(burst), core["enforce"].as_bool()};
}

/// Frames that may wait for functions on one worker: ports may have all buffers from one pool.
uint32_t frames_of(const Node& workers) {
    const auto count = static_cast<uint32_t>(workers["count"].as_integer());
    const auto buffers = static_cast<uint32_t>(workers["buffers"].as_integer());
    return std::min(buffers / kPartThatWaits / std::max(count, 1u), kMostWaiting);
}

/// Room for so many packets in the queues of all functions that whoever uses the promise has.
void widen(const Functions& functions, const CyclePromise& promise, uint32_t packets,
           std::vector<FunctionSpec>& list) {
    for (uint32_t i = 0; i < functions.payers.size(); ++i) {
        if (functions.payers[i] != promise.principal) continue;
        const FunctionSpec* of = functions.of(sched::PrincipalId{i});
        while (of != nullptr) {
            uint32_t& queue = list[static_cast<size_t>(of - functions.list.data())].limits.queue;
            queue = std::max(queue, packets);
            of = functions.behind(*of);
        }
    }
}

/// What came as reservations say finds room, whatever others do: in the queues of its functions and
/// among the frames.
Status set_aside(const Functions& functions, WorkerId worker, InvocationPlan& plan) {
    uint64_t aside = 0;
    for (const CyclePromise& promise : plan.promises) {
        sched::Contract path = promise.contract;
        path.deadline_ns = promise.path_deadline_ns;
        const uint32_t packets = sched::packets_waiting(path);
        aside += packets;
        widen(functions, promise, packets, plan.functions);
    }
    const uint32_t most = plan.frames / 2;
    const bool alike = std::ranges::all_of(
        functions.promises, [](const CyclePromise& one) { return one.worker == kAnyWorker; });
    if (aside > most)
        return Error{fmt::format(
            "reservations: cpu: {} packets may wait for functions on {}, expected at most {}: more "
            "workers.buffers, shorter deadlines or lower rates would fit",
            aside, alike ? "each worker" : fmt::format("worker {}", worker), most)};
    plan.aside = static_cast<uint32_t>(aside);
    return ok_status();
}

}  // namespace

uint64_t cycles_in(uint64_t ns) {
    return static_cast<uint64_t>(sched::Wide{tsc_hz()} * ns / kSecond);
}

Result<InvocationPlan> plan_of(const Node& config, const Functions& functions, WorkerId worker,
                               const PolicySnapshot& snapshot) {
    InvocationPlan plan;
    plan.principals = functions.principals;
    plan.functions = functions.list;
    for (size_t i = 0; i < functions.list.size(); ++i) {
        const FunctionSpec& spec = functions.list[i];
        auto instance = spec.type->create((*spec.declared)[spec.type->name], snapshot);
        if (!instance)
            return std::move(instance.error())
                .within(fmt::format("functions[{}]: {}", i, spec.type->name));
        plan.instances.push_back(std::move(*instance));
    }
    for (const CyclePromise& promise : functions.promises)
        if (promise.worker == kAnyWorker || promise.worker == worker)
            plan.promises.push_back(promise);
    const Node& workers = config["workers"];
    plan.frames = frames_of(workers);
    if (auto s = set_aside(functions, worker, plan); !s) return std::move(s.error());
    uint32_t slots = 0;
    for (const FunctionSpec& spec : functions.list)
        slots = std::max(slots, spec.ref.slot + uint32_t{1});
    plan.scheduler = {.functions = slots,
                      .invocations = plan.frames + 1,  // the one that runs, and what it posts
                      .workers = static_cast<uint32_t>(workers["count"].as_integer()),
                      .cycles_per_us = std::max(static_cast<uint32_t>(cycles_in(kMicrosecond)), 1u),
                      .around = kAroundRun,
                      .envelope = envelope_of(workers["core"])};
    return plan;
}

}  // namespace ravelin
