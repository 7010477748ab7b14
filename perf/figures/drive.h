// SPDX-License-Identifier: Apache-2.0
// A contest from its beginning to its end: on a worker that is turned by hand, in virtual time, or
// on a worker's own thread, by the machine's own clocks. For every figure that executes
// reservations.
#pragma once
#include <sched.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "perf/bench/contest.h"
#include "perf/bench/cover.h"
#include "perf/bench/stalls.h"

namespace ravelin::perf {

/// Who sends what through which box.
struct Course {
    std::string yaml;  ///< of a box with one worker
    std::vector<Sender> senders;
    uint64_t wan = 0;  ///< bit/s of the wire there
};
/// What is asked of both when all is out, before they are gone.
using Tell = std::function<void(Box&, const Contest&)>;

/// What the emulated core takes beside functions, TSC cycles.
struct TurnCost {
    uint64_t turn = 0, each = 0;  ///< of a turn, and of a packet that comes in it
};
/// Sends for `ns` of TurnedTime, then waits until all that is promised is out. Where `stalls` say
/// so, from the beginning on, the machine stands still; these, by TurnedTime.
std::vector<Stall> by_hand(const Course& course, uint64_t ns, TurnCost cost, const Tell& tell,
                           std::span<const Stall> stalls = {});

/// What the machine did to a run on a thread.
struct Disturbed {
    std::vector<Stall> stalls;       ///< by the worker's clocks
    std::vector<Stall> loop_stalls;  ///< of the empty loop, as if it had run without a break
    uint64_t put_off = 0;            ///< ns that nothing was sent in, as who sends was kept from it
    std::vector<Stretch> sent, looped;
    StampedTime::Taken taken, loop_taken;
};
/// The same on the worker's own thread, while the calling one sends. In so many rounds, each behind
/// an empty loop as long on the same thread, beside the same work of who sends, and one loop at the
/// end; 0: in one piece, without.
Disturbed on_thread(const Course& course, uint64_t ns, const Tell& tell, unsigned rounds = 0);

/// Whether stalls may be why it is late.
inline bool covered(const Miss& miss, const Cover& cover) {
    return cover.of(miss.from_ns, miss.due_ns, miss.until_ns);
}

/// Another CPU than the worker's; -1: there is none.
int sending_cpu();

/// This thread on that CPU while it lives.
class OnCpu {
  public:
    explicit OnCpu(int cpu);
    ~OnCpu() { sched_setaffinity(0, sizeof before_, &before_); }
    OnCpu(const OnCpu&) = delete;
    OnCpu& operator=(const OnCpu&) = delete;

  private:
    cpu_set_t before_{};
};

}  // namespace ravelin::perf
