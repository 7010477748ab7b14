// SPDX-License-Identifier: Apache-2.0
// Appliance: everything the first policy boots: EAL, buffer pools, ports, workers, shared segments.
// What it is made of is fixed until the process ends; policies come and go (PolicyStore).
#pragma once
#include <rte_mempool.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/counters.h"
#include "dataplane/functions.h"
#include "dataplane/handoff.h"
#include "dataplane/kernel_path.h"
#include "dataplane/neighbour_table.h"
#include "dataplane/paced_ports.h"
#include "dataplane/policy_builder.h"
#include "dataplane/port.h"
#include "dataplane/port_loss.h"
#include "dataplane/shared_segment.h"
#include "dataplane/source_counts.h"
#include "dataplane/worker.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin {

struct BootFacts {
    bool hugepages = false;
    std::string warning;  ///< empty, or why a default was not to be had
    uint64_t adopted_flows = 0;
    uint64_t damaged_flows = 0;             ///< entries a crash left invalid
    std::vector<uint64_t> huge_flow_bytes;  ///< by worker: of its flow table, in huge pages
};

/// The largest of the ports' MTUs: what every buffer must hold.
uint32_t largest_mtu(const config::Node& config);
/// Buffers that the exception path wants: 0 where no port has a TAP.
uint64_t kernel_frames(const config::Node& config);

/// What is charged to one principal, over all workers.
struct PrincipalUse {
    uint64_t packets = 0, bytes = 0, cycles = 0, drops = 0;  ///< bytes of L3, cycles of the TSC
};

class Appliance {
  public:
    /// Boots what `config` (conforming to kConfigSchema) declares. `run_dir` holds the shared
    /// segments: counters, flows.<worker>. Flow tables left by a killed process are adopted.
    static Result<std::unique_ptr<Appliance>> boot(const config::Node& config,
                                                   const std::string& run_dir,
                                                   Clock clock = &Now::read,
                                                   TapOpener open_tap = &ravelin::open_tap);
    /// Gives back what boot() took: a first policy that is refused must not spoil the next one.
    ~Appliance();

    /// Workers begin; a policy must be in the slot.
    void start();
    /// All or nothing: refuses a configuration whose workers, ports' devices or mode differ from
    /// what was booted, naming the member.
    [[nodiscard]] Status accepts(const config::Node& config) const;

    /// Control thread, now and then: tells the workers and the kernel which ports have no link.
    void note_links() noexcept;
    /// Brings the counters of what ports lost up to date. Control thread, every second or so.
    void count_losses() { count_port_losses(losses_, counters_->control()); }

    /// For dry runs on the control thread (SparePipeline): what all workers share, nothing of one
    /// but the buffers.
    [[nodiscard]] WorkerContext spare_context(const Now& now) const;

    PolicySlot slot{nullptr};
    [[nodiscard]] const PortFacts& port_facts() const { return port_facts_; }
    [[nodiscard]] const BootFacts& facts() const { return facts_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
    /// By PortId; null: a sub-interface.
    [[nodiscard]] const std::vector<std::unique_ptr<Port>>& ports() const { return ports_; }
    /// The port with the device that carries `port`: itself, or its parent.
    [[nodiscard]] const Port& carrier(PortId port) const;
    [[nodiscard]] const SourceCounts& counts_by_source() const { return *counts_by_source_; }
    [[nodiscard]] const PrincipalFlows& principal_flows() const { return principal_flows_; }
    /// Control thread, before a policy with `principals` is published where `before` (null: none)
    /// was in force: workers keep accounts, and who is new begins at nothing.
    void keep_accounts(const Principals& principals, const Principals* before);
    [[nodiscard]] PrincipalUse use_of(sched::PrincipalId id) const;
    [[nodiscard]] LearnedRoutes& learned() { return *learned_; }
    [[nodiscard]] const LearnedRoutes& learned() const { return *learned_; }
    [[nodiscard]] const NeighbourTable& neighbours() const { return *neighbours_; }
    /// Null: no port has a TAP.
    [[nodiscard]] const KernelPath* kernel() const { return kernel_.get(); }
    [[nodiscard]] const std::string& counters_path() const { return counters_path_; }
    [[nodiscard]] const std::vector<CounterSpec>& specs() const { return specs_; }

  private:
    explicit Appliance(Clock clock) : clock_(clock) {}
    Status start_environment();
    Status make_pools();
    Status open_ports();
    Status open_taps(TapOpener open);
    Status make_counters(const std::string& run_dir);
    Status share_hash_secret(const std::string& run_dir);
    [[nodiscard]] bool nics_spread() const;
    void share_queues(WorkerSetup& setup) const;
    Status make_workers(const std::string& run_dir);
    Result<std::unique_ptr<FlowTable>> make_flow_table(const std::string& path, uint32_t capacity);

    Clock clock_;
    config::Node booted_;  // the fixed members, to compare with
    unsigned worker_count_ = 1;
    std::vector<PortPolicy> planned_;  // the ports as booted, but for their MACs
    BootFacts facts_;
    [[nodiscard]] PrincipalUse counted(sched::PrincipalId id) const;
    PrincipalFlows principal_flows_;
    LinkKeeper links_;
    InvocationKeeper invocations_;
    PortFacts port_facts_{.macs = {},
                          .principal_flows = &principal_flows_,
                          .links = &links_,
                          .invocations = &invocations_};
    std::vector<PrincipalUse> before_;  // by id: of those who had it before
    std::vector<rte_mempool*> pools_;
    std::vector<std::unique_ptr<Port>> ports_;
    std::vector<PortLossMeter> losses_;
    std::vector<CounterSpec> specs_;
    std::string counters_path_;
    std::vector<SharedSegment> segments_;
    std::unique_ptr<CounterSegment> counters_;
    std::unique_ptr<NeighbourTable> neighbours_;
    std::unique_ptr<HandoffMatrix> handoffs_;
    std::unique_ptr<SourceCounts> counts_by_source_;
    std::unique_ptr<LearnedRoutes> learned_;
    std::unique_ptr<KernelPath> kernel_;  // null: no port has a TAP
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace ravelin
