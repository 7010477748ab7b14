// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker.h"

#include <pthread.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_prefetch.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "dataplane/functions.h"
#include "dataplane/idle.h"
#include "dataplane/kernel_path.h"
#include "dataplane/tsc.h"

namespace ravelin {

Worker::Worker(WorkerSetup setup)
    : pipeline_(StageRegistry::get().instantiate(setup.id, setup.handoffs->workers())),
      flows_(std::move(setup.flows)),
      handoff_(*setup.handoffs, setup.id),
      transmitter_(std::move(setup.routes), setup.id),
      events_(limits::kEventRing),
      queues_(std::move(setup.queues)),
      policy_(setup.policy),
      clock_(setup.clock == &Now::read && tsc_is_steady() ? &TscClock::now : setup.clock),
      one_clock_(clock_ == &TscClock::now),
      adaptive_(setup.adaptive),
      cpu_(setup.cpu),
      wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    context_.worker = setup.id;
    context_.workers = setup.handoffs->workers();
    context_.counters = setup.counters;
    context_.flows = flows_.get();
    context_.neighbours = setup.neighbours;
    context_.kernel = setup.kernel;
    context_.learned = setup.learned;
    context_.learned_version = setup.learned_version;
    context_.shortcut = &shortcut_;
    context_.pool = setup.pool;
    context_.events = &events_;
    context_.handoff = &handoff_;
    context_.transmitter = &transmitter_;
    context_.rss_entries = setup.rss_entries;
}

Worker::~Worker() {
    stop();
    close(wakeup_);
}

void Worker::start() {
    thread_ = std::thread([this] { loop(); });
}

void Worker::stop() {
    if (!thread_.joinable()) return;
    stop_.store(true, std::memory_order_relaxed);
    wake();
    thread_.join();
}

bool Worker::has_left_all_but(const PolicySnapshot* policy) const noexcept {
    const uintptr_t now = using_.load(std::memory_order_seq_cst);
    return now == reinterpret_cast<uintptr_t>(policy) || now == kAsleep;
}

// The page to read first: what a worker does, turn after turn.
void Worker::loop() noexcept {
    pthread_setname_np(pthread_self(), "worker");
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (cpu_ >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu_, &set);
        pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    rte_thread_register();  // gives the thread its buffer cache
    look_at_clock();
    turn_started_ns_ = clock_().ns;
    if (context_.invocations != nullptr) context_.invocations->paused();
    while (!stop_.load(std::memory_order_relaxed)) next_turn();
    rte_thread_unregister();
}

// Of a timed turn: what `packets` took at a place.
inline void Worker::lap(unsigned place, unsigned packets) noexcept {
    if (context_.account != nullptr) [[unlikely]]
        context_.account->lap(place, packets);
}

void Worker::turn() noexcept {
    look_at_clock();
    next_turn();
}

void Worker::next_turn() noexcept {
    context_.now = one_clock_ ? ended_.now : clock_();
    context_.policy = policy_->load(std::memory_order_seq_cst);
    using_.store(reinterpret_cast<uintptr_t>(context_.policy), std::memory_order_release);
    transmitter_.follow(context_);
    const bool charges = context_.policy->principals != nullptr;
    if (charges != (context_.account != nullptr)) [[unlikely]]
        open_account();
    if (charges) [[unlikely]]
        context_.account->follow(*context_.policy->principals, context_.now.ns);
    const Functions* const functions = context_.policy->functions.get();
    if ((functions == nullptr ? 0 : functions->serial) != functions_) [[unlikely]]
        functions_ = follow_functions(context_);
    run_command();
    lap(Account::kTurn, 0);
    pressed_ = false;
    unsigned moved = take_over();  // these came before what is received now
    moved += receive();
    if (context_.kernel != nullptr && context_.worker == 0) moved += take_from_kernel();
    pipeline_.tick(context_);
    lap(Account::kTurn, 0);
    run_emitted();
    context_.give_up(handoff_.flush());
    lap(Account::kTurn, 0);
    transmitter_.flush(context_, clock_);
    finish(moved);
    if (context_.invocations != nullptr) [[unlikely]]
        run_function(moved);
    if (last_turn_moved_)
        empty_turns_ = 0;
    else if (adaptive_ && ++empty_turns_ > kSpinTurns)
        rest();
}

unsigned Worker::receive() noexcept {
    unsigned moved = 0;
    for (RxQueue& q : queues_) {
        rte_mbuf* frames[limits::kArrivals];
        const unsigned n = rte_eth_rx_burst(q.device, q.queue, frames, limits::kArrivals);
        if (n == 0) {
            lap(Account::kTurn, 0);
            continue;
        }
        pressed_ |= n == limits::kArrivals;
        uint64_t bytes = 0;
        for (unsigned i = 0; i < n; ++i) {
            rte_prefetch0(rte_pktmbuf_mtod(frames[i], void*));
            bytes += rte_pktmbuf_pkt_len(frames[i]);
        }
        context_.counters.add(port_counter(q.port, kRxPackets), n);
        context_.counters.add(port_counter(q.port, kRxBytes), bytes);
        lap(Account::kReceive, n);
        const unsigned left = take_shortcuts(frames, n, q);
        for (unsigned done = 0; done < left; done += Burst::kCapacity)
            run_received(frames + done, std::min(left - done, Burst::kCapacity), q.port);
        if (left == 0) run_emitted();  // by a tunnel, of what took the shortcut
        moved += n;
    }
    return moved;
}

// How many are left, at the front of `frames`.
unsigned Worker::take_shortcuts(rte_mbuf** frames, unsigned n, RxQueue& queue) noexcept {
    const unsigned allowed = queue.intake.allow(queue.device, queue.queue, n);
    if (watch_.active()) return n;  // who watches sees each packet at each stage
    // Proven flows are known to their owner alone, who gets them from the NIC if it spreads them.
    const bool owner = context_.workers == 1 || context_.rss_entries != 0;
    if (queue.port >= context_.policy->ports.size()) return n;
    Arrivals& in = express_.arrivals();
    in.begin(frames, n, queue.port);
    shortcut_.take(in, owner ? allowed : n, context_);
    if (owner) express_.take(pipeline_, context_);
    return in.gather();
}

void Worker::run_received(rte_mbuf* const* frames, unsigned n, PortId port) noexcept {
    std::copy_n(frames, n, burst_.frames);
    burst_.begin(n, port);
    if (watch_.active()) [[unlikely]]
        watch_.mark(burst_, context_);
    pipeline_.run(burst_, context_);
    run_emitted();
}

// All that waits, as far as a ring holds: what is left behind would wait for a run, and another
// turn of its ring for each 32 frames before it, and a ring that fills loses whosever they are.
unsigned Worker::take_over() noexcept {
    unsigned moved = 0;
    for (WorkerId from = 0; from < context_.workers; ++from) {
        rte_mbuf* frames[Burst::kCapacity];
        unsigned taken = 0, n = Burst::kCapacity;
        while (n == Burst::kCapacity && taken < limits::kHandoffRing) {
            n = handoff_.receive(from, frames, Burst::kCapacity);
            if (n == 0) break;
            lap(Account::kTurn, 0);
            context_.counters.add(kTakenOver, n);
            pipeline_.resume(frames, n, context_);
            run_emitted();
            taken += n;
        }
        pressed_ |= taken >= limits::kHandoffRing;
        moved += taken;
    }
    return moved;
}

// One burst a turn: the kernel's frames are few, and none may keep the ports waiting.
unsigned Worker::take_from_kernel() noexcept {
    rte_mbuf* frames[Burst::kCapacity];
    const unsigned n = context_.kernel->receive(frames, Burst::kCapacity);
    if (n == 0) return 0;
    lap(Account::kTurn, 0);
    for (unsigned i = 0; i < n; ++i) {
        PacketMeta meta;
        meta.flags = PacketMeta::kLocalOrigin | PacketMeta::kFromKernel;
        meta.in_port = static_cast<PortId>(frames[i]->port);
        burst_.add(frames[i], meta);
    }
    context_.counters.add(kKernelReceived, n);
    if (watch_.active()) [[unlikely]]
        watch_.mark(burst_, context_);
    pipeline_.run(burst_, context_);
    run_emitted();
    return n;
}

void Worker::run_emitted() noexcept {
    // Those there are: what they make the stages emit waits for the next turn, so no loop.
    for (unsigned left = transmitter_.emitted(); left != 0;) {
        transmitter_.take_emitted(burst_);
        left -= std::min(left, burst_.count);
        pipeline_.run(burst_, context_);
    }
}

void Worker::run_command() noexcept {
    if (command_.load(std::memory_order_relaxed) == nullptr) return;
    Command* command = command_.exchange(nullptr, std::memory_order_acquire);
    if (command == nullptr) return;  // taken back in between
    command->run(*this);
    if (context_.account != nullptr) context_.account->served();
    command->done.store(true, std::memory_order_release);
}

// The only reading of the clock in a turn: it is the next one's begin as well.
inline void Worker::end(bool moved) noexcept {
    look_at_clock();
    if (context_.account == nullptr) [[likely]]
        return;
    if (one_clock_)
        context_.account->close(moved, ended_.cycles);
    else
        context_.account->close(moved);
}

void Worker::finish(unsigned moved) noexcept {
    end(moved != 0);
    // A turn's time is charged in the next, when it is known whether a function ran behind it.
    const uint64_t spent = context_.now.ns - turn_started_ns_;
    turn_started_ns_ = context_.now.ns;
    context_.counters.add(kLoops);
    context_.counters.add(last_turn_moved_ ? kBusyNs : kIdleNs, spent);
    last_turn_moved_ = moved != 0;
}

// Application work: one run, where no core work is left (a full receive call may have left some),
// and behind what that sends. Its packets leave at once.
void Worker::run_function(unsigned moved) noexcept {
    const Invocations::Core core{.moved = moved, .waits = pressed_};
    if (context_.invocations->run(pipeline_, context_, {clock_, cycles_, had_}, core) == 0) return;
    run_emitted();
    context_.give_up(handoff_.flush());
    transmitter_.flush(context_, clock_);
    end(true);
    last_turn_moved_ = true;
}

// The policy has principals now, or none any more.
void Worker::open_account() noexcept {
    if (context_.account != nullptr) context_.account->forget();
    context_.account = context_.account == nullptr ? account_.get() : nullptr;
    if (context_.account != nullptr) context_.account->open();
}

}  // namespace ravelin
