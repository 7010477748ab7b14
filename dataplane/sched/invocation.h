// SPDX-License-Identifier: Apache-2.0
// Invocation: the only way application work happens (S26-S31). It names whose work it is twice: the
// flow it is about and the principal that pays. Functions keep state, never block, and reach each
// other only by posting; each return to the worker is a control point.
#pragma once
#include <cstdint>
#include <span>

#include "dataplane/limits.h"
#include "dataplane/sched/function_table.h"
#include "dataplane/sched/principal.h"

namespace ravelin::sched {

inline constexpr uint64_t kNoDeadline = UINT64_MAX, kWhenPosted = UINT64_MAX;

/// Why packets were not served. Each is a drop's name.
enum class Refusal : uint8_t {
    kNone,
    kQueueFull,       ///< the principal's queue is at its threshold
    kPoolFull,        ///< its fair part of what waits in all is used up
    kStaleReference,  ///< the function is unloaded
    kSuspended,       ///< it overran its stated work again and again
    kStale,           ///< the deadline passed before it was served
    kUnknownPrincipal,
    kOverCap,  ///< its principal is beyond a cap
    kTooMany,  ///< more frames than a burst holds, or no timer is free
};

struct Invocation {
    FunctionRef function;
    PrincipalId principal = kNoPrincipal;
    uint32_t flow = 0;
    uint64_t deadline_ns = kNoDeadline;  ///< past it nobody wants the result
    uint64_t argument = 0;               ///< of a timer or a message without frames
    /// When what it is about came to the first function: what is reserved is due counted from then.
    uint64_t came_ns = kWhenPosted;
    uint32_t hops = 0;  ///< functions that it has gone through
};

/// An invocation that waits, with its burst: frames are opaque here.
struct Waiting {
    Invocation invocation;
    uint64_t arrival_ns = 0;       ///< in this queue
    uint64_t order = 0;            ///< in which it came there, of all on this worker
    uint32_t next = UINT32_MAX;    ///< of FifoPool
    uint16_t count = 0, done = 0;  ///< frames; those before `done` are served
    void* frames[limits::kBurst];

    /// Packets of work left; one without frames is one piece of work.
    [[nodiscard]] unsigned left() const { return count == 0 ? 1 - done : count - done; }
};

/// Frees or counts frames that leave without service. Called by the schedulers.
struct Release {
    void (*call)(void* context, void* const* frames, unsigned n, PrincipalId principal,
                 Refusal why) noexcept = nullptr;
    void* context = nullptr;
    void operator()(void* const* frames, unsigned n, PrincipalId principal, Refusal why) const {
        if (n != 0 && call != nullptr) call(context, frames, n, principal, why);
    }
};

/// Whether what waits of a principal is to be dropped and not run. Asked by the CPU's scheduler.
struct Beyond {
    bool (*call)(void* context, PrincipalId principal) noexcept = nullptr;
    void* context = nullptr;
    bool operator()(PrincipalId principal) const {
        return call != nullptr && call(context, principal);
    }
};

class CpuScheduler;

/// What a running function may do.
class FunctionContext {
  public:
    FunctionContext(CpuScheduler& scheduler, const Invocation& current, uint64_t now)
        : scheduler_(scheduler), current_(current), now_(now) {}

    [[nodiscard]] uint64_t now_ns() const { return now_; }
    [[nodiscard]] const Invocation& current() const { return current_; }
    /// Work for another function on the same flow, paid by the same principal, due when this is,
    /// on what this leaves of the same packet's budget.
    /// Takes the frames only if it returns kNone.
    Refusal post(FunctionRef function, std::span<void* const> frames,
                 uint64_t argument = 0) noexcept {
        return post_for(current_.flow, function, frames, argument);
    }
    /// The same about another flow (fan-out): who pays does not change.
    Refusal post_for(uint32_t flow, FunctionRef function, std::span<void* const> frames,
                     uint64_t argument = 0) noexcept;
    /// An invocation without frames at `when_ns`, of this flow and principal.
    Refusal start_timer(FunctionRef function, uint64_t when_ns, uint64_t argument = 0) noexcept;

  private:
    CpuScheduler& scheduler_;
    const Invocation& current_;
    uint64_t now_;
};

/// An application's function: state, and one entry. One instance a worker.
class Function {
  public:
    virtual ~Function() = default;
    /// `frames`: what this run is to do (a part of the burst), empty for a timer or message.
    /// Returns how many it finished; fewer only when it was interrupted. Finished frames are its
    /// own: it posts, sends or frees them.
    virtual unsigned run(const Invocation& invocation, std::span<void* const> frames,
                         FunctionContext& context) noexcept = 0;
};

}  // namespace ravelin::sched
