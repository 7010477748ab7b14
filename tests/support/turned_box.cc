// SPDX-License-Identifier: Apache-2.0
#include "tests/support/turned_box.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_bus_vdev.h>
#include <rte_eth_ring.h>
#include <rte_malloc.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "controlplane/config/yaml_loader.h"
#include "dataplane/functions.h"
#include "dataplane/stage.h"
#include "pipelines/model/schema.h"

namespace ravelin::test {
namespace {

constexpr std::array kPorts{"lan", "wan"};
config::Node load(const std::string& yaml) {
    std::vector<std::string_view> names;
    for (const StageDecl* stage : StageRegistry::get().stages()) names.push_back(stage->name);
    auto loaded =
        config::load_text(yaml, "test", model::kConfigSchema, StageRegistry::schema_of, names);
    if (!loaded) {
        ADD_FAILURE() << loaded.error().message;
        std::abort();
    }
    return std::move(loaded->tree);
}

rte_ring* make_ring(const std::string& name, unsigned size) {
    rte_ring* ring = rte_ring_create(name.c_str(), size, SOCKET_ID_ANY,
                                     RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == nullptr) std::abort();
    return ring;
}

}  // namespace

TurnedBox::TurnedBox(const std::string& yaml, unsigned workers) {
    test_eal();
    TurnedTime::begin();
    char scratch[] = "/tmp/ravelin-turned-XXXXXX";
    run_dir_ = mkdtemp(scratch);
    for (size_t p = 0; p < kPorts.size(); ++p) {
        into_[p] = make_ring(std::string("into_") + kPorts[p], kRing);
        for (unsigned w = 0; w < workers; ++w)
            out_[p].push_back(make_ring(fmt::format("out_{}_{}", kPorts[p], w), kRing));
        if (rte_eth_from_rings(kPorts[p], &into_[p], 1, out_[p].data(), workers, 0) < 0)
            std::abort();
    }
    auto booted = Appliance::boot(load(yaml), run_dir_, TurnedTime::read);
    if (!booted) {
        ADD_FAILURE() << booted.error().message;
        std::abort();
    }
    appliance_ = std::move(*booted);
    times_.assign(workers, cycles());
    const uint16_t wan = appliance_->ports()[1]->device();
    for (uint16_t w = 0; w < workers; ++w) {
        worker(w).count_cycles_by(TurnedTime::read_cycles, TurnedTime::had_ns);
        callbacks_.push_back(rte_eth_add_tx_callback(wan, w, leaves, this));
    }
    apply(yaml);
    for (unsigned w = 0; w < workers; ++w) turn(0);  // announces its addresses
    for (const Departure& one : receive()) rte_pktmbuf_free(one.frame);
}

uint16_t TurnedBox::leaves(uint16_t, uint16_t, rte_mbuf** frames, uint16_t n, void* box) {
    for (uint16_t i = 0; i < n; ++i)
        static_cast<TurnedBox*>(box)->left_.push_back({frames[i], now_ns()});
    return n;
}

TurnedBox::~TurnedBox() {
    for (uint16_t w = 0; w < callbacks_.size(); ++w) {
        rte_eth_remove_tx_callback(appliance_->ports()[1]->device(), w, callbacks_[w]);
        rte_free(const_cast<rte_eth_rxtx_callback*>(callbacks_[w]));
    }
    std::vector<rte_ring*> rings(into_.begin(), into_.end());
    for (const auto& out : out_) rings.insert(rings.end(), out.begin(), out.end());
    for (rte_ring* ring : rings) {
        void* frame = nullptr;
        while (rte_ring_dequeue(ring, &frame) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    }
    appliance_.reset();
    for (const char* port : kPorts) rte_vdev_uninit((std::string("net_ring_") + port).c_str());
    for (rte_ring* ring : rings) rte_ring_free(ring);
    std::filesystem::remove_all(run_dir_);
}

void TurnedBox::apply(const std::string& yaml) {
    const PolicySnapshot* before = policies_.empty() ? nullptr : policies_.back().get();
    auto built =
        build_policy(policies_.size() + 1, std::make_shared<const config::Node>(load(yaml)),
                     appliance_->port_facts(), before);
    if (!built) {
        ADD_FAILURE() << built.error().message;
        std::abort();
    }
    policies_.push_back(std::move(*built));
    if (const Principals* principals = policies_.back()->principals.get(); principals != nullptr)
        appliance_->keep_accounts(*principals, nullptr);
    appliance_->slot.store(policies_.back().get());
}

bool TurnedBox::send(const Bytes& frame) {
    rte_mbuf* mbuf = exact_frame(frame);
    if (rte_ring_enqueue(into_[0], mbuf) == 0) return true;
    rte_pktmbuf_free(mbuf);
    return false;
}

void TurnedBox::turn(uint64_t core) {
    const auto next = std::ranges::min_element(times_);
    TurnedTime::go_to(*next);
    TurnedTime::pass(core);
    worker(static_cast<size_t>(next - times_.begin())).turn();
    *next = cycles();
    TurnedTime::go_to(std::ranges::min(times_));
}

std::vector<TurnedBox::Departure> TurnedBox::receive() {
    for (rte_ring* ring : out_[1])
        for (void* frame = nullptr; rte_ring_dequeue(ring, &frame) == 0;) {
        }
    return std::exchange(left_, {});
}

sched::PrincipalId TurnedBox::id(const std::string& name) const {
    return name == "core" ? sched::kCorePrincipal : policy().principals->table.find(name);
}

uint64_t TurnedBox::charged(const std::string& name, sched::Use use) {
    uint64_t sum = 0;
    for (const auto& one : appliance_->workers()) sum += one->account()->usage().get(id(name), use);
    return sum;
}

uint64_t TurnedBox::invoked(const std::string& name, sched::Use use) {
    uint64_t sum = 0;
    for (const auto& one : policy().functions->workers) sum += one->usage().get(id(name), use);
    return sum;
}

uint64_t TurnedBox::counter(const std::string& name) {
    const auto& specs = appliance_->specs();
    const auto at = std::ranges::find(specs, name, &CounterSpec::name);
    if (at == specs.end()) {
        ADD_FAILURE() << "no counter " << name;
        return 0;
    }
    uint64_t sum = 0;
    for (const auto& one : appliance_->workers())
        sum += one->context().counters.get(static_cast<CounterId>(at - specs.begin()));
    return sum;
}

}  // namespace ravelin::test
