// SPDX-License-Identifier: Apache-2.0
// A set of principals with reservations, and the crowd beside them that wants ten times what there
// is: the configuration of a box in which the first must feel nothing of the second. For tests and
// perf/figures alike.
#pragma once
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace ravelin::test {

/// A principal v0, v1, ... of the list, and what it has reserved.
struct Wish {
    uint64_t cycles = 0;  ///< a packet's, which its function takes at most; 0: it has none
    uint64_t rate = 0, deadline_us = 0;
    uint64_t bytes = 0;            ///< IP of a packet at the port wan; 0: nothing there
    uint64_t cpu_deadline_ns = 0;  ///< of both: its part of the deadline, once granted
    unsigned hops = 1;             ///< functions one behind the other that share `cycles`
    bool uneven = false;           ///< each of them twice as many as the one before; else evenly
    /// Workers that run them; empty: any. Where there are several: parts of the deadline, granted.
    std::vector<unsigned> workers = {};
    std::vector<std::string> cpu_parts = {};
};

inline constexpr uint64_t kMaxRunNs = 20'000;  ///< of every function that says nothing else

/// Everybody else, and the machine.
struct Crowd {
    /// o0 burns twenty times the 1,000 cycles that it states, the other functions what they state.
    unsigned functions = 10;
    uint64_t cycles = 1'900;  ///< that each of these takes for a packet
    unsigned links = 0;       ///< further principals, which only send
    unsigned weight = 1;      ///< of each of all these, where the others have 1
    uint64_t left = 60;       ///< of a packet's cycles, what its function leaves to what is around
    uint64_t max_run_ns = kMaxRunNs;  ///< of the functions of the wishes
    uint64_t worker = 0;              ///< cycles/s; 0: as the counter counts
    uint64_t wan = 0;                 ///< bit/s; 0: as fast as it goes
    int cpu = -1;                     ///< that the worker runs on; -1: any
    const char* core = "{cpu: 40, burst: 100us}";
    bool reserved = true;      ///< else the wishes are wishes
    bool applications = true;  ///< else a router for the same packets, without functions
    unsigned workers = 1;
};

/// Of the wish's cycles, those of its function number `hop`.
uint64_t cycles_of(const Wish& wish, unsigned hop);

/// Mode wire, ports lan and wan on net_ring_lan and net_ring_wan. vI has 10.1.I.0/24,
/// oI 10.2.I.0/24. `flood` has no address, and neither it nor who is nobody's has a function.
std::string isolated_yaml(const std::vector<Wish>& wishes, const Crowd& crowd = {});

/// Whether admission grants all of it; if so, with the splits that it found. `why`: its refusal.
bool granted(std::vector<Wish>& wishes, const Crowd& crowd = {}, std::string* why = nullptr);

/// What wishes are drawn from, all log-uniform. A part of the path that is not wanted has 0.
struct Mix {
    uint64_t least_cycles = 500, most_cycles = 20'000;
    uint64_t least_rate = 200, most_rate = 10'000;
    uint64_t least_us = 300, most_us = 20'000;
    uint64_t least_bytes = 0, most_bytes = 0;  ///< 0: cycles alone; else both, cycles, wan in turns
    unsigned most = 24;
    unsigned most_hops = 1;  ///< any number up to it, half of them uneven
    /// Where there are several workers, wishes of one function in three name none, the others
    /// change worker once on their way, from any to any.
    bool cross = false;
};
/// Wishes at random behind those of `first`, until three were refused.
std::vector<Wish> fill(std::mt19937_64& random, const Mix& mix = {}, const Crowd& crowd = {},
                       std::vector<Wish> first = {});

}  // namespace ravelin::test
