// SPDX-License-Identifier: Apache-2.0
// WorkerBox: a RingBox with four adaptive workers as a TestBox. Its time stands still but for
// advance(), so that what it does depends on what it is given and on nothing else.
#pragma once
#include <rte_mempool.h>

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
    /// every second port with a transmit queue for each worker, and `steer` behind `parse`: without
    /// that four workers would be four boxes.
    explicit WorkerBox(const std::string& yaml);

    void apply(const std::string& yaml) override;
    void receive(const std::string& port, const std::vector<Bytes>& frames) override;
    void advance(uint64_t ms) override;
    void settle() override;
    std::vector<Sent> sent() override;
    [[nodiscard]] uint64_t counter(const std::string& name) const override;
    [[nodiscard]] std::map<std::string, uint64_t> drops() const override;
    [[nodiscard]] RuleCounter rule(const std::string& name) const override;
    [[nodiscard]] const PolicySnapshot& policy() const override { return *box_->store().current(); }

  private:
    struct FreePool {
        void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
    };
    [[nodiscard]] rte_mbuf* frame_of(const Bytes& bytes);
    std::vector<std::string> devices_;
    std::unique_ptr<rte_mempool, FreePool> pool_;
    std::unique_ptr<RingBox> box_;  // ends first: workers give frames back until then
};

}  // namespace ravelin::test
