// SPDX-License-Identifier: Apache-2.0
// TurnedBox: the data plane with workers that the test turns by hand, in virtual time: what costs
// time says so, nothing else does. Several have a time each and whose is least turns next, so what
// one hands over may be seen by another up to a run before it was. One box may live at a time.
#pragma once
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/process/appliance.h"
#include "tests/support/frames.h"
#include "tests/support/turned_time.h"

namespace ravelin::test {

class TurnedBox {
  public:
    /// A configuration for so many workers, `poll: busy`, with ports lan and wan on net_ring_lan
    /// and net_ring_wan. Time begins at a second. The first worker receives, each sends.
    explicit TurnedBox(const std::string& yaml, unsigned workers = 1);
    ~TurnedBox();
    TurnedBox(const TurnedBox&) = delete;
    TurnedBox& operator=(const TurnedBox&) = delete;

    void apply(const std::string& yaml);
    /// Puts a frame on the wire into lan. False: there is no room, and the frame is gone.
    bool send(const Bytes& frame);
    /// One turn of the next worker, of which `core` cycles pass before anything is received.
    void turn(uint64_t core);
    struct Departure {
        rte_mbuf* frame = nullptr;
        uint64_t ns = 0;  ///< when the worker gave it to the port
    };
    /// What has left by wan. The caller frees it.
    std::vector<Departure> receive();

    [[nodiscard]] static uint64_t cycles() { return TurnedTime::cycles(); }
    [[nodiscard]] static uint64_t now_ns() { return TurnedTime::ns(); }
    Worker& worker(size_t i = 0) { return *appliance_->workers()[i]; }
    [[nodiscard]] const PolicySnapshot& policy() const { return *policies_.back(); }
    [[nodiscard]] sched::PrincipalId id(const std::string& name) const;
    /// What was charged to it, and what its functions did, over all workers.
    [[nodiscard]] uint64_t charged(const std::string& name, sched::Use use);
    [[nodiscard]] uint64_t invoked(const std::string& name, sched::Use use);
    [[nodiscard]] uint64_t counter(const std::string& name);

  private:
    static constexpr unsigned kRing = 4096;
    static uint16_t leaves(uint16_t, uint16_t, rte_mbuf** frames, uint16_t n, void* box);
    std::string run_dir_;
    std::vector<Departure> left_;
    std::vector<uint64_t> times_;  // cycles, of each worker
    std::vector<const rte_eth_rxtx_callback*> callbacks_;
    std::array<rte_ring*, 2> into_{};
    std::array<std::vector<rte_ring*>, 2> out_;  // one for each worker
    std::unique_ptr<Appliance> appliance_;
    std::vector<std::unique_ptr<PolicySnapshot>> policies_;
};

}  // namespace ravelin::test
