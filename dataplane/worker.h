// SPDX-License-Identifier: Apache-2.0
// Worker: one thread, one loop, run to completion. It owns everything it writes: queues, buffers,
// flow table, counters. The control thread reaches it by publishing a policy and by commands.
#pragma once
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "dataplane/account.h"
#include "dataplane/engine_counters.h"
#include "dataplane/express.h"
#include "dataplane/flow_table.h"
#include "dataplane/handoff.h"
#include "dataplane/intake.h"
#include "dataplane/lost_time.h"
#include "dataplane/pipeline.h"
#include "dataplane/shortcut.h"
#include "dataplane/spsc_ring.h"
#include "dataplane/stage.h"
#include "dataplane/transmitter.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/watch.h"

namespace ravelin {

/// The policy in force, one slot for all workers. Written by the control thread alone.
using PolicySlot = std::atomic<const PolicySnapshot*>;

/// Work the control thread wants done on a worker, between two bursts.
class Command {
  public:
    virtual ~Command() = default;
    /// On the worker: bounded, no locks, no allocation beyond what the caller prepared.
    virtual void run(class Worker& worker) noexcept = 0;
    std::atomic<bool> done{false};
};

struct RxQueue {
    uint16_t device = 0, queue = 0;
    PortId port = 0;
    Intake intake;
};

struct WorkerSetup {
    WorkerId id = 0;
    int cpu = -1;  ///< -1: not pinned
    bool adaptive = true;
    uint16_t rss_entries = 0;
    Clock clock = &Now::read;
    const PolicySlot* policy = nullptr;
    WorkerCounters counters;
    std::unique_ptr<FlowTable> flows;
    NeighbourTable* neighbours = nullptr;
    KernelPath* kernel = nullptr;
    const LearnedRoutes* learned = nullptr;
    const Version* learned_version = nullptr;
    rte_mempool* pool = nullptr;
    HandoffMatrix* handoffs = nullptr;
    std::vector<RxQueue> queues;
    std::vector<TxRoute> routes;
};

class Worker {
  public:
    explicit Worker(WorkerSetup setup);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void start();
    void stop();
    /// One pass of the loop, on the caller's thread: for who drives a worker that was not started.
    void turn() noexcept;
    /// The same right behind another one, as the loop does it: the reading of the clock that ended
    /// that begins this.
    void next_turn() noexcept;

    /// QSBR: this worker holds no policy other than `policy`, or sleeps and will load anew. Any
    /// thread.
    [[nodiscard]] bool has_left_all_but(const PolicySnapshot* policy) const noexcept;
    /// Hands a command over and waits until it ran. False: the worker did not begin it in time, or
    /// another is waiting; then it will never run. What has begun is waited for to its end.
    bool execute(Command& command);
    static constexpr std::chrono::seconds kPatience{5};  ///< so long it waits
    /// Control thread: it was waited for in vain. Nobody waits again before it has ended a turn.
    void give_up() noexcept { given_up_at_ = context_.counters.get(kLoops); }
    /// Given up, and has ended no turn since.
    [[nodiscard]] bool stuck() const noexcept {
        return given_up_at_ == context_.counters.get(kLoops);
    }
    /// Wakes the worker if it sleeps. Any thread.
    void wake() noexcept;
    /// The same without a system call where it is awake.
    void wake_if_asleep() noexcept;

    [[nodiscard]] WorkerId id() const { return context_.worker; }
    [[nodiscard]] ByteRing& events() { return events_; }
    [[nodiscard]] size_t flow_memory() const { return flows_->memory_bytes(); }
    [[nodiscard]] uint32_t flow_capacity() const { return flows_->capacity(); }
    [[nodiscard]] const Shortcut& shortcut() const { return shortcut_; }
    /// For who turns it by hand, before a policy with principals: what cycles are counted by.
    /// `had`: what its thread has had of them (LostTime).
    void count_cycles_by(Account::Clock clock, LostTime::Clock had = nullptr) {
        cycles_ = clock;
        had_ = had;
        one_clock_ = clock_ == &TscClock::now && cycles_ == &Account::tsc;
    }
    /// Control thread, before a policy with principals is published.
    void keep_account() {
        if (account_ == nullptr) account_ = std::make_unique<Account>(cycles_);
    }
    /// Null: no policy had principals yet. Any thread may read it.
    [[nodiscard]] const Account* account() const { return account_.get(); }

    /// For commands only: what runs on the worker's own thread.
    WorkerContext& context() { return context_; }
    Pipeline& pipeline() { return pipeline_; }
    FlowTable& flows() { return *flows_; }
    Watch& watch() { return watch_; }

  private:
    friend std::optional<WorkerId> execute_on_all(std::span<const std::unique_ptr<Worker>> workers,
                                                  std::span<Command* const> commands);
    bool post(Command& command) noexcept;
    bool wait_for(Command& command, std::chrono::steady_clock::time_point deadline);
    void loop() noexcept;
    unsigned receive() noexcept;
    unsigned take_shortcuts(rte_mbuf** frames, unsigned n, RxQueue& queue) noexcept;
    void run_received(rte_mbuf* const* frames, unsigned n, PortId port) noexcept;
    unsigned take_over() noexcept;
    unsigned take_from_kernel() noexcept;
    void run_emitted() noexcept;
    void run_command() noexcept;
    void open_account() noexcept;
    void run_function(unsigned moved) noexcept;
    void finish(unsigned moved) noexcept;
    void look_at_clock() noexcept {
        if (one_clock_) ended_ = TscClock::stamp();
    }
    void end(bool moved) noexcept;
    void lap(unsigned place, unsigned packets) noexcept;
    void rest() noexcept;

    static constexpr uintptr_t kAsleep = UINTPTR_MAX, kAwake = UINTPTR_MAX - 1;

    // Read and written by this worker.
    WorkerContext context_;
    Burst burst_;
    Pipeline pipeline_;
    Watch watch_;
    std::unique_ptr<FlowTable> flows_;
    Handoff handoff_;
    Transmitter transmitter_;
    Shortcut shortcut_;
    Express express_;
    std::unique_ptr<Account> account_;
    ByteRing events_;
    std::vector<RxQueue> queues_;
    const PolicySlot* policy_;
    Clock clock_;
    Account::Clock cycles_ = &Account::tsc;
    LostTime::Clock had_ = &LostTime::thread_clock;
    uint64_t functions_ = 0;  // Functions::serial that context_.invocations is of; 0: null
    bool one_clock_;          // clock_ and cycles_ are both of the time-stamp counter: read as one
    Stamp ended_;             // if so: when the last turn did, or the sleep behind it
    uint64_t turn_started_ns_ = 0;
    unsigned empty_turns_ = 0;
    bool last_turn_moved_ = false;
    bool pressed_ = false;  ///< a receive call of this turn came back full: more may be there
    bool adaptive_;
    int cpu_, wakeup_;
    uint64_t given_up_at_ = UINT64_MAX;  // turns it had ended then; of the control thread
    // Shared with the control thread.
    alignas(64) std::atomic<uintptr_t> using_{kAwake};  ///< policy, or asleep/awake
    std::atomic<bool> stop_{false};
    std::atomic<Command*> command_{nullptr};  ///< waits to be run
    std::thread thread_;
};

/// As Worker::execute(), a command for each of the workers, all waited for at the same time:
/// however many hang, one patience. A worker that did not run its command, if there is one.
std::optional<WorkerId> execute_on_all(std::span<const std::unique_ptr<Worker>> workers,
                                       std::span<Command* const> commands);
/// The same with a C(args...) for each.
template <typename C, typename... Args>
std::optional<WorkerId> execute_on_all(const std::vector<std::unique_ptr<Worker>>& workers,
                                       const Args&... args) {
    std::deque<C> commands;
    std::vector<Command*> each;
    for (size_t i = 0; i < workers.size(); ++i) each.push_back(&commands.emplace_back(args...));
    return execute_on_all(workers, each);
}

}  // namespace ravelin
