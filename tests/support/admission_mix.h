// SPDX-License-Identifier: Apache-2.0
// Requests at random for admission control, and what was admitted as flows of virtual time.
#pragma once
#include <random>

#include "controlplane/admission/admission.h"
#include "tests/support/virtual_edf.h"

namespace ravelin::test {

/// Values from low to high, log-uniform.
int64_t log_uniform(std::mt19937_64& random, int64_t low, int64_t high);

/// The mix of issue 5: period log-uniform 1 to 100 ms, deadline uniform 0.1 to 1 of it, works log-
/// uniform 100 to 10,000 units and independent, on resources 0 to `resources` - 1.
admission::Request mixed_request(std::mt19937_64& random, size_t number, size_t resources);

/// Resources of `capacity` units/s, named "r0", "r1", ...
admission::Admission equal_resources(size_t count, admission::Work capacity, bool preemptive,
                                     admission::Rules rules = {});

/// Requests of the mix until the first that is refused: how many were admitted.
size_t fill(admission::Admission& admission, std::mt19937_64& random);

/// How packets come, never more than the contract allows.
enum class Arrivals : uint8_t {
    kTogether,      ///< all at 0, and then as fast as they may
    kShortestLast,  ///< so too, but 1 ns later for each ms that the deadline is shorter
    kAtRandom,      ///< gaps at random, mostly as short as they may be
};

/// All reservations as flows whose packets arrive within `length` ns. Capacities divide 10^9.
std::vector<VirtualFlow> flows_of(const admission::Admission& admission, Arrivals arrivals,
                                  int64_t length, std::mt19937_64& random);
std::vector<VirtualResource> virtual_resources(const admission::Admission& admission);

/// Of all packets.
uint64_t missed(const std::vector<Fate>& fates);
/// Executed thrice, as Arrivals has it.
uint64_t missed_when_executed(const admission::Admission& admission, int64_t length,
                              std::mt19937_64& random);

}  // namespace ravelin::test
