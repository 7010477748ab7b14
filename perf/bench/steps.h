// SPDX-License-Identifier: Apache-2.0
// Steps: what a thread executes, one instruction at a time. The CPU stops after each (its trap
// flag) and a signal handler writes down where: exact, the same on a busy machine as on an idle
// one, and for every instruction that the CPU has. Some 10 us each on a virtual machine.
#pragma once
#include <cstdint>
#include <vector>

namespace ravelin::perf {

/// Instructions that cost far more than others, however few they are.
struct Dear {
    uint64_t locked = 0;     ///< atomic read-modify-write
    uint64_t divisions = 0;  ///< of whole numbers
    uint64_t clocks = 0;     ///< readings of the TSC
    uint64_t calls = 0;      ///< of the kernel
    [[nodiscard]] uint64_t sum() const { return locked + divisions + clocks + calls; }
};

/// What was executed.
struct Steps {
    struct Place {
        uintptr_t address = 0;
        uint64_t times = 0;
    };
    uint64_t instructions = 0;
    Dear dear;
    std::vector<Place> places;
};

/// The calling thread steps from here to the end of the next end_steps(). One thread at a time; no
/// work that handles SIGTRAP itself.
void begin_steps();
Steps end_steps();

}  // namespace ravelin::perf
