// SPDX-License-Identifier: Apache-2.0
// StageFixture: one worker with real stages, tables and in-process ring ports, no threads, time set
// by hand. Configure it with YAML, send frames in, look at what came out and what was dropped.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/engine_counters.h"
#include "dataplane/express.h"
#include "dataplane/flow_table.h"
#include "dataplane/functions.h"
#include "dataplane/handoff.h"
#include "dataplane/kernel_path.h"
#include "dataplane/neighbour_table.h"
#include "dataplane/paced_ports.h"
#include "dataplane/pipeline.h"
#include "dataplane/process/live_rules.h"
#include "dataplane/shortcut.h"
#include "dataplane/source_counts.h"
#include "dataplane/stage.h"
#include "dataplane/transmitter.h"
#include "tests/support/test_box.h"

namespace ravelin::test {

class StageFixture final : public TestBox {
  public:
    /// `yaml` is a whole configuration (pipelines/model/schema.h); aborts the test with the
    /// loader's message if it is wrong. `flows`: table entries.
    explicit StageFixture(const std::string& yaml, uint32_t flows = 1024);
    ~StageFixture() override;
    StageFixture(const StageFixture&) = delete;
    StageFixture& operator=(const StageFixture&) = delete;

    void apply(const std::string& yaml) override;
    /// What was in force before the last apply() comes back, as when nobody has confirmed that.
    void roll_back();
    void edit(const SetEdit& edit) override;
    void change_rules(const firewall::RuleChanges& changes) override;
    void merge_rules() override;
    /// `tap.NAME`: from the kernel, by the TAP of port NAME.
    void receive(const std::string& port, const std::vector<Bytes>& frames) override;
    void receive_mbuf(const std::string& port, rte_mbuf* frame) override;
    void advance(uint64_t ms) override;
    void settle() override;
    /// What went to the kernel by the TAP of port NAME is at the end, of port `tap.NAME`.
    std::vector<Sent> sent() override;
    [[nodiscard]] std::vector<uint64_t> per_worker(const std::string& name) const override;
    [[nodiscard]] std::map<std::string, uint64_t> drops() const override;
    /// As if a function of it had run for two milliseconds.
    void overdraw(const std::string& principal);
    [[nodiscard]] RuleCounter rule(const std::string& name) const override;
    [[nodiscard]] const PolicySnapshot& policy() const override { return *context_.policy; }
    [[nodiscard]] WorkerId workers() const override { return 1; }
    void on_workers(const Visit& visit) override { visit(context_, *pipeline_); }
    WorkerContext& context() { return context_; }
    Pipeline& pipeline() { return *pipeline_; }

    /// Whether packets may take shortcuts and the express; else all go through the whole pipeline.
    void allow_shortcuts(bool allow) { shortcuts_ = allow; }
    /// Frames of no proven flow that go on of each arrival from now on, as under a flood.
    void allow_unproven(unsigned allowed) { allowed_ = allowed; }
    /// Packets that took one of them.
    [[nodiscard]] uint64_t shortened() const { return shortened_; }
    /// Whether functions run as soon as there is something for them; else it waits.
    void allow_functions(bool allow) { run_functions_ = allow; }
    /// Told each of them, as it came in.
    void on_shortened(std::function<void(const Bytes&)> tell) { tell_shortened_ = std::move(tell); }

  private:
    void follow_cycles();
    [[nodiscard]] PortId port_named(const std::string& name) const;
    // As Worker::receive does.
    void arrive(rte_mbuf** frames, unsigned n, PortId port);
    void leave_kernel(rte_mbuf* const* frames, unsigned n, PortId port);
    using Copies = std::vector<std::pair<const rte_mbuf*, Bytes>>;
    static Copies copies(rte_mbuf* const* frames, unsigned n);
    void run(Burst& burst);
    void judge_anew();
    void put_in_force(std::unique_ptr<PolicySnapshot> next);
    void run_emitted();
    void run_functions();
    struct Memory;
    std::unique_ptr<Memory> memory_;
    std::vector<CounterSpec> specs_;
    std::unique_ptr<CounterSegment> segment_;
    std::unique_ptr<HandoffMatrix> matrix_;
    std::unique_ptr<Handoff> handoff_;
    std::unique_ptr<Transmitter> transmitter_;
    std::unique_ptr<SourceCounts> counts_;
    std::unique_ptr<PrincipalFlows> principal_flows_;
    LinkKeeper links_;
    InvocationKeeper invocations_;
    uint64_t functions_ = 0;            // Functions::serial in force
    std::unique_ptr<Account> account_;  // once a policy has principals
    std::unique_ptr<KernelPath> kernel_;
    std::unique_ptr<FlowTable> flows_;
    std::unique_ptr<NeighbourTable> neighbours_;
    std::unique_ptr<ByteRing> events_;
    std::unique_ptr<Pipeline> pipeline_;
    std::vector<std::unique_ptr<PolicySnapshot>> generations_;
    LiveRules live_rules_;
    Shortcut shortcut_;
    Express express_;
    bool shortcuts_ = true, run_functions_ = true;
    unsigned allowed_ = limits::kArrivals;
    uint64_t shortened_ = 0;
    std::function<void(const Bytes&)> tell_shortened_;
    const PolicySnapshot* before_ = nullptr;  // what the last apply() replaced
    std::vector<uint16_t> devices_;
    WorkerContext context_;
    uint64_t ns_ = 1'000'000'000'000;
};

}  // namespace ravelin::test
