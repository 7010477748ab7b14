// SPDX-License-Identifier: Apache-2.0
// Ethernet devices that are rings in this process: what is sent stays in a ring until a test takes
// it.
#pragma once
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstdint>
#include <vector>

namespace ravelin::test {

/// Borrowed from a process-wide pool for as long as the object lives: EAL keeps few port ids.
class RingPort {
  public:
    RingPort();
    ~RingPort();
    RingPort(RingPort&& other) noexcept;
    RingPort(const RingPort&) = delete;
    RingPort& operator=(const RingPort&) = delete;
    RingPort& operator=(RingPort&&) = delete;

    /// DPDK port id.
    [[nodiscard]] uint16_t device() const { return device_; }
    /// The oldest frame sent and not yet taken, or null. The caller frees it.
    [[nodiscard]] rte_mbuf* take() const;

  private:
    uint16_t device_ = 0;
    rte_ring* ring_ = nullptr;
};

}  // namespace ravelin::test
