// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_ports.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "tests/support/frames.h"

namespace ravelin::test {
namespace {

constexpr unsigned kRingSlots = 1024;

struct Device {
    uint16_t id;
    rte_ring* ring;
};

std::vector<Device>& unused() {
    static std::vector<Device> devices;
    return devices;
}

void must(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "ring port: %s failed\n", what);
    std::abort();
}

Device make_device() {
    static unsigned made = 0;
    const std::string name = "ring" + std::to_string(made++);
    rte_ring* ring =
        rte_ring_create(name.c_str(), kRingSlots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    must(ring != nullptr, "rte_ring_create");
    const int id = rte_eth_from_rings(name.c_str(), &ring, 1, &ring, 1, 0);
    must(id >= 0, "rte_eth_from_rings");
    const auto device = static_cast<uint16_t>(id);
    const rte_eth_conf conf{};
    must(rte_eth_dev_configure(device, 1, 1, &conf) == 0, "rte_eth_dev_configure");
    must(rte_eth_rx_queue_setup(device, 0, kRingSlots, 0, nullptr, test_eal()) == 0, "rx queue");
    must(rte_eth_tx_queue_setup(device, 0, kRingSlots, 0, nullptr) == 0, "tx queue");
    must(rte_eth_dev_start(device) == 0, "rte_eth_dev_start");
    return {device, ring};
}

}  // namespace

RingPort::RingPort() {
    test_eal();
    if (unused().empty()) unused().push_back(make_device());
    device_ = unused().back().id;
    ring_ = unused().back().ring;
    unused().pop_back();
}

RingPort::RingPort(RingPort&& other) noexcept
    : device_(other.device_), ring_(std::exchange(other.ring_, nullptr)) {}

RingPort::~RingPort() {
    if (ring_ == nullptr) return;
    while (rte_mbuf* left = take()) rte_pktmbuf_free(left);
    unused().push_back({device_, ring_});
}

rte_mbuf* RingPort::take() const {
    void* frame = nullptr;
    return rte_ring_dequeue(ring_, &frame) == 0 ? static_cast<rte_mbuf*>(frame) : nullptr;
}

}  // namespace ravelin::test
