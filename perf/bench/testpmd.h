// SPDX-License-Identifier: Apache-2.0
// DPDK's own testpmd over the same tape: the price of the ports where nothing is done to packets.
#pragma once
#include <memory>
#include <string>

#include "perf/replay/tape.h"

namespace ravelin::perf {

/// Between two calls it stands still (SIGSTOP), so it is started once and can be measured beside
/// whatever else plays the tape. It dies with this process.
class Testpmd {
  public:
    [[nodiscard]] static bool installed();
    /// Starts it. Ends the process with its words where it does not run.
    explicit Testpmd(Tape& tape);
    ~Testpmd();
    Testpmd(const Testpmd&) = delete;
    Testpmd& operator=(const Testpmd&) = delete;
    /// Forwards (io) for `seconds`, at least `windows` windows, on the measuring CPU. What it saw
    /// stands in the tape, but for a window that it stood still in. Ends the process with its
    /// words where it died.
    void play(double seconds, uint32_t windows);

  private:
    class Child;
    void wait_for(uint32_t windows, double seconds);
    [[noreturn]] void fail();
    Tape& tape_;
    std::string log_;
    std::unique_ptr<Child> child_;
    TapeHead::Seen seen_{};  // while it stands: others count there too
};

}  // namespace ravelin::perf
