// SPDX-License-Identifier: Apache-2.0
// TestBox: what a test driven by YAML needs of a box, whatever runs inside: StageFixture has one
// worker without a thread, WorkerBox four real ones.
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "dataplane/counters.h"
#include "dataplane/snapshot.h"
#include "tests/support/frames.h"

namespace ravelin::test {

struct Sent {
    std::string port;
    Bytes frame;
};

/// Time moves in steps of 100 ms, as a real loop turns far more often, but hours of idle time need
/// not take more than 2,000 of them.
inline uint64_t time_step_ms(uint64_t ms) { return std::max<uint64_t>(100, ms / 2000); }

class TestBox {
  public:
    virtual ~TestBox() = default;
    /// A new generation; flows and neighbours stay. Throws with the error's message.
    virtual void apply(const std::string& yaml) = 0;
    /// Frames arrive on a port as one burst; returns when nothing is under way any more.
    virtual void receive(const std::string& port, const std::vector<Bytes>& frames) = 0;
    /// Moves time on, with all timers.
    virtual void advance(uint64_t ms) = 0;
    /// Lets the box do what it does by itself, without any time passing.
    virtual void settle() = 0;
    /// What left since the last call, in order per port and worker.
    virtual std::vector<Sent> sent() = 0;
    /// Counter by full name; one that does not exist is a test failure.
    [[nodiscard]] virtual uint64_t counter(const std::string& name) const = 0;
    /// All nonzero "drop." counters without the prefix: {"parse.truncated": 1}.
    [[nodiscard]] virtual std::map<std::string, uint64_t> drops() const = 0;
    [[nodiscard]] virtual RuleCounter rule(const std::string& name) const = 0;
    [[nodiscard]] virtual const PolicySnapshot& policy() const = 0;
};

}  // namespace ravelin::test
