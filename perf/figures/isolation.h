// SPDX-License-Identifier: Apache-2.0
// What parts of the isolation figure share: who takes part, and how it is driven in virtual
// time.
#pragma once
#include <vector>

#include "dataplane/functions.h"
#include "dataplane/paced_ports.h"
#include "dataplane/snapshot.h"
#include "perf/bench/contest.h"
#include "perf/bench/figure.h"
#include "perf/bench/stalls.h"
#include "perf/figures/drive.h"
#include "tests/support/isolated_set.h"

namespace ravelin::perf {

/// Who was promised something, ten others that want ten times their share of what is left, and
/// generic packets the other way.
struct Scene {
    std::vector<test::Wish> wishes;
    test::Crowd crowd;
    std::vector<Sender> senders;  ///< in this order
    [[nodiscard]] size_t generic() const { return senders.size() - 1; }
    [[nodiscard]] double admitted_rate() const;
};
inline constexpr uint64_t kWanRate = 1'000'000'000;  // bit/s
/// On a thread: a faster port would let the others bring more packets than the core has room for.
inline constexpr uint64_t kSlowWan = 400'000'000;
/// Of wishes at random. `worker`: its cycles/s; `cpu`: where it runs, -1 anywhere; `wan`: bit/s.
Scene scene_of(uint32_t seed, uint64_t worker, int cpu = -1, uint64_t wan = kWanRate);

/// What came of it, in all of a run.
struct Outcome {
    uint64_t packets = 0;  ///< of the admitted, sent
    uint64_t late = 0, lost = 0;
    uint64_t misses_cpu = 0, misses_link = 0;  ///< as the schedulers count them
    uint64_t misses_of_core = 0;               ///< of these, by a core beyond its envelope
    uint64_t others_cycles = 0, suspensions = 0;
    Fate generic;
    std::vector<Miss> misses;
    uint64_t core_cycles = 0;   ///< of the core context, in turns that brought packets
    uint64_t taken = 0;         ///< packets by the worker, of everybody
    std::vector<Stall> stalls;  ///< by the worker's clocks
    std::vector<Miss> slow;     ///< generic packets that `generic` does not have yet
    /// The slow ones too, but for those that `excused` says so of.
    template <typename Fn>
    void take_slow(Fn&& excused) {
        for (const Miss& one : slow)
            if (!excused(one)) generic.latency_ns.record(one.until_ns - one.from_ns);
        slow.clear();
    }
};
/// What the schedulers of a box and a contest have to say.
Outcome outcome_of(Box& box, const Contest& contest, const Scene& scene);

/// Of the emulated core.
inline constexpr TurnCost kCost{.turn = 300, .each = 200};
/// As a core has it whose packets come from another one.
inline constexpr TurnCost kSlowCost{.turn = 300, .each = 620};
/// A worker turned by hand for so long, then until all that is promised is out. Where `stalls` say
/// so the machine stands still.
Outcome run_in_virtual_time(const Scene& scene, uint64_t ns, std::span<const Stall> stalls = {},
                            TurnCost cost = kCost);

/// The parts.
void measure_virtual(const Options& options, Report& report);
void measure_envelope(const Options& options, Report& report);
void measure_stalls(const Options& options, Report& report);
void measure_real(const Options& options, Report& report);

}  // namespace ravelin::perf
