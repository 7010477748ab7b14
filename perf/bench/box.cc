// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/box.h"

#include <fmt/format.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "controlplane/config/yaml_loader.h"
#include "dataplane/eal.h"
#include "pipelines/model/schema.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kMemory = 96u << 20;  // buffers and rings of every box that follows

}  // namespace

// Before the ports, which are made of its memory.
void start_environment() {
    EalOptions options;
    options.hugepages = EalOptions::Hugepages::kAuto;
    options.memory_bytes = kMemory;
    if (const auto started = start_eal(options); !started) give_up(started.error().message);
}

namespace {

rte_ring* make_ring(const std::string& name, unsigned slots) {
    rte_ring* ring = rte_ring_create(name.c_str(), slots, SOCKET_ID_ANY,
                                     RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == nullptr) give_up("no memory for ring " + name);
    return ring;
}

// Where flow tables stand in production: a file system in memory.
std::string make_run_dir() {
    std::string path = "/dev/shm/ravelin-perf-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) give_up("cannot make " + path);
    return path;
}

}  // namespace

void give_up(const std::string& message) {
    std::fprintf(stderr, "perf: %s\n", message.c_str());
    std::exit(1);
}

config::Node load(const std::string& yaml) {
    std::vector<std::string_view> names;
    for (const StageDecl* stage : StageRegistry::get().stages()) names.push_back(stage->name);
    auto loaded =
        config::load_text(yaml, "perf", model::kConfigSchema, StageRegistry::schema_of, names);
    if (!loaded) give_up(loaded.error().message + "\n" + yaml);
    return std::move(loaded->tree);
}

void Box::make_wires(unsigned out) {
    for (const PortId port : {kLan, kWan}) {
        Wire& wire = wires_[port];
        wire.into = make_ring(fmt::format("into_{}", kPortNames[port]), kRing);
        wire.out = make_ring(fmt::format("out_{}", kPortNames[port]), out);
        if (rte_eth_from_rings(kPortNames[port], &wire.into, 1, &wire.out, 1, 0) < 0)
            give_up("no ring port");
    }
}

Box::Box(const std::string& yaml, Clock clock) : Box(load(yaml), clock, Wires::kRings) {}

Box::Box(const config::Node& config, Clock clock, Wires wires, Account::Clock cycles) {
    start_environment();
    if (wires != Wires::kReplay) make_wires(wires == Wires::kRings ? kRing : kDeepRing);
    const std::string run_dir = make_run_dir();
    auto booted = Appliance::boot(config, run_dir, clock);
    // Mapped: nothing is opened by its name again, and nothing stays if the figure is killed.
    std::error_code ignored;
    std::filesystem::remove_all(run_dir, ignored);
    if (!booted) give_up(booted.error().message);
    appliance_ = std::move(*booted);
    for (const auto& worker : appliance_->workers()) worker->count_cycles_by(cycles);
    publish(build(std::make_shared<const config::Node>(config)));
    if (wires == Wires::kReplay) return;
    worker().turn();  // announces its addresses
    drain();
}

Box::~Box() {
    const bool rings = wires_[kLan].into != nullptr;
    while (rings && waiting()) run();
    if (rings) drain();
    appliance_.reset();
    if (!rings) return;
    for (const PortId port : {kLan, kWan}) {
        rte_vdev_uninit(fmt::format("net_ring_{}", kPortNames[port]).c_str());
        rte_ring_free(wires_[port].into);
        rte_ring_free(wires_[port].out);
    }
}

void Box::apply(const std::string& yaml) {
    publish(build(std::make_shared<const config::Node>(load(yaml))));
}

std::unique_ptr<PolicySnapshot> Box::build(std::shared_ptr<const config::Node> config) const {
    auto built =
        build_policy(generation_ + 1, std::move(config), appliance_->port_facts(), current_.get());
    if (!built) give_up(built.error().message);
    return std::move(*built);
}

void Box::publish(std::unique_ptr<PolicySnapshot> policy) {
    ++generation_;
    previous_ = std::exchange(current_, std::move(policy));
    put_in_force();
}

void Box::swap() {
    std::swap(current_, previous_);
    put_in_force();
}

void Box::put_in_force() {
    if (const Principals* principals = current_->principals.get(); principals != nullptr)
        appliance_->keep_accounts(*principals, nullptr);
    appliance_->slot.store(current_.get());
}

void Box::take_buffers(rte_mbuf** frames, unsigned n) {
    if (rte_pktmbuf_alloc_bulk(pool(), frames, n) != 0) give_up("no buffers left");
}

unsigned Box::send(PortId port, rte_mbuf* const* frames, unsigned n) {
    return rte_ring_sp_enqueue_burst(wires_[port].into, reinterpret_cast<void* const*>(frames), n,
                                     nullptr);
}

void Box::tell_depths(bool yes) {
    static std::array<std::pair<const void*, const rte_ring*>, 2> rings;
    for (const PortId port : {kLan, kWan}) {
        auto& ops = ::rte_eth_fp_ops[device(port)];
        rings[port] = {ops.rxq.data[0], wires_[port].into};
        ops.rx_descriptor_status = nullptr;
        if (!yes) continue;
        ops.rx_descriptor_status = [](void* queue, uint16_t offset) -> int {
            const auto& [data, ring] = rings[queue == rings[kLan].first ? kLan : kWan];
            return rte_ring_count(ring) > offset ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
        };
    }
}

bool Box::waiting() const {
    return rte_ring_empty(wires_[kLan].into) == 0 || rte_ring_empty(wires_[kWan].into) == 0;
}

uint64_t Box::run() {
    Worker& one = worker();
    const uint64_t start = rte_rdtsc_precise();
    while (waiting()) one.turn();
    return rte_rdtsc_precise() - start;
}

uint64_t Box::run_ports_alone() {
    const uint64_t start = rte_rdtsc_precise();
    while (waiting())
        for (const PortId port : {kLan, kWan}) {
            const uint16_t device = appliance_->ports()[port]->device();
            const uint16_t other = appliance_->ports()[1 - port]->device();
            rte_mbuf* frames[limits::kArrivals];
            const uint16_t n = rte_eth_rx_burst(device, 0, frames, limits::kArrivals);
            // A ring hands over pointers; a NIC's driver fills in every buffer it hands over.
            for (unsigned i = 0; i < n; ++i) {
                frames[i]->port = port;
                frames[i]->ol_flags = 0;
            }
            const uint16_t sent = rte_eth_tx_burst(other, 0, frames, n);
            if (sent < n) rte_pktmbuf_free_bulk(frames + sent, n - sent);
        }
    return rte_rdtsc_precise() - start;
}

unsigned Box::receive(PortId port, rte_mbuf** frames, unsigned n) {
    return rte_ring_sc_dequeue_burst(wires_[port].out, reinterpret_cast<void**>(frames), n,
                                     nullptr);
}

unsigned Box::drain() {
    rte_mbuf* frames[64];
    unsigned total = 0;
    for (const PortId port : {kLan, kWan})
        while (const unsigned n = receive(port, frames, 64)) {
            rte_pktmbuf_free_bulk(frames, n);
            total += n;
        }
    return total;
}

uint64_t Box::dropped() {
    uint64_t sum = 0;
    for (size_t i = 0; i < appliance_->specs().size(); ++i)
        if (appliance_->specs()[i].name.starts_with("drop."))
            sum += worker().context().counters.get(static_cast<CounterId>(i));
    return sum;
}

std::string Box::drops() {
    std::string text;
    for (size_t i = 0; i < appliance_->specs().size(); ++i) {
        const std::string& name = appliance_->specs()[i].name;
        const uint64_t n = worker().context().counters.get(static_cast<CounterId>(i));
        if (name.starts_with("drop.") && n != 0) text += fmt::format("{}={} ", name, n);
    }
    return text;
}

}  // namespace ravelin::perf
