// SPDX-License-Identifier: Apache-2.0
// A function that the appliance ships: what it is called and configured with, and one instance of
// it on a worker, which keeps state and is given bursts. It never blocks: each return is a control
// point of the worker, and between two packets nothing else runs.
//
// A type is a class with `run(frames, PacketRun&)`, a FunctionType that names and creates it, and
// REGISTER_FUNCTION of that, in one file of pipelines/functions/.
#pragma once
#include <rte_mbuf.h>

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/account.h"
#include "dataplane/packet.h"
#include "dataplane/result.h"
#include "dataplane/sched/invocation.h"
#include "dataplane/stage.h"

namespace ravelin {

class Invocations;

/// What a run may do with its packets. Each of them is passed or dropped once.
class PacketRun final : public sched::FunctionContext {
  public:
    PacketRun(sched::CpuScheduler& scheduler, const sched::Invocation& current, uint64_t now_ns,
              Account::Clock clock, Invocations& owner, WorkerContext& worker)
        : FunctionContext(scheduler, current, now_ns),
          cycles_(clock),
          owner_(owner),
          worker_(worker) {}

    /// What the pipeline knows of a packet. The run's cycles are current().principal's, another's
    /// where these are shared.
    [[nodiscard]] static const PacketMeta& meta(rte_mbuf* frame) { return *travelling_meta(frame); }
    /// It goes to the next function, or on through the pipeline behind the stage `invoke`.
    void pass(rte_mbuf* frame) noexcept;
    void drop(rte_mbuf* frame, DropCode why) noexcept;
    /// Sends a copy of the frame out of `port` as it came in, charged to the same principal as
    /// the frame, behind the pipeline's back. False: there is no buffer for it
    /// (drop.pipeline.no_buffer).
    bool mirror(rte_mbuf* frame, PortId port) noexcept;
    /// Cycles of the clock that the run is charged by.
    [[nodiscard]] uint64_t cycles() const noexcept { return cycles_(); }

  private:
    Account::Clock cycles_;
    Invocations& owner_;
    WorkerContext& worker_;
};

/// One worker's instance.
class PacketFunction : public sched::Function {
  public:
    /// A part of a burst, of one flow and principal; all its packets are passed or dropped.
    virtual void run(std::span<rte_mbuf* const> frames, PacketRun& run) noexcept = 0;

    /// As the scheduler knows it; workers give it no other context than a PacketRun.
    unsigned run(const sched::Invocation&, std::span<void* const> frames,
                 sched::FunctionContext& context) noexcept final {
        run({reinterpret_cast<rte_mbuf* const*>(frames.data()), frames.size()},
            static_cast<PacketRun&>(context));
        return static_cast<unsigned>(frames.size());
    }
};

/// The static half.
struct FunctionType {
    std::string_view name;  ///< = YAML key of `functions` (pipelines/model/function_schema.h)
    /// Control thread, an instance for each worker. Errors begin with the field that is wrong.
    Result<std::unique_ptr<PacketFunction>> (*create)(const config::Node& config,
                                                      const PolicySnapshot& snapshot);
};

/// All registered types.
class FunctionTypes {
  public:
    static FunctionTypes& get();
    void add(const FunctionType& type) { types_.push_back(&type); }
    [[nodiscard]] const std::vector<const FunctionType*>& all() const { return types_; }

  private:
    std::vector<const FunctionType*> types_;
};

struct FunctionRegistration {
    explicit FunctionRegistration(const FunctionType& type) { FunctionTypes::get().add(type); }
};
#define REGISTER_FUNCTION(type) \
    static const ::ravelin::FunctionRegistration registration_of_##type(type)

}  // namespace ravelin
