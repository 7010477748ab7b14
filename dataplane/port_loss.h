// SPDX-License-Identifier: Apache-2.0
// PortLoss: the frames that came to a port and were lost before a worker could see them. The kernel
// counts them for packet sockets (net_af_packet of DPDK 22.11 reports none), the driver elsewhere.
#pragma once
#include <cstdint>
#include <vector>

#include "dataplane/counters.h"
#include "dataplane/verdict.h"

namespace ravelin {

/// Frames, since the port was opened.
struct PortLoss {
    uint64_t missed = 0;     ///< the receive ring was full
    uint64_t no_buffer = 0;  ///< the buffer pool was empty
    uint64_t errors = 0;     ///< damaged
};

/// The packet sockets that this process has on one interface, whoever opened them. One thread.
class PacketSockets {
  public:
    /// Finds them among the open descriptors; they must not be closed before this.
    /// `interface`: its index; 0: none.
    explicit PacketSockets(unsigned interface);
    /// Frames the kernel had no room for in their rings. Reading resets the kernel's count, so that
    /// nobody else may read it: packet(7), PACKET_STATISTICS.
    uint64_t dropped();
    [[nodiscard]] size_t count() const { return sockets_.size(); }

  private:
    std::vector<int> sockets_;  // the driver's
    uint64_t dropped_ = 0;
};

class PortLossMeter {
  public:
    /// `device`: of ethdev, open until this is gone; the port it is.
    PortLossMeter(uint16_t device, PortId port);
    [[nodiscard]] PortId port() const { return port_; }
    /// Control thread: three system calls and what the driver takes.
    PortLoss read();

  private:
    uint16_t device_;
    PortId port_;
    PacketSockets sockets_;
};

/// Reads all meters and sets the counters of each port and the drops they add up to.
void count_port_losses(std::vector<PortLossMeter>& meters, const WorkerCounters& counters);

}  // namespace ravelin
