// SPDX-License-Identifier: Apache-2.0
// Virtual time for the schedulers: a clock that jumps from event to event, a CPU that takes as long
// as the packets say, a wire of its own that checks what the link scheduler gives it. The
// schedulers are the real ones.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

#include "dataplane/sched/cpu_scheduler.h"
#include "dataplane/sched/link_scheduler.h"

namespace ravelin::sched {

class VirtualClock {
  public:
    [[nodiscard]] uint64_t now() const { return now_; }
    /// Events of one instant happen in the order they were asked for.
    void at(uint64_t when, std::function<void()> what) {
        events_.emplace(std::max(when, now_), std::move(what));
    }
    void run_until(uint64_t end) {
        while (!events_.empty() && events_.begin()->first <= end) {
            auto event = events_.extract(events_.begin());
            now_ = event.key();
            event.mapped()();
        }
        now_ = std::max(now_, end);
    }

  private:
    uint64_t now_ = 0;
    std::multimap<uint64_t, std::function<void()>> events_;
};

/// A frame of the simulation.
struct SimPacket {
    PrincipalId principal = kNoPrincipal;
    uint64_t cycles = 0;  ///< still to be worked
    uint32_t bytes = 0;
    uint64_t arrival = 0, due = UINT64_MAX;
};

/// A function whose work is what its packets say; afterwards `then` gets each.
class SimFunction final : public Function {
  public:
    using Then = std::function<void(SimPacket&, FunctionContext&)>;
    explicit SimFunction(Then then) : then_(std::move(then)) {}
    unsigned run(const Invocation&, std::span<void* const> frames,
                 FunctionContext& context) noexcept override {
        for (void* frame : frames) then_(*static_cast<SimPacket*>(frame), context);
        return static_cast<unsigned>(frames.size());
    }

  private:
    Then then_;
};

/// Asks the scheduler at every control point and spends what the packets cost.
class VirtualCpu {
  public:
    struct Setup {
        uint64_t ns_per_cycle = 1;
        bool budget_timer = true;     ///< a run is interrupted at its slice's limit
        uint64_t message_cycles = 1;  ///< of an invocation without frames
    };
    VirtualCpu(VirtualClock& clock, CpuScheduler& scheduler, FunctionTable& functions, Setup setup)
        : clock_(clock), scheduler_(scheduler), functions_(functions), setup_(setup) {}

    /// Something was posted.
    void kick() {
        if (busy_ || kicked_) return;
        kicked_ = true;
        clock_.at(clock_.now(), [this] {
            kicked_ = false;
            step();
        });
    }
    [[nodiscard]] uint64_t idle_ns() const { return idle_; }
    std::function<void(const Slice&, uint64_t cycles)> watch;  ///< every run, at its end

  private:
    void step() {
        if (busy_) return;
        const uint64_t now = clock_.now();
        idle_ += now - idle_since_;
        idle_since_ = now;
        const Slice slice = scheduler_.next(now);
        if (!slice) return sleep();
        const std::pair<uint64_t, unsigned> done = work(slice);
        busy_ = true;
        clock_.at(now + done.first * setup_.ns_per_cycle,
                  [this, slice, done] { finish(slice, done.first, done.second); });
    }
    void sleep() {
        const uint64_t wake = scheduler_.wake_at(clock_.now());
        if (wake == UINT64_MAX) return;
        clock_.at(std::max(wake, clock_.now() + 1), [this] { kick(); });
    }
    std::pair<uint64_t, unsigned> work(const Slice& slice) {
        const uint64_t limit =
            setup_.budget_timer && slice.by != Slice::By::kCore ? slice.limit : UINT64_MAX;
        if (slice.work->count == 0) return {setup_.message_cycles, 1};
        uint64_t cycles = 0;
        unsigned completed = 0;
        for (void* frame : slice.frames()) {
            auto& packet = *static_cast<SimPacket*>(frame);
            const uint64_t part = std::min(packet.cycles, limit - cycles);
            cycles += part;
            packet.cycles -= part;
            if (packet.cycles != 0) break;
            ++completed;
        }
        return {cycles, completed};
    }
    void finish(const Slice& slice, uint64_t cycles, unsigned completed) {
        const uint64_t now = clock_.now();
        idle_since_ = now;
        if (watch) watch(slice, cycles);
        FunctionContext context(scheduler_, slice.work->invocation, now);
        functions_.function(slice.work->invocation.function.slot)
            .run(slice.work->invocation,
                 slice.work->count == 0 ? slice.frames() : slice.frames().first(completed),
                 context);
        scheduler_.done(slice, cycles, completed, now);
        busy_ = false;
        step();
    }

    VirtualClock& clock_;
    CpuScheduler& scheduler_;
    FunctionTable& functions_;
    Setup setup_;
    bool busy_ = false, kicked_ = false;
    uint64_t idle_ = 0, idle_since_ = 0;
};

/// Drains a LinkScheduler at an emulated rate: a ring and a wire of its own. Throws where the ring
/// is given more than it may hold.
class VirtualLink {
  public:
    using Departed = std::function<void(SimPacket&, uint64_t when)>;
    /// `wire_ns_per_byte` may differ from the scheduler's rate only by being faster.
    VirtualLink(VirtualClock& clock, LinkScheduler& scheduler, uint64_t wire_ns_per_byte,
                const LinkScheduler::Config& config, Departed departed)
        : clock_(clock),
          scheduler_(scheduler),
          ns_per_byte_(wire_ns_per_byte),
          config_(config),
          departed_(std::move(departed)) {}

    Refusal send(SimPacket& packet) {
        const Refusal refusal =
            scheduler_.enqueue(packet.principal, &packet, packet.bytes, clock_.now());
        kick();
        return refusal;
    }
    void kick() {
        if (kicked_) return;
        kicked_ = true;
        clock_.at(clock_.now(), [this] {
            kicked_ = false;
            step();
        });
    }

  private:
    void step() {
        void* frames[limits::kBurst];
        const uint64_t now = clock_.now();
        const unsigned n = scheduler_.dequeue(now, frames);
        for (unsigned i = 0; i < n; ++i) {
            auto& packet = *static_cast<SimPacket*>(frames[i]);
            const uint64_t bytes = uint64_t{packet.bytes} + config_.overhead;
            in_ring_ += bytes;
            if (in_ring_ > config_.ring_bytes + ahead_of_us(now))
                throw std::logic_error("the link scheduler overfills the ring");
            free_at_ = std::max(free_at_, now) + bytes * ns_per_byte_;
            clock_.at(free_at_, [this, &packet, bytes] {
                in_ring_ -= bytes;
                departed_(packet, clock_.now());
            });
        }
        const uint64_t wake = scheduler_.wake_at(now);
        if (wake == UINT64_MAX || wake >= wakes_at_) return;
        wakes_at_ = std::max(wake, now + 1);
        clock_.at(wakes_at_, [this] {
            wakes_at_ = UINT64_MAX;
            kick();
        });
    }
    // Bytes of the frame on the wire that have left already: the ring holds it until its last bit.
    [[nodiscard]] uint64_t ahead_of_us(uint64_t now) const {
        return free_at_ <= now ? 0 : uint64_t{config_.most_frame} + config_.overhead;
    }

    VirtualClock& clock_;
    LinkScheduler& scheduler_;
    uint64_t ns_per_byte_;
    LinkScheduler::Config config_;
    Departed departed_;
    uint64_t in_ring_ = 0, free_at_ = 0, wakes_at_ = UINT64_MAX;
    bool kicked_ = false;
};

}  // namespace ravelin::sched
