// SPDX-License-Identifier: Apache-2.0
// How a worker that has nothing to do sleeps, and is woken.
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/idle.h"
#include "dataplane/invocations.h"
#include "dataplane/kernel_path.h"
#include "dataplane/worker.h"

namespace ravelin {

void Worker::wake() noexcept {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(wakeup_, &one, sizeof one);
}

void Worker::wake_if_asleep() noexcept {
    if (using_.load(std::memory_order_seq_cst) == kAsleep) wake();
}

void Worker::rest() noexcept {
    if (handoff_.anything_waits() || command_.load(std::memory_order_relaxed) != nullptr) return;
    if (context_.kernel != nullptr && context_.worker == 0 && context_.kernel->anything_waits())
        return;
    const long scaled = static_cast<long>(empty_turns_ - kSpinTurns) * kShortestSleepNs;
    // A frame that waits for its port's rate is not slept past, and one that is due soon is waited
    // for awake: no sleep is as short as that.
    uint64_t due = transmitter_.wake_at(context_.now.ns);
    if (context_.invocations != nullptr)
        due = std::min(due, context_.invocations->wake_at(context_.now.ns));
    const uint64_t wait = due > context_.now.ns ? due - context_.now.ns : 0;
    if (wait < uint64_t{kShortestSleepNs}) return;
    const timespec longest{
        0, static_cast<long>(std::min<uint64_t>(wait, std::min(scaled, kLongestSleepNs)))};
    using_.store(kAsleep, std::memory_order_seq_cst);
    pollfd wakeup{wakeup_, POLLIN, 0};
    if (ppoll(&wakeup, 1, &longest, nullptr) > 0) {
        uint64_t drained = 0;
        [[maybe_unused]] const ssize_t n = read(wakeup_, &drained, sizeof drained);
    }
    // Awake is announced before the policy is loaded again: whoever saw us asleep after publishing
    // a policy knows that we will load that one.
    using_.store(kAwake, std::memory_order_seq_cst);
    context_.counters.add(kSleeps);
    if (context_.account != nullptr) context_.account->slept();
    look_at_clock();
    if (context_.invocations != nullptr) context_.invocations->paused();
}

}  // namespace ravelin
