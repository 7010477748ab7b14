// SPDX-License-Identifier: Apache-2.0
// A worker's CPU scheduler with functions and packets, in virtual time: one cycle a nanosecond.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "tests/support/sched_sim.h"
#include "tests/support/sched_table.h"

namespace ravelin::sched {

inline constexpr uint64_t kUs = 1'000, kMs = 1'000'000;

struct SchedBoxSetup {
    CpuScheduler::Config config = {
        .functions = 3, .invocations = 512, .timers = 8, .max_run = 10 * kUs};
    VirtualCpu::Setup cpu = {};
    FunctionLimits first = {.max_run = 10 * kUs};
};

/// A worker with three functions; `then` is what the first does with each packet.
class SchedBox {
  public:
    explicit SchedBox(const std::vector<PrincipalSpec>& specs, const SchedBoxSetup& setup = {})
        : principals(table_of(specs)),
          usage(principals.size()),
          scheduler(principals, functions, usage, setup.config,
                    {[](void* box, void* const*, unsigned n, PrincipalId id, Refusal why) noexcept {
                         static_cast<SchedBox*>(box)->released[{id, why}] += n;
                     },
                     this},
                    0),
          cpu(clock, scheduler, functions, setup.cpu),
          first([this](SimPacket& p, FunctionContext& c) {
              order.push_back(p.principal);
              if (then) then(p, c);
          }),
          second([this](SimPacket& p, FunctionContext&) { seconds.push_back(p.principal); }),
          core([this](SimPacket& p, FunctionContext&) { order.push_back(p.principal); }) {
        functions.load(kFirst, &first, setup.first);
        functions.load(kSecond, &second, {.max_run = 10 * kUs});
        functions.load(kCore, &core, {.max_run = 10 * kUs, .queue = 1000});
    }
    PrincipalId id(const char* name) const { return principals.find(name); }
    /// Posts one burst of `n` packets of `cycles` each.
    Refusal post(PrincipalId who, unsigned n, uint64_t cycles, uint64_t deadline = kNoDeadline,
                 FunctionRef function = kFirst, uint32_t flow = 7) {
        void* frames[limits::kBurst];
        for (unsigned i = 0; i < n; ++i) {
            packets.push_back({.principal = who, .cycles = cycles, .arrival = clock.now()});
            frames[i] = &packets.back();
        }
        const Refusal refusal = scheduler.post(
            {.function = function, .principal = who, .flow = flow, .deadline_ns = deadline},
            {frames, n}, clock.now());
        cpu.kick();
        return refusal;
    }
    /// Keeps `who` in work from now on until `end`.
    void keep_busy(PrincipalId who, uint64_t cycles, uint64_t end) {
        while (scheduler.queues().depth(who) < 4 &&
               post(who, limits::kBurst, cycles) == Refusal::kNone) {
        }
        if (clock.now() < end)
            clock.at(clock.now() + 20 * kUs, [=, this] { keep_busy(who, cycles, end); });
    }
    uint64_t cycles(PrincipalId who) const { return usage.get(who, Use::kCycles); }

    static constexpr FunctionRef kFirst{0, 1}, kSecond{1, 1}, kCore{2, 1};
    VirtualClock clock;
    PrincipalTable principals;
    Usage usage;
    FunctionTable functions;
    CpuScheduler scheduler;
    VirtualCpu cpu;
    std::function<void(SimPacket&, FunctionContext&)> then;
    std::vector<PrincipalId> order, seconds;
    std::map<std::pair<PrincipalId, Refusal>, unsigned> released;
    SimFunction first, second, core;
    std::deque<SimPacket> packets;
};

}  // namespace ravelin::sched
