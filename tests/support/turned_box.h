// SPDX-License-Identifier: Apache-2.0
// TurnedBox: the data plane with one worker that the test turns by hand, in virtual time: what
// costs time says so, nothing else does. One may live at a time.
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
    /// A configuration for one worker, `poll: busy`, with ports lan and wan on net_ring_lan and
    /// net_ring_wan. Time begins at a second.
    explicit TurnedBox(const std::string& yaml);
    ~TurnedBox();
    TurnedBox(const TurnedBox&) = delete;
    TurnedBox& operator=(const TurnedBox&) = delete;

    void apply(const std::string& yaml);
    /// Puts a frame on the wire into lan. False: there is no room, and the frame is gone.
    bool send(const Bytes& frame);
    /// One turn, of which `core` cycles pass before anything is received.
    void turn(uint64_t core);
    struct Departure {
        rte_mbuf* frame = nullptr;
        uint64_t ns = 0;  ///< when the worker gave it to the port
    };
    /// What has left by wan. The caller frees it.
    std::vector<Departure> receive();

    [[nodiscard]] static uint64_t cycles() { return TurnedTime::cycles(); }
    [[nodiscard]] static uint64_t now_ns() { return TurnedTime::ns(); }
    static void pass(uint64_t cycles) { TurnedTime::pass(cycles); }
    Worker& worker() { return *appliance_->workers().front(); }
    [[nodiscard]] const PolicySnapshot& policy() const { return *policies_.back(); }
    [[nodiscard]] sched::PrincipalId id(const std::string& name) const;
    /// What was charged to it, and what its functions did.
    [[nodiscard]] uint64_t charged(const std::string& name, sched::Use use);
    [[nodiscard]] uint64_t invoked(const std::string& name, sched::Use use);
    [[nodiscard]] uint64_t counter(const std::string& name);

  private:
    static constexpr unsigned kRing = 4096;
    static uint16_t leaves(uint16_t, uint16_t, rte_mbuf** frames, uint16_t n, void* box);
    std::string run_dir_;
    std::vector<Departure> left_;
    const rte_eth_rxtx_callback* callback_ = nullptr;
    std::array<rte_ring*, 2> into_{}, out_{};
    std::unique_ptr<Appliance> appliance_;
    std::vector<std::unique_ptr<PolicySnapshot>> policies_;
};

}  // namespace ravelin::test
