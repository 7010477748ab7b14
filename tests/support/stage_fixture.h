// SPDX-License-Identifier: Apache-2.0
// StageFixture: one worker with real stages, tables and in-process ring ports, no threads, time set
// by hand. Configure it with YAML, send frames in, look at what came out and what was dropped.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/engine_counters.h"
#include "dataplane/flow_table.h"
#include "dataplane/handoff.h"
#include "dataplane/neighbour_table.h"
#include "dataplane/pipeline.h"
#include "dataplane/stage.h"
#include "dataplane/transmitter.h"
#include "tests/support/frames.h"

namespace ravelin::test {

struct Sent {
    std::string port;
    Bytes frame;
};

class StageFixture {
  public:
    /// `yaml` is a whole configuration (pipelines/model/schema.h); aborts the test with the
    /// loader's message if it is wrong. `flows`: table entries.
    explicit StageFixture(const std::string& yaml, uint32_t flows = 1024);
    ~StageFixture();
    StageFixture(const StageFixture&) = delete;
    StageFixture& operator=(const StageFixture&) = delete;

    /// A new generation; flows and neighbours stay.
    void apply(const std::string& yaml);
    /// Receives frames on a port as one burst and runs the pipeline, then what it emitted.
    void receive(const std::string& port, const std::vector<Bytes>& frames);
    void receive_mbuf(const std::string& port, rte_mbuf* frame);
    /// Moves time on and runs tick().
    void advance(uint64_t ms);
    /// What left since the last call, in order per port.
    std::vector<Sent> sent();
    /// Counter by full name; 0 for one that does not exist is a test failure.
    uint64_t counter(const std::string& name) const;
    /// All nonzero "drop." counters without the prefix: {"parse.truncated": 1}.
    std::map<std::string, uint64_t> drops() const;
    RuleCounter rule(const std::string& name) const;
    WorkerContext& context() { return context_; }
    Pipeline& pipeline() { return *pipeline_; }

  private:
    void run(Burst& burst);
    void run_emitted();
    struct Memory;
    std::unique_ptr<Memory> memory_;
    std::vector<CounterSpec> specs_;
    std::unique_ptr<CounterSegment> segment_;
    std::unique_ptr<HandoffMatrix> matrix_;
    std::unique_ptr<Handoff> handoff_;
    std::unique_ptr<Transmitter> transmitter_;
    std::unique_ptr<FlowTable> flows_;
    std::unique_ptr<NeighbourTable> neighbours_;
    std::unique_ptr<ByteRing> events_;
    std::unique_ptr<Pipeline> pipeline_;
    std::vector<std::unique_ptr<PolicySnapshot>> generations_;
    std::vector<uint16_t> devices_;
    WorkerContext context_;
    uint64_t ns_ = 1'000'000'000'000;
};

}  // namespace ravelin::test
