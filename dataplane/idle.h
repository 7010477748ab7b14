// SPDX-License-Identifier: Apache-2.0
// How long an adaptive worker sleeps when it has nothing to do: the latency an idle box adds, the
// delay of its timers, and what admission takes off a deadline.
#pragma once

namespace ravelin {

inline constexpr long kShortestSleepNs = 20'000, kLongestSleepNs = 250'000;
// How much later than it asked a thread wakes: a worker asks for a slack of its timers of 1 ns
// (PR_SET_TIMERSLACK), and this is for the scheduler. On a busy or virtual machine nothing bounds
// it.
inline constexpr long kLateToWakeNs = 100'000;
/// An adaptive worker spins this many empty turns before it sleeps, then sleeps longer and longer.
inline constexpr unsigned kSpinTurns = 200;

}  // namespace ravelin
