// SPDX-License-Identifier: Apache-2.0
// What admission control is measured by, without a data plane: sets at random, and decisions timed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ravelin::study {

/// Of one test: flows admitted, one value a seed, and packets of theirs that were late in virtual
/// time (tests/support/virtual_edf.h).
struct Sample {
    std::vector<double> flows;
    uint64_t executed_misses = 0;
};

/// The mix of issue 5 (tests/support/admission_mix.h) on two resources, requests until the first
/// refusal.
struct Mix {
    Sample fixed, equal;                  ///< the paper's test with either split; not executed
    Sample exact;                         ///< in the preemptive model, as the paper's
    std::vector<double> bound;            ///< flows that no test could admit more of there
    Sample runs;                          ///< nothing is interrupted
    Sample declared_runs;                 ///< so too, and the longest run there can be is declared
    uint64_t by_exact = 0, admitted = 0;  ///< in the preemptive model: by the exact test alone
    // The paper's own sets where nothing is interrupted:
    unsigned paper_sets_refused = 0, paper_sets_that_miss = 0;
    uint64_t paper_misses = 0;  ///< packets
    uint64_t refuted = 0;       ///< packets late of sets that the exact test did not refuse
};

/// One seed more; capacity: units/s of both resources, a divisor of 10^9 (works are 100 to 10,000).
void offer_mix(uint64_t capacity, uint64_t seed, Mix& mix);

struct Timed {
    std::vector<double> cpu_us, wall_us;  ///< this thread's processor time; and the clock's
};

struct Decisions {
    Timed quick, exact;       ///< admitted by the outline; by the exact test, which it refused
    Timed refused, reserved;  ///< reserved: decided and entered
    Timed advised;            ///< refused, and the nearest contracts that would fit found
    unsigned perhaps_shorter = 0, perhaps_faster = 0;  ///< of these: not proven to be the nearest
    unsigned undecided = 0;                            ///< refused because the effort ran out
    size_t reservations = 0;                           ///< there while they were timed
};

/// `decisions` of them with about `count` reservations on two resources nearly full.
Decisions time_decisions(size_t count, unsigned decisions, bool preemptive);

}  // namespace ravelin::study
