// SPDX-License-Identifier: Apache-2.0
// RingBox: the whole data plane in one process, with real worker threads, over lossless ring ports.
// The test is the wire: it gives frames to a port and takes what a port sends.
#pragma once
#include <rte_ring.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/process/policy_store.h"
#include "tests/support/frames.h"

namespace ravelin::test {

class RingBox {
  public:
    /// `ports` are names; the configuration's device of port NAME must be `net_ring_NAME`. One receive
    /// ring a port, and one transmit ring a worker.
    RingBox(const std::vector<std::string>& ports, unsigned workers);
    ~RingBox();
    RingBox(const RingBox&) = delete;
    RingBox& operator=(const RingBox&) = delete;

    /// Applies a configuration as the next generation; fails the test with its error.
    void apply(const std::string& yaml, uint32_t confirm_ms = 0);
    PolicyStore& store() { return *store_; }

    /// Puts a frame on the wire into `port`; waits while its ring is full.
    void send(size_t port, rte_mbuf* frame);
    /// Frames the port sent, up to 64; the caller frees them.
    std::vector<rte_mbuf*> receive(size_t port);
    /// Sum over workers of a counter by name.
    [[nodiscard]] uint64_t counter(const std::string& name) const;
    /// All drops with their names, for messages.
    [[nodiscard]] std::string drops() const;
    /// Sum of all drop counters.
    [[nodiscard]] uint64_t dropped() const;

  private:
    struct Wire {
        rte_ring* into;
        std::vector<rte_ring*> out;
    };
    std::string run_dir_;
    std::vector<Wire> wires_;
    std::unique_ptr<PolicyStore> store_;
    uint64_t generation_ = 0;
};

}  // namespace ravelin::test
