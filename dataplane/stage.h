// SPDX-License-Identifier: Apache-2.0
// The stage contract. A stage is one file in pipelines/stages: a StageDecl (name, schema, drop
// names, how to compile its configuration) and a Stage (one instance per worker, so no locks).
//
//   class Parse final : public Stage { ... };
//   constexpr StageDecl kStage{.name = "parse", .help = "...", .schema = &kSchema, .drops = kDrops,
//                              .counters = kCounters, .compile = compile, .create = create};
//   REGISTER_STAGE(kStage);
#pragma once
#include <rte_mempool.h>

#include <memory>
#include <span>
#include <string_view>

#include "dataplane/burst.h"
#include "dataplane/clock.h"
#include "dataplane/config/node.h"
#include "dataplane/config/schema.h"
#include "dataplane/counters.h"
#include "dataplane/snapshot.h"
#include "dataplane/spsc_ring.h"

namespace ravelin {

class FlowTable;
class NeighbourTable;
class Handoff;
class Transmitter;
class KernelPath;
class LearnedRoutes;
class Shortcut;
struct ExpressBurst;
struct LostFrames;
class Account;
class Invocations;
class Version;

/// A drop or counter a stage declares: its name within the stage, one help sentence.
struct CounterDecl {
    std::string_view name;
    std::string_view help;
    CounterKind kind = CounterKind::kCounter;
};

/// What a stage instance may touch. Everything here belongs to this worker, except `neighbours`
/// (written by worker 0 alone) and what `policy` points to (immutable).
struct WorkerContext {
    WorkerId worker = 0;
    WorkerId workers = 1;
    Now now;
    const PolicySnapshot* policy = nullptr;  ///< pinned for this burst
    WorkerCounters counters;
    FlowTable* flows = nullptr;
    NeighbourTable* neighbours = nullptr;
    rte_mempool* pool = nullptr;  ///< for frames the box makes itself
    ByteRing* events = nullptr;   ///< to the control thread
    Handoff* handoff = nullptr;   ///< to other workers
    Transmitter* transmitter = nullptr;
    /// Entries of the NICs' redirection tables, where every port spreads flows over the workers by
    /// symmetric RSS (dataplane/rss.h); 0: they do not, steer spreads by the hash of the flow.
    uint16_t rss_entries = 0;
    KernelPath* kernel = nullptr;              ///< null: no port has a TAP
    const LearnedRoutes* learned = nullptr;    ///< null: none are learned
    const Version* learned_version = nullptr;  ///< of `learned`
    Shortcut* shortcut = nullptr;              ///< null: nobody takes one
    Account* account = nullptr;                ///< null: no principals are declared, or a dry run
    Invocations* invocations = nullptr;        ///< null: no functions are declared, or a dry run
    /// explain: decide as always, but change nothing: no flow, no counter, no reply, no hold.
    bool dry_run = false;

    /// Queues a frame the box made. It runs through the whole pipeline after the current burst as
    /// PacketMeta::kLocalOrigin; `in_port` is the port it answers on. Takes the frame. In a dry
    /// run it is freed.
    void emit(rte_mbuf* frame, PortId in_port) noexcept;
    /// Queues a frame that was within another: it comes in by `in_port` as if received there, from
    /// the first stage on, as PacketMeta::kTunnelled. Takes the frame. Not for dry runs.
    void arrive(rte_mbuf* frame, PortId in_port) noexcept;
    /// Sends a finished frame out of `port` behind the pipeline's back (held packets, ARP). Takes
    /// it. `principal`: whom it is charged to.
    void transmit(rte_mbuf* frame, PortId port,
                  sched::PrincipalId principal = sched::kCorePrincipal) noexcept;
    /// Counts what could not be handed over.
    void give_up(const LostFrames& lost) noexcept;
    /// Packets that no stage will see again, which were received but not charged to anybody; and a
    /// drop of one that was.
    void charge_lost(unsigned packets) noexcept;
    void charge_drop(const PacketMeta& meta) noexcept;
    /// Hands a received frame to the kernel by the TAP of `port`. False: not taken, no room.
    bool to_kernel(rte_mbuf* frame, PortId port) noexcept;
};

/// One worker's instance. process() sees packets whose verdict is pass (`burst.live(i)`), never
/// frees or sends them, and allocates, locks, logs, throws and waits for nothing.
class Stage {
  public:
    virtual ~Stage() = default;
    /// Judges the burst under `policy`, which this stage's StageDecl::compile made.
    virtual void process(Burst& burst, const StagePolicy& policy,
                         WorkerContext& context) noexcept = 0;
    /// What process() would decide of plain packets (dataplane/express.h), where StageDecl::express
    /// says that this stage can tell: columns are filled, packets dropped, and what it is not sure
    /// of goes to the pipeline. Frames and counters are left alone.
    virtual void express(ExpressBurst& /*burst*/, const StagePolicy& /*policy*/,
                         WorkerContext& /*context*/) noexcept {}
    /// Once per loop turn: timers, a bounded amount of work.
    virtual void tick(const StagePolicy& /*policy*/, WorkerContext& /*context*/) noexcept {}

  protected:
    /// Drop and counter ids of this stage, in the order declared.
    [[nodiscard]] DropCode drop(unsigned i) const { return static_cast<DropCode>(drops_ + i); }
    [[nodiscard]] CounterId counter(unsigned i) const {
        return static_cast<CounterId>(counters_ + i);
    }

  private:
    friend class StageRegistry;
    CounterId drops_ = 0, counters_ = 0;
};

/// What compile() may know beside its own configuration.
struct CompileContext {
    const PolicySnapshot& snapshot;  ///< ports, mode, generation; `rules` may be added to
    std::vector<RuleInfo>& rules;    ///< the firewall fills it
    /// The previous generation's policy of this stage if its configuration and the ports are
    /// unchanged bit for bit (then it may be returned as it is), else null.
    std::shared_ptr<const StagePolicy> unchanged;
    /// The previous generation's policy of this stage, whatever changed, or null: it may lend state
    /// that outlives a policy, such as buckets of rates.
    std::shared_ptr<const StagePolicy> previous = nullptr;
};

/// The static half of a stage.
struct StageDecl {
    std::string_view name;  ///< = YAML key = file = counter prefix = test folder
    std::string_view help;
    const config::Schema* schema;
    std::span<const CounterDecl> drops;
    std::span<const CounterDecl> counters;
    /// Control thread; may take long, must explain errors.
    Result<std::shared_ptr<const StagePolicy>> (*compile)(const config::Node&, CompileContext&);
    /// Boot, once per worker; all memory is allocated here.
    std::unique_ptr<Stage> (*create)(WorkerId worker, WorkerId workers);
    /// Whether what it did to one packet of a proven flow it does to all that come the same way
    /// (dataplane/shortcut.h). Null: no, it must see every packet.
    bool (*repeats)(const StagePolicy&) = nullptr;
    /// Whether Stage::express() says all that it has to do with plain packets. Null: no, it must
    /// see every packet.
    bool (*express)(const StagePolicy&) = nullptr;
};

/// All registered stages, sorted by name. Boot refuses duplicates.
class StageRegistry {
  public:
    static StageRegistry& get();
    void add(const StageDecl& decl);
    [[nodiscard]] const std::vector<const StageDecl*>& stages() const { return stages_; }
    [[nodiscard]] const StageDecl* find(std::string_view name) const;
    [[nodiscard]] int index(std::string_view name) const;  ///< -1 where there is none
    /// Counter specs of all stages, appended; remembers where each stage's begin.
    void append_counters(std::vector<CounterSpec>& specs);
    /// One instance of each stage, with its counter ids set. After append_counters.
    [[nodiscard]] std::vector<std::unique_ptr<Stage>> instantiate(WorkerId worker,
                                                                  WorkerId workers) const;
    /// config::StageSchemas over this registry.
    static const config::Schema* schema_of(std::string_view stage);

  private:
    std::vector<const StageDecl*> stages_;
    std::vector<CounterId> drop_base_, counter_base_;
};

struct StageRegistration {
    explicit StageRegistration(const StageDecl& decl) { StageRegistry::get().add(decl); }
};
#define REGISTER_STAGE(decl) static const ::ravelin::StageRegistration registration_of_##decl(decl)

}  // namespace ravelin
