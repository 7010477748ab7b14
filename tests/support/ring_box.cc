// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_box.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_bus_vdev.h>
#include <rte_eth_ring.h>
#include <rte_malloc.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "controlplane/config/yaml_loader.h"
#include "dataplane/engine_counters.h"
#include "dataplane/stage.h"
#include "pipelines/model/schema.h"

namespace ravelin::test {
namespace {

constexpr unsigned kRing = 1024;
constexpr std::chrono::seconds kPatience{20};  // sanitizers and a busy machine are slow
constexpr unsigned kMostTurns = 10'000;        // frames that go round and round end here

std::vector<std::string_view> stage_names() {
    std::vector<std::string_view> names;
    for (const StageDecl* stage : StageRegistry::get().stages()) names.push_back(stage->name);
    return names;
}

void pass(void* order) {
    static_cast<std::atomic<uint64_t>*>(order)->fetch_add(1, std::memory_order_acq_rel);
}

uint16_t came_in(uint16_t, uint16_t, rte_mbuf**, uint16_t n, uint16_t, void* order) {
    if (n != 0) pass(order);
    return n;
}

uint16_t goes_out(uint16_t, uint16_t, rte_mbuf**, uint16_t n, void* order) {
    pass(order);
    return n;
}

class Nothing final : public Command {
    void run(Worker&) noexcept override {}
};

bool is_clockwork(CounterId id) { return id >= kLoops && id <= kSleeps; }

}  // namespace

RingBox::Lane RingBox::make_lane(const std::string& name) {
    Lane lane;
    lane.ring = rte_ring_create(name.c_str(), kRing, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (lane.ring == nullptr) std::abort();
    return lane;
}

RingBox::RingBox(const std::vector<std::string>& ports, unsigned workers, Clock clock,
                 unsigned rx_queues, TapOpener open_tap) {
    test_eal();
    char scratch[] = "/tmp/ravelin-ringbox-XXXXXX";
    run_dir_ = mkdtemp(scratch);
    for (const std::string& port : ports) {
        Wire wire{"net_ring_" + port, {}, {}};
        std::vector<rte_ring*> into, out;
        for (unsigned q = 0; q < rx_queues; ++q) {
            wire.into.push_back(make_lane(fmt::format("in{}_{}", q, port)));
            into.push_back(wire.into.back().ring);
        }
        for (unsigned w = 0; w < workers; ++w) {
            wire.out.push_back(make_lane(fmt::format("out{}_{}", w, port)));
            out.push_back(wire.out.back().ring);
        }
        if (rte_eth_from_rings(port.c_str(), into.data(), rx_queues, out.data(), workers, 0) < 0)
            std::abort();
        wires_.push_back(std::move(wire));
    }
    store_ = std::make_unique<PolicyStore>(run_dir_, clock, open_tap);
}

RingBox::~RingBox() {
    // What nobody received goes back while its pool is there and its lane still orders threads.
    for (size_t p = 0; p < wires_.size(); ++p)
        for (auto frames = receive(p); !frames.empty(); frames = receive(p))
            for (rte_mbuf* frame : frames) rte_pktmbuf_free(frame);
    forget_lanes();
    store_.reset();
    for (Wire& wire : wires_) {
        rte_vdev_uninit(wire.device.c_str());
        for (auto* lanes : {&wire.into, &wire.out})
            for (Lane& lane : *lanes) {
                rte_ring_free(lane.ring);
                rte_free(const_cast<rte_eth_rxtx_callback*>(lane.callback));
            }
    }
    std::filesystem::remove_all(run_dir_);
}

void RingBox::apply(const std::string& yaml, uint32_t confirm_ms) {
    const Status applied = try_apply(yaml, confirm_ms);
    ASSERT_TRUE(applied.ok()) << applied.error().message;
}

Status RingBox::try_apply(const std::string& yaml, uint32_t confirm_ms, const Paths& keep) {
    const auto names = stage_names();
    auto loaded =
        config::load_text(yaml, "test.yaml", model::kConfigSchema, StageRegistry::schema_of, names);
    if (!loaded) return std::move(loaded.error());
    const Status applied = store_->apply(++generation_, std::move(loaded->tree), confirm_ms,
                                         Now::read(), nullptr, keep);
    if (applied.ok() && !watched_) watch_lanes();
    return applied;
}

void RingBox::watch_lanes() {
    watched_ = true;
    for (size_t p = 0; p < wires_.size(); ++p) {
        const auto id = static_cast<PortId>(p);
        if (store_->appliance()->ports()[id] == nullptr) continue;  // a sub-interface
        const Port& port = store_->appliance()->carrier(id);
        for (uint16_t q = 0; q < port.rx_queues(); ++q) {
            Lane& into = wires_[p].into[q];
            into.callback = rte_eth_add_rx_callback(port.device(), q, came_in, into.order.get());
        }
        for (uint16_t q = 0; q < port.tx_queues(); ++q) {
            Lane& out = wires_[p].out[q];
            out.callback = rte_eth_add_tx_callback(port.device(), q, goes_out, out.order.get());
        }
    }
    // What was sent before (the box announces itself) is seen by who gets an answer afterwards.
    for (const auto& worker : store_->appliance()->workers()) {
        Nothing nothing;
        if (!worker->execute(nothing)) std::abort();
    }
}

void RingBox::forget_lanes() {
    if (!watched_) return;
    for (size_t p = 0; p < wires_.size(); ++p) {
        const uint16_t device = store_->appliance()->carrier(static_cast<PortId>(p)).device();
        for (uint16_t q = 0; q < wires_[p].into.size(); ++q)
            if (const auto* callback = wires_[p].into[q].callback)
                rte_eth_remove_rx_callback(device, q, callback);
        for (uint16_t q = 0; q < wires_[p].out.size(); ++q)
            if (const auto* callback = wires_[p].out[q].callback)
                rte_eth_remove_tx_callback(device, q, callback);
    }
}

void RingBox::send(size_t port, rte_mbuf* frame, size_t queue) {
    Lane& into = wires_[port].into[queue];
    pass(into.order.get());
    while (rte_ring_sp_enqueue(into.ring, frame) != 0) std::this_thread::yield();
}

void RingBox::send(size_t port, std::span<rte_mbuf* const> frames) {
    Lane& into = wires_[port].into[0];
    pass(into.order.get());
    const auto n = static_cast<unsigned>(frames.size());
    if (rte_ring_sp_enqueue_bulk(into.ring, reinterpret_cast<void* const*>(frames.data()), n,
                                 nullptr) == 0)
        std::abort();
}

std::vector<rte_mbuf*> RingBox::receive(size_t port) {
    std::vector<rte_mbuf*> out;
    void* frames[64];
    for (Lane& lane : wires_[port].out) {
        const unsigned n = rte_ring_sc_dequeue_burst(lane.ring, frames, 64, nullptr);
        if (n != 0) pass(lane.order.get());
        for (unsigned i = 0; i < n; ++i) out.push_back(static_cast<rte_mbuf*>(frames[i]));
    }
    return out;
}

bool RingBox::turn() {
    const auto& workers = store_->appliance()->workers();
    const auto loops = [](Worker& worker) { return worker.context().counters.get(kLoops); };
    std::vector<uint64_t> enough;  // the turn we found it in, and one from beginning to end
    for (const auto& worker : workers) enough.push_back(loops(*worker) + 2);
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    for (size_t w = 0; w < workers.size();) {
        if (loops(*workers[w]) >= enough[w]) {
            ++w;
            continue;
        }
        if (std::chrono::steady_clock::now() > give_up) return false;
        for (size_t late = w; late < workers.size(); ++late)
            if (loops(*workers[late]) < enough[late]) workers[late]->wake();
        std::this_thread::yield();
    }
    return true;
}

bool RingBox::settle() {
    for (unsigned i = 0; i < kMostTurns; ++i) {
        const auto before = deeds();
        if (!turn()) return false;
        if (deeds() == before) return true;
    }
    return false;
}

/// All that workers count but their turns. A frame cannot move on without one of them.
std::vector<uint64_t> RingBox::deeds() const {
    std::vector<uint64_t> out;
    for (const auto& worker : store_->appliance()->workers())
        for (size_t i = 0; i < store_->appliance()->specs().size(); ++i)
            if (const auto id = static_cast<CounterId>(i); !is_clockwork(id))
                out.push_back(worker->context().counters.get(id));
    return out;
}

uint64_t RingBox::counter(const std::string& name) const {
    const auto& specs = store_->appliance()->specs();
    uint64_t sum = 0;
    for (size_t i = 0; i < specs.size(); ++i)
        if (specs[i].name == name)
            for (const auto& worker : store_->appliance()->workers())
                sum += worker->context().counters.get(static_cast<CounterId>(i));
    return sum;
}

uint64_t RingBox::dropped() const {
    uint64_t sum = 0;
    for (const CounterSpec& spec : store_->appliance()->specs())
        if (spec.name.starts_with("drop.")) sum += counter(spec.name);
    return sum;
}

std::string RingBox::drops() const {
    std::string text;
    for (const CounterSpec& spec : store_->appliance()->specs())
        if (spec.name.starts_with("drop."))
            if (const uint64_t n = counter(spec.name)) text += fmt::format("{}={} ", spec.name, n);
    return text;
}

}  // namespace ravelin::test
