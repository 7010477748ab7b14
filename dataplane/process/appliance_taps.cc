// SPDX-License-Identifier: Apache-2.0
// The appliance's exception path: a TAP for each port that names one, with the port's link state.
#include <rte_mbuf.h>

#include <algorithm>

#include "dataplane/process/appliance.h"

namespace ravelin {

uint64_t kernel_frames(const config::Node& config) {
    const bool taps = std::ranges::any_of(config["ports"].items(), [](const config::Node& port) {
        return !port["tap"].as_text().empty();
    });
    return taps ? KernelPath::kFrames : 0;
}

Status Appliance::open_taps(TapOpener open) {
    if (kernel_frames(booted_) == 0) return ok_status();
    rte_mempool* pool = rte_pktmbuf_pool_create(
        "kernel", KernelPath::kFrames, 0, sizeof(PacketMeta),
        static_cast<uint16_t>(buffer_room(largest_mtu(booted_))), SOCKET_ID_ANY);
    if (pool == nullptr) return Error{"ports: no memory for the kernel's frames"};
    pools_.push_back(pool);
    kernel_ = std::make_unique<KernelPath>(static_cast<WorkerId>(worker_count_), pool);
    for (size_t p = 0; p < ports_.size(); ++p) {
        const std::string& name = booted_["ports"].items()[p]["tap"].as_text();
        if (name.empty()) continue;
        const auto port = static_cast<PortId>(p);
        auto tap = open({name, port, port_facts_.macs[p]});
        if (!tap) return std::move(tap.error());
        kernel_->add(port, *tap);
    }
    return ok_status();
}

void Appliance::start() {
    for (auto& worker : workers_) worker->start();
    if (kernel_ != nullptr)
        kernel_->start([first = workers_.front().get()] { first->wake_if_asleep(); });
}

void Appliance::note_links() noexcept {
    uint64_t down = 0;
    for (size_t p = 0; p < ports_.size(); ++p) {
        const bool up = carrier(static_cast<PortId>(p)).link_up();
        if (!up) down |= uint64_t{1} << p;
        if (kernel_ != nullptr) kernel_->set_link(static_cast<PortId>(p), up);
    }
    neighbours_->set_links_down(down);
}

}  // namespace ravelin
