// SPDX-License-Identifier: Apache-2.0
// RingBox: the whole data plane in one process, with real worker threads, over lossless ring ports.
// The test is the wire: it gives frames to a port and takes what a port sends. Boxes may follow one
// another in a process, but only one may live at a time: EAL's names are the process's.
#pragma once
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/process/policy_store.h"
#include "tests/support/frames.h"

namespace ravelin::test {

class RingBox {
  public:
    /// `ports` are names; the configuration's device of port NAME must be `net_ring_NAME`. Each
    /// port has `rx_queues` receive rings and one transmit ring a worker.
    RingBox(const std::vector<std::string>& ports, unsigned workers, Clock clock = &Now::read,
            unsigned rx_queues = 1, TapOpener open_tap = &ravelin::open_tap);
    ~RingBox();
    RingBox(const RingBox&) = delete;
    RingBox& operator=(const RingBox&) = delete;

    /// Applies a configuration as the next generation; fails the test with its error.
    void apply(const std::string& yaml, uint32_t confirm_ms = 0);
    /// The same, for configurations that may be refused.
    [[nodiscard]] Status try_apply(const std::string& yaml, uint32_t confirm_ms = 0,
                                   const Paths& keep = {});
    PolicyStore& store() { return *store_; }
    [[nodiscard]] const PolicyStore& store() const { return *store_; }

    /// Puts a frame on the wire into `port`, for one of its queues; waits while the ring is full.
    void send(size_t port, rte_mbuf* frame, size_t queue = 0);
    /// Puts frames on the wire that arrive together; there must be room.
    void send(size_t port, std::span<rte_mbuf* const> frames);
    /// Frames the port sent, up to 64 of each worker; the caller frees them.
    std::vector<rte_mbuf*> receive(size_t port);
    /// Waits until every worker has begun and ended a turn. False: one does not turn any more.
    [[nodiscard]] bool turn();
    /// Turns until a whole turn of every worker changes nothing: then no frame is under way. Only
    /// with a clock that stands still is that for long.
    [[nodiscard]] bool settle();

    /// Sum over workers of a counter by name; 0 where there is none.
    [[nodiscard]] uint64_t counter(const std::string& name) const;
    /// All drops with their names, for messages.
    [[nodiscard]] std::string drops() const;
    /// Sum of all drop counters.
    [[nodiscard]] uint64_t dropped() const;

  private:
    // The driver's rings are in a library that ThreadSanitizer does not see. Each has this beside
    // it: what stood before a frame went in is seen by who took it out.
    using Order = std::atomic<uint64_t>;
    struct Lane {
        rte_ring* ring = nullptr;
        std::unique_ptr<Order> order = std::make_unique<Order>(0);
        const rte_eth_rxtx_callback* callback = nullptr;
    };
    struct Wire {
        std::string device;
        std::vector<Lane> into;  // one a receive queue
        std::vector<Lane> out;
    };
    static Lane make_lane(const std::string& name);
    void watch_lanes();
    void forget_lanes();
    [[nodiscard]] std::vector<uint64_t> deeds() const;

    std::string run_dir_;
    std::vector<Wire> wires_;
    std::unique_ptr<PolicyStore> store_;
    uint64_t generation_ = 0;
    bool watched_ = false;
};

}  // namespace ravelin::test
