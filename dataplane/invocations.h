// SPDX-License-Identifier: Apache-2.0
// Invocations: what waits for functions on one worker, and who of it runs when. The worker asks
// once a turn, behind its core work, for one run: then the ports are looked at again, so nothing
// keeps generic packets waiting longer than a function's max-run (S19, S30).
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/any_worker.h"
#include "dataplane/held_up.h"
#include "dataplane/lost_time.h"
#include "dataplane/packet_function.h"
#include "dataplane/sched/counts_from.h"
#include "dataplane/sched/cpu_scheduler.h"
#include "dataplane/sched/function_use.h"
#include "dataplane/stage.h"
#include "dataplane/usual_cost.h"

namespace ravelin {

class Pipeline;

/// One instance of a function, as declared.
struct FunctionSpec {
    std::string name;
    const FunctionType* type = nullptr;
    std::shared_ptr<const config::Node> declared;  ///< its entry of `functions`
    sched::FunctionRef ref;
    sched::FunctionRef next;  ///< no slot: packets go back to the pipeline
    sched::FunctionLimits limits;
    uint64_t deadline_ns = 0;      ///< from when a packet came; 0: none
    WorkerId worker = kAnyWorker;  ///< that runs it; kAnyWorker: who has the packet

    /// Until when somebody wants what came now.
    [[nodiscard]] uint64_t due(uint64_t now_ns) const noexcept {
        return deadline_ns == 0 ? sched::kNoDeadline : now_ns + deadline_ns;
    }
    /// Whether another worker than `context`'s runs it.
    [[nodiscard]] bool is_elsewhere(const WorkerContext& context) const noexcept {
        return worker != context.worker && worker < context.workers;
    }
};

/// Who reserved cycles of a worker, or of each.
struct CyclePromise {
    sched::PrincipalId principal = sched::kNoPrincipal;
    sched::Contract contract;
    WorkerId worker = kAnyWorker;
    /// Of all its parts: packets that were held up before may come together, so that many may wait.
    uint64_t path_deadline_ns = 0;
    bool operator==(const CyclePromise&) const = default;
};

/// What one worker's are made of.
struct InvocationPlan {
    std::shared_ptr<const Principals> principals;
    std::vector<FunctionSpec> functions;
    std::vector<std::unique_ptr<PacketFunction>> instances;  ///< of `functions`, in their order
    std::vector<CyclePromise> promises;                      ///< of this worker
    sched::CpuScheduler::Config scheduler;
    uint32_t frames = 0;  ///< that may wait in all
    uint32_t aside = 0;   ///< of these for who has reserved cycles
};

class Invocations {
  public:
    /// PacketMeta::next_hop of packets that are given to functions: by the time these have run the
    /// routes may be others.
    static constexpr uint32_t kLookUpAgain = 0xfffffffe;

    explicit Invocations(InvocationPlan plan);
    Invocations(const Invocations&) = delete;
    Invocations& operator=(const Invocations&) = delete;
    ~Invocations() { release_all(); }

    /// Frames of one flow and principal, at most a burst, whose metadata is in the mbufs. Takes
    /// them only if it returns kNone.
    sched::Refusal post(const sched::Invocation& invocation, std::span<rte_mbuf* const> frames,
                        uint64_t now_ns) noexcept;
    /// The same frames to the worker that runs `function`, another than this; past `deadline_ns`
    /// nobody wants them. They come there now: that is when their part of a deadline there begins.
    /// Takes them; what the ring has no room for is drop.pipeline.handoff_full.
    static void hand_over(const FunctionSpec& function, std::span<rte_mbuf* const> frames,
                          uint64_t deadline_ns, uint64_t now_ns, WorkerContext& context) noexcept;
    /// What came by hand_over(). Takes the frames: they wait here, or are dropped by name.
    static void arrive(std::span<rte_mbuf* const> frames, WorkerContext& context) noexcept;
    /// What the turn had of core work, which goes first.
    struct Core {
        unsigned moved = 0;  ///< packets
        bool waits = false;  ///< more is there: nothing runs, unless it is held to its envelope
    };
    /// What a worker counts by.
    struct Clocks {
        Clock now;
        Account::Clock cycles;
        LostTime::Clock had;  ///< of its thread
    };
    /// One run, if there is one to be made, and its packets go on behind the stage `invoke`. How
    /// many packets; a run without any counts as one.
    unsigned run(Pipeline& pipeline, WorkerContext& context, const Clocks& clocks,
                 Core core) noexcept;
    /// The worker slept, began, or went by another policy: what passed was no core work.
    void paused() noexcept {
        core_until_ = 0;
        lost_.restart();
    }
    /// When there may be something to run, ns; UINT64_MAX: never, until a post.
    [[nodiscard]] uint64_t wake_at(uint64_t now_ns) const noexcept {
        return scheduler_.wake_at(now_ns);
    }
    /// Goes on where `before` stops: functions that both have keep their state and what waits for
    /// them. The rest is dropped by name.
    void take_over(Invocations& before, WorkerContext& context) noexcept;
    /// No functions are declared any more: what waits is dropped by name.
    void withdraw(WorkerContext& context) noexcept;
    void attach() noexcept { attached_.store(true, std::memory_order_relaxed); }
    void detach() noexcept { attached_.store(false, std::memory_order_release); }

    /// Of a run (PacketRun).
    void pass(rte_mbuf* frame) noexcept { passed_[passed_count_++] = frame; }
    static void drop(rte_mbuf* frame, DropCode why, WorkerContext& context) noexcept;

    /// Any thread, as are all below.
    [[nodiscard]] bool attached() const noexcept {
        return attached_.load(std::memory_order_acquire);
    }
    /// By principal: runs, misses, overruns, time in queues.
    [[nodiscard]] const sched::Usage& usage() const { return usage_; }
    /// By function, since it is configured as it is.
    [[nodiscard]] sched::FunctionUse::Counts use_of(sched::FunctionRef function) const noexcept {
        return uses_[function.slot]->read();
    }
    /// Why a post was refused, as a drop's name.
    static DropCode reason(sched::Refusal why) noexcept;
    /// The worker is gone: frees what waits.
    void release_all() noexcept;

  private:
    static void release(void* self, void* const* frames, unsigned n, sched::PrincipalId principal,
                        sched::Refusal why) noexcept;
    static bool beyond_cap(void* self, sched::PrincipalId principal) noexcept;
    [[nodiscard]] bool has_room(sched::PrincipalId id, size_t frames) const noexcept;
    [[nodiscard]] DropCode take_in(std::span<rte_mbuf* const> frames,
                                   WorkerContext& context) noexcept;
    unsigned send_on(const sched::Invocation& ran, WorkerContext& context,
                     uint64_t now_ns) noexcept;
    void charge_core(uint64_t cycles, unsigned moved, uint64_t now_ns,
                     LostTime::Clock had) noexcept;
    void note_around(uint64_t cycles, unsigned packets, const Clocks& clocks) noexcept;
    void note_stall(uint64_t lost, uint64_t cycles, uint64_t now_ns) noexcept;
    [[nodiscard]] sched::CountsFrom counts_from(const sched::Slice& slice,
                                                uint64_t now_ns) const noexcept;
    [[nodiscard]] uint64_t released_from(const sched::Slice& slice, uint64_t now_ns) const noexcept;
    [[nodiscard]] uint64_t lost_of(const sched::Slice& slice, uint64_t cycles, uint64_t now_ns,
                                   LostTime::Clock had) noexcept;
    void entered(sched::PrincipalId id, size_t frames) noexcept {
        free_ -= static_cast<uint32_t>(frames);
        held_[index(id)] += static_cast<uint32_t>(frames);
    }
    /// They wait no more, whatever became of them.
    void left(sched::PrincipalId id, size_t frames) noexcept {
        free_ += static_cast<uint32_t>(frames);
        held_[index(id)] -= static_cast<uint32_t>(frames);
    }
    [[nodiscard]] sched::PrincipalId here(sched::PrincipalId id, const Invocations& of) const;
    void keep_state(Invocations& before) noexcept;
    void move(Invocations& before, sched::PrincipalId id, WorkerContext& context) noexcept;
    template <typename Fn>
    void take_all(Fn&& end) noexcept;
    void load() noexcept;

    std::shared_ptr<const Principals> principals_;
    std::vector<FunctionSpec> functions_;
    std::array<std::unique_ptr<PacketFunction>, sched::kMaxFunctions> instances_;
    std::array<const FunctionSpec*, sched::kMaxFunctions> next_{};  // by slot; null: none
    std::array<std::unique_ptr<sched::FunctionUse>, sched::kMaxFunctions> uses_;
    sched::FunctionTable table_;
    sched::Usage usage_;
    std::vector<bool> entitled_;  // by principal: has reserved cycles
    std::vector<uint32_t> held_;  // by principal: frames that wait
    uint32_t aside_;              // frames that who has reserved nothing leaves
    uint32_t free_;               // frames that may wait beside those
    sched::CpuScheduler scheduler_;
    LostTime lost_;
    UsualCost usual_;
    WorkerContext* context_ = nullptr;  // of what is being called, for release()
    uint64_t core_until_ = 0;           // cycles: up to where core work is in the envelope
    HeldUp held_up_;
    uint64_t overran_ns_ = 0;  // beyond limits of runs, since nothing reserved waited
    rte_mbuf* passed_[limits::kBurst];
    unsigned passed_count_ = 0;
    std::atomic<bool> attached_{false};
};

}  // namespace ravelin
