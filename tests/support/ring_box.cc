// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_box.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_eth_ring.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "controlplane/config/yaml_loader.h"
#include "dataplane/eal.h"
#include "dataplane/stage.h"
#include "pipelines/model/schema.h"

namespace ravelin::test {
namespace {

constexpr unsigned kRing = 1024;

std::vector<std::string_view> stage_names() {
    std::vector<std::string_view> names;
    for (const StageDecl* stage : StageRegistry::get().stages()) names.push_back(stage->name);
    return names;
}

rte_ring* make_ring(const std::string& name) {
    rte_ring* ring = rte_ring_create(name.c_str(), kRing, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (ring == nullptr) std::abort();
    return ring;
}

}  // namespace

RingBox::RingBox(const std::vector<std::string>& ports, unsigned workers) {
    EalOptions options;
    options.hugepages = EalOptions::Hugepages::kOff;
    options.memory_bytes = 320u << 20;
    if (!start_eal(options)) std::abort();
    char scratch[] = "/tmp/ravelin-ringbox-XXXXXX";
    run_dir_ = mkdtemp(scratch);
    static unsigned box = 0;
    ++box;
    for (const std::string& port : ports) {
        Wire wire{make_ring(fmt::format("in{}_{}", box, port)), {}};
        for (unsigned w = 0; w < workers; ++w) wire.out.push_back(make_ring(fmt::format("out{}_{}_{}", box, port, w)));
        const std::string device = port;  // the driver calls it net_ring_PORT
        if (rte_eth_from_rings(device.c_str(), &wire.into, 1, wire.out.data(), workers, 0) < 0) std::abort();
        wires_.push_back(std::move(wire));
    }
    store_ = std::make_unique<PolicyStore>(run_dir_);
}

RingBox::~RingBox() {
    store_.reset();
    std::filesystem::remove_all(run_dir_);
}

void RingBox::apply(const std::string& yaml, uint32_t confirm_ms) {
    const auto names = stage_names();
    auto loaded = config::load_text(yaml, "test.yaml", model::kConfigSchema, StageRegistry::schema_of, names);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    const auto applied = store_->apply(++generation_, std::move(loaded->tree), confirm_ms, Now::read());
    ASSERT_TRUE(applied.ok()) << applied.error().message;
}

void RingBox::send(size_t port, rte_mbuf* frame) {
    while (rte_ring_sp_enqueue(wires_[port].into, frame) != 0) std::this_thread::yield();
}

std::vector<rte_mbuf*> RingBox::receive(size_t port) {
    std::vector<rte_mbuf*> out;
    void* frames[64];
    for (rte_ring* ring : wires_[port].out) {
        const unsigned n = rte_ring_sc_dequeue_burst(ring, frames, 64, nullptr);
        for (unsigned i = 0; i < n; ++i) out.push_back(static_cast<rte_mbuf*>(frames[i]));
    }
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
