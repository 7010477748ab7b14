// SPDX-License-Identifier: Apache-2.0
// What a packet costs in the schedulers with 1, 100 and 10,000 principals that all have work, and
// what it costs to know whose cycles a generic burst was. `tsc`: ticks of the time stamp counter, a
// packet (cycle_split: a burst of 32).
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/sched/cpu_scheduler.h"
#include "dataplane/sched/cycle_split.h"
#include "dataplane/sched/link_scheduler.h"
#include "perf/micro/cases.h"

namespace ravelin::sched {
namespace {

constexpr unsigned kFrame = 64, kBurst = 32;

PrincipalTable table(uint32_t n, uint32_t organisations) {
    std::vector<PrincipalSpec> specs;
    for (uint32_t i = 0; i < n; ++i) {
        std::string name = "p" + std::to_string(i);
        if (organisations != 0)
            name = std::string("org") + std::to_string(i % organisations) + "/" + name;
        specs.push_back({.name = std::move(name), .weight = 1 + i % 10});
    }
    return std::move(*PrincipalTable::build(specs));
}

std::vector<PrincipalId> leaves(const PrincipalTable& table) {
    std::vector<PrincipalId> ids;
    for (uint32_t i = kFirstPrincipal; i < table.size(); ++i)
        if (!table[PrincipalId{i}].has_children) ids.push_back(PrincipalId{i});
    return ids;
}

double thread_ns() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// Counts what the loop body of `state` takes: this thread's time, in ticks of the time stamp
/// counter, so that a busy machine does not count.
class Tsc {
  public:
    Tsc(benchmark::State& state, unsigned packets) : state_(state), packets_(packets) {}
    ~Tsc() {
        const std::chrono::duration<double, std::nano> wall =
            std::chrono::steady_clock::now() - began_;
        const double ticks_per_ns = static_cast<double>(__rdtsc() - from_) / wall.count();
        const auto done = static_cast<double>(state_.iterations()) * packets_;
        state_.counters["tsc"] = (thread_ns() - from_ns_) * ticks_per_ns / done;
    }
    Tsc(const Tsc&) = delete;
    Tsc& operator=(const Tsc&) = delete;

  private:
    benchmark::State& state_;
    unsigned packets_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    uint64_t from_ = __rdtsc();
    double from_ns_ = thread_ns();
};

/// What a table of principals is asked to do.
struct Asked {
    uint32_t principals = 1, organisations = 0;
    unsigned burst = kBurst;
    bool reserved = false;
};

// A burst leaves, a burst comes; every principal keeps two to four frames. The frames that come are
// for principals in turn: as bad for the cache as traffic gets.
void link(benchmark::State& state, const Asked& asked) {
    const uint32_t n = asked.principals;
    const unsigned burst = asked.burst;
    const PrincipalTable principals = table(n, asked.organisations);
    const std::vector<PrincipalId> ids = leaves(principals);
    Usage usage(principals.size());
    LinkScheduler scheduler(principals, usage,
                            {.rate = 1'250'000'000,
                             .most_frame = kFrame,
                             .ring_bytes = 1 << 20,
                             .packets = 4 * n + 512},
                            {}, {}, 0);
    uint64_t now = 0, next = 0;
    char frame = 0;
    if (asked.reserved)  // together 90 % of the link
        for (const PrincipalId id : ids) scheduler.reserve(id, {88, 78ULL * n, 78ULL * n}, 0);
    for (uint32_t i = 0; i < 3 * n; ++i) scheduler.enqueue(ids[next++ % n], &frame, kFrame, now);
    for (uint32_t i = 0; n < burst && i < 2 * burst; ++i)
        scheduler.enqueue(ids[next++ % n], &frame, kFrame, now);
    std::vector<void*> out(burst);
    {
        const Tsc tsc(state, burst);
        for (auto _ : state) {
            unsigned sent = 0;
            while (sent < burst) {
                sent += scheduler.dequeue(now, {out.data(), burst - sent});
                now += 70;
            }
            now = std::max(now, scheduler.busy_until());
            for (unsigned i = 0; i < burst; ++i)
                scheduler.enqueue(ids[next++ % n], out[i], kFrame, now);
        }
    }
    benchmark::DoNotOptimize(usage.sum(Use::kPackets));
}
Asked asked_of(const benchmark::State& state) {
    return {.principals = static_cast<uint32_t>(state.range(0))};
}
void link_shares(benchmark::State& state) { link(state, asked_of(state)); }
void link_shares_in_organisations(benchmark::State& state) {
    Asked asked = asked_of(state);
    asked.organisations = asked.principals / 10;
    link(state, asked);
}
void link_reserved(benchmark::State& state) {
    Asked asked = asked_of(state);
    asked.reserved = true;
    link(state, asked);
}
BENCHMARK(link_shares)->Arg(1)->Arg(100)->Arg(10'000);
BENCHMARK(link_shares_in_organisations)->Arg(100)->Arg(10'000);
BENCHMARK(link_reserved)->Arg(1)->Arg(100)->Arg(10'000);

/// Invocations of 32 packets, or of all that come at once, are posted, chosen and done; the
/// function itself costs nothing.
void cpu(benchmark::State& state, const Asked& asked) {
    const uint32_t n = asked.principals;
    const unsigned frames = std::min(asked.burst, kBurst), posts = asked.burst / frames;
    const PrincipalTable principals = table(n, 0);
    const std::vector<PrincipalId> ids = leaves(principals);
    Usage usage(principals.size());
    struct Nothing final : Function {
        unsigned run(const Invocation&, std::span<void* const>,
                     FunctionContext&) noexcept override {
            return 0;
        }
    } nothing;
    FunctionTable functions;
    const FunctionRef function{0, 1};
    functions.load(function, &nothing, {.work = 500, .max_run = 50'000});
    CpuScheduler scheduler(principals, functions, usage,
                           {.functions = 1, .invocations = 4 * n + 64, .timers = 16}, {}, 0);
    uint64_t now = 0, next = 0;
    if (asked.reserved)
        for (const PrincipalId id : ids) scheduler.reserve(id, {500, 200ULL * n, 200ULL * n}, 0);
    std::vector<void*> burst(frames);
    const auto post = [&] {
        scheduler.post({.function = function, .principal = ids[next++ % n]}, burst, now);
    };
    for (uint32_t i = 0; i < 2 * n + 8; ++i) post();
    {
        const Tsc tsc(state, asked.burst);
        for (auto _ : state) {
            for (unsigned i = 0; i < posts; ++i) post();
            for (unsigned done = 0; done < asked.burst;) {
                const Slice slice = scheduler.next(now);
                now += 170ULL * slice.count;
                scheduler.done(slice, 500ULL * slice.count, slice.count, now);
                done += slice.count;
            }
        }
    }
    benchmark::DoNotOptimize(usage.sum(Use::kPackets));
}
void cpu_shares_of_bursts(benchmark::State& state) { cpu(state, asked_of(state)); }
void cpu_packets(benchmark::State& state, bool reserved) {
    Asked asked = asked_of(state);
    asked.burst = 1;
    asked.reserved = reserved;
    cpu(state, asked);
}
void cpu_shares_of_packets(benchmark::State& state) { cpu_packets(state, false); }
void cpu_reserved_packets(benchmark::State& state) { cpu_packets(state, true); }
BENCHMARK(cpu_shares_of_bursts)->Arg(1)->Arg(100)->Arg(10'000);
BENCHMARK(cpu_shares_of_packets)->Arg(1)->Arg(100)->Arg(10'000);
BENCHMARK(cpu_reserved_packets)->Arg(1)->Arg(100)->Arg(10'000);

/// At once, and by what principals fill: account, node, queue and what waits, some 512 bytes each.
template <void (*Schedule)(benchmark::State&, const Asked&)>
void by_set(benchmark::State& state) {
    constexpr size_t kBytes = 512, kMost = kMaxPrincipals - 16;
    const size_t n = std::min(micro::room_of(state) / kBytes, kMost);
    if (!micro::fills(state, n * kBytes)) return;
    Schedule(state, {.principals = static_cast<uint32_t>(n), .burst = micro::burst_of(state)});
    state.counters["cycles"] = state.counters["tsc"];
    state.counters["bytes"] = static_cast<double>(n * kBytes);
    state.SetLabel(micro::kSets.at(static_cast<size_t>(state.range(1))));
}
BENCHMARK(by_set<link>)->Name("link_frames")->Apply(micro::cases);
BENCHMARK(by_set<cpu>)->Name("cpu_invocations")->Apply(micro::cases);

// `range(0)` principals in runs of equal length; one stamp, as a worker takes it.
void cycle_split(benchmark::State& state) {
    const auto parts = static_cast<unsigned>(state.range(0));
    Usage usage(64);
    CycleSplit split;
    uint64_t stamp = __rdtsc();
    {
        const Tsc tsc(state, 1);
        for (auto _ : state) {
            benchmark::DoNotOptimize(split.sample());
            for (unsigned i = 0; i < parts; ++i)
                split.add(PrincipalId{kFirstPrincipal + i}, kBurst / parts, 7);
            const uint64_t now = __rdtsc();
            split.charge(now - stamp, usage, kIdlePrincipal);
            stamp = now;
        }
    }
}
BENCHMARK(cycle_split)->Arg(1)->Arg(4)->Arg(32);

}  // namespace
}  // namespace ravelin::sched

BENCHMARK_MAIN();
