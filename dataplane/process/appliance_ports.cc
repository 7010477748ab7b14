// SPDX-License-Identifier: Apache-2.0
// The appliance's ports: devices, what stands on them, and which worker has which of their queues.
#include <algorithm>

#include "dataplane/process/appliance.h"

namespace ravelin {
namespace {

PortConfig::Rss rss_of(std::string_view word) {
    return word == "off"      ? PortConfig::Rss::kOff
           : word == "device" ? PortConfig::Rss::kDevice
                              : PortConfig::Rss::kAuto;
}

}  // namespace

Status Appliance::open_ports() {
    const bool wire = booted_["mode"].as_text() == "wire";
    for (const config::Node& port : booted_["ports"].items()) {
        const auto id = static_cast<PortId>(ports_.size());
        const PortPolicy& planned = planned_[id];
        if (planned.parent != kNoPort) {
            port_facts_.macs.push_back(port.has("mac") ? port["mac"].as_mac()
                                                       : port_facts_.macs[planned.parent]);
            ports_.push_back(nullptr);
            continue;
        }
        PortConfig c{.name = port["name"].as_text(),
                     .device = port["device"].as_text(),
                     .mtu = planned.mtu,
                     .mac = std::nullopt,
                     .queues = port.has("queues")
                                   ? static_cast<unsigned>(port["queues"].as_integer())
                                   : worker_count_,
                     .promiscuous = wire};
        // A kernel interface spreads frames over sockets by its own hash: one queue, steered by us.
        if (!port.has("queues") && pci_address_of(c.device).empty()) c.queues = 1;
        if (port.has("mac")) c.mac = port["mac"].as_mac();
        c.rss = rss_of(port["rss"].as_text());
        auto opened = Port::open(c, id, pools_);
        if (!opened) return std::move(opened.error());
        port_facts_.macs.push_back((*opened)->mac());
        ports_.push_back(std::move(*opened));
        losses_.emplace_back(ports_.back()->device(), id);
    }
    return ok_status();
}

const Port& Appliance::carrier(PortId port) const {
    while (planned_[port].parent != kNoPort) port = planned_[port].parent;
    return *ports_[port];
}

bool Appliance::nics_spread() const {
    return worker_count_ > 1 && std::ranges::all_of(ports_, [this](const auto& p) {
               return p == nullptr || (p->rss_entries() != 0 && p->rx_queues() == worker_count_);
           });
}

/// Where NICs spread flows, queue q of every port is worker q's: a flow's directions meet there.
void Appliance::share_queues(WorkerSetup& setup) const {
    const bool spread = setup.rss_entries != 0;
    for (size_t p = 0; p < ports_.size(); ++p) {
        const Port& port = carrier(static_cast<PortId>(p));
        for (uint16_t q = 0; ports_[p] != nullptr && q < port.rx_queues(); ++q)
            if ((spread ? q : p + q) % worker_count_ == setup.id)
                setup.queues.push_back({port.device(), q, static_cast<PortId>(p),
                                        Intake(port.rx_slots(), !port.is_interface())});
        const auto queue = static_cast<uint16_t>(setup.id % port.tx_queues());
        setup.routes.push_back(
            {port.device(), queue,
             static_cast<WorkerId>(setup.id < port.tx_queues() ? setup.id : queue),
             port.takes_segments()});
        setup.routes.back().tags = VlanTags::of(planned_[p].vlan);
        setup.routes.back().parent = planned_[p].parent;
        // One who has a queue of its own there; by turns, as ports are.
        setup.routes.back().pacer =
            static_cast<WorkerId>(p % std::min<size_t>(worker_count_, port.tx_queues()));
        if (!planned_[p].vxlan) continue;
        setup.routes.back().tunnel = true;  // of each worker's own making
        setup.routes.back().owner = setup.id;
        setup.routes.back().segments = false;
    }
}

}  // namespace ravelin
