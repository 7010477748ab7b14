// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port_loss.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <rte_ethdev.h>
#include <sys/socket.h>

#include <charconv>
#include <memory>
#include <string_view>

#include "dataplane/engine_counters.h"

namespace ravelin {
namespace {

bool packet_socket_on(int fd, unsigned interface) {
    int domain = 0;
    socklen_t length = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_PACKET)
        return false;
    sockaddr_ll bound{};
    length = sizeof bound;
    return getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) == 0 &&
           bound.sll_ifindex == static_cast<int>(interface);
}

unsigned interface_of(uint16_t device) {
    rte_eth_dev_info info{};
    return rte_eth_dev_info_get(device, &info) == 0 ? info.if_index : 0;
}

}  // namespace

PacketSockets::PacketSockets(unsigned interface) {
    if (interface == 0) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir("/proc/self/fd"), closedir);
    if (!open) return;
    while (const dirent* entry = readdir(open.get())) {
        const std::string_view name = entry->d_name;
        int fd = -1;
        if (std::from_chars(name.data(), name.data() + name.size(), fd).ec == std::errc() &&
            packet_socket_on(fd, interface))
            sockets_.push_back(fd);
    }
}

uint64_t PacketSockets::dropped() {
    for (const int fd : sockets_) {
        tpacket_stats now{};
        socklen_t length = sizeof now;
        if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &now, &length) == 0)
            dropped_ += now.tp_drops;
    }
    return dropped_;
}

PortLossMeter::PortLossMeter(uint16_t device, PortId port)
    : device_(device), port_(port), sockets_(interface_of(device)) {}

PortLoss PortLossMeter::read() {
    PortLoss loss{.missed = sockets_.dropped()};
    rte_eth_stats stats{};
    if (rte_eth_stats_get(device_, &stats) != 0) return loss;
    loss.missed += stats.imissed;
    loss.no_buffer = stats.rx_nombuf;
    loss.errors = stats.ierrors;
    return loss;
}

void count_port_losses(std::vector<PortLossMeter>& meters, const WorkerCounters& counters) {
    PortLoss all;
    for (PortLossMeter& meter : meters) {
        const PortId port = meter.port();
        const PortLoss loss = meter.read();
        counters.set(port_counter(port, kRxMissed), loss.missed);
        counters.set(port_counter(port, kRxNoBuffer), loss.no_buffer);
        counters.set(port_counter(port, kRxErrors), loss.errors);
        all.missed += loss.missed;
        all.no_buffer += loss.no_buffer;
        all.errors += loss.errors;
    }
    counters.set(kDropRxMissed, all.missed);
    counters.set(kDropRxNoBuffer, all.no_buffer);
    counters.set(kDropRxErrors, all.errors);
}

}  // namespace ravelin
