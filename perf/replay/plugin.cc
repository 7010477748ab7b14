// SPDX-License-Identifier: Apache-2.0
// For programs that are not ours: dpdk-testpmd -d librte_net_replay.so --vdev net_replay makes both
// ports, with the tape that RAVELIN_TAPE names.
#include <rte_common.h>
#include <rte_ethdev.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "perf/replay/port.h"

// Of DPDK's ABI 23, internal: what a driver of virtual devices registers.
struct rte_vdev_driver {
    void* next[2] = {};
    void* driver_next[2] = {};
    const char* name = nullptr;
    const char* alias = nullptr;
    int (*probe)(void* device) = nullptr;
    int (*remove)(void* device) = nullptr;
    void* dma[2] = {};
    uint32_t flags = 0;
};
extern "C" void rte_vdev_register(rte_vdev_driver* driver);

namespace {

int probe(void* /*device*/) {
    const char* path = std::getenv("RAVELIN_TAPE");
    if (path == nullptr) {
        std::fputs("replay: RAVELIN_TAPE names no tape\n", stderr);
        return -1;
    }
    static ravelin::perf::Tape tape = ravelin::perf::Tape::open(path);
    ravelin::perf::make_replay_ports(tape);
    // Some programs write the port's own address into what they forward.
    for (unsigned side = 0; side < 2; ++side) {
        uint16_t device = 0;
        rte_ether_addr own;
        std::memcpy(&own, &tape.head().macs[side], sizeof own);
        if (rte_eth_dev_get_port_by_name(ravelin::perf::kReplayNames[side], &device) != 0 ||
            rte_eth_dev_default_mac_addr_set(device, &own) != 0)
            return -1;
    }
    return 0;
}

rte_vdev_driver driver{.name = "net_replay", .probe = probe, .remove = [](void*) { return 0; }};

[[gnu::constructor]] void announce() { rte_vdev_register(&driver); }

}  // namespace
