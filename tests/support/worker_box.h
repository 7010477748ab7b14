// SPDX-License-Identifier: Apache-2.0
// WorkerBox: a RingBox with four adaptive workers as a TestBox. Its time stands still but for
// advance(), so that what it does depends on what it is given and on nothing else.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/ring_box.h"
#include "tests/support/test_box.h"

namespace ravelin::test {

class WorkerBox final : public TestBox {
  public:
    /// `yaml` is a configuration for one worker. Here it gets `workers: {count: 4}`, ring devices,
    /// every second port with a transmit queue for each worker, and (`steer`) `steer` behind
    /// `parse`: without that four workers are four boxes, each with ports of its own. Its frames
    /// are as exact as StageFixture's.
    explicit WorkerBox(const std::string& yaml, bool steer = true);

    void apply(const std::string& yaml) override;
    void edit(const SetEdit& edit) override;
    void change_rules(const firewall::RuleChanges& changes) override;
    void merge_rules() override;
    void receive(const std::string& port, const std::vector<Bytes>& frames) override;
    void receive_mbuf(const std::string& port, rte_mbuf* frame) override;
    void advance(uint64_t ms) override;
    void settle() override;
    std::vector<Sent> sent() override;
    [[nodiscard]] std::vector<uint64_t> per_worker(const std::string& name) const override;
    [[nodiscard]] std::map<std::string, uint64_t> drops() const override;
    [[nodiscard]] RuleCounter rule(const std::string& name) const override;
    [[nodiscard]] const PolicySnapshot& policy() const override { return *box_->store().current(); }
    [[nodiscard]] WorkerId workers() const override;
    void on_workers(const Visit& visit) override;

  private:
    void arrive(const std::string& port, std::span<rte_mbuf* const> frames);
    void write_tap(const std::string& port, const std::vector<Bytes>& frames);
    void read_taps(std::vector<Sent>& out);
    bool steer_;
    std::vector<std::string> devices_;
    uint64_t to_kernel_ = 0, from_kernel_ = 0;  // frames the test, as the kernel, took and gave
    std::unique_ptr<RingBox> box_;
};

}  // namespace ravelin::test
