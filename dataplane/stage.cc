// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stage.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "dataplane/account.h"
#include "dataplane/charge.h"
#include "dataplane/engine_counters.h"
#include "dataplane/handoff.h"
#include "dataplane/kernel_path.h"
#include "dataplane/transmitter.h"

namespace ravelin {

void WorkerContext::emit(rte_mbuf* frame, PortId in_port) noexcept {
    if (dry_run) {
        rte_pktmbuf_free(frame);
        return;
    }
    transmitter->emit(frame, in_port, *this);
}

void WorkerContext::transmit(rte_mbuf* frame, PortId port, sched::PrincipalId principal) noexcept {
    if (dry_run) {
        rte_pktmbuf_free(frame);
        return;
    }
    charge(*frame, principal);
    transmitter->send(frame, port, *this);
}

void WorkerContext::give_up(const LostFrames& lost) noexcept {
    if (lost.all == 0) [[likely]]
        return;
    counters.add(kDropHandoffFull, lost.all);
    charge_lost(lost.received);
}

void WorkerContext::charge_lost(unsigned packets) noexcept {
    if (account != nullptr) account->lost(packets);
}

void WorkerContext::charge_drop(const PacketMeta& meta) noexcept {
    if (account != nullptr) account->count_drop(meta);
}

void WorkerContext::arrive(rte_mbuf* frame, PortId in_port) noexcept {
    transmitter->emit(frame, in_port, *this, PacketMeta::kTunnelled);
}

bool WorkerContext::to_kernel(rte_mbuf* frame, PortId port) noexcept {
    if (kernel == nullptr || dry_run || !kernel->send(worker, frame, port)) return false;
    counters.add(kKernelSent);
    return true;
}

PortId PolicySnapshot::owner_of(const IpAddress& address) const {
    for (size_t port = 0; port < ports.size(); ++port)
        for (const Prefix& own : ports[port].addresses)
            if (own.address == address) return static_cast<PortId>(port);
    return kNoPort;
}

StageRegistry& StageRegistry::get() {
    static StageRegistry registry;
    return registry;
}

void StageRegistry::add(const StageDecl& decl) {
    if (find(decl.name) != nullptr) {
        std::fprintf(stderr, "two stages are named '%.*s'\n", static_cast<int>(decl.name.size()),
                     decl.name.data());
        std::abort();
    }
    const auto at = std::ranges::lower_bound(stages_, decl.name, {},
                                             [](const StageDecl* s) { return s->name; });
    stages_.insert(at, &decl);
}

const StageDecl* StageRegistry::find(std::string_view name) const {
    const int i = index(name);
    return i < 0 ? nullptr : stages_[static_cast<size_t>(i)];
}

int StageRegistry::index(std::string_view name) const {
    for (size_t i = 0; i < stages_.size(); ++i)
        if (stages_[i]->name == name) return static_cast<int>(i);
    return -1;
}

void StageRegistry::append_counters(std::vector<CounterSpec>& specs) {
    drop_base_.clear();
    counter_base_.clear();
    for (const StageDecl* stage : stages_) {
        const std::string name(stage->name);
        drop_base_.push_back(static_cast<CounterId>(specs.size()));
        for (const CounterDecl& d : stage->drops)
            specs.push_back({"drop." + name + "." + std::string(d.name), std::string(d.help)});
        counter_base_.push_back(static_cast<CounterId>(specs.size()));
        for (const CounterDecl& c : stage->counters)
            specs.push_back({name + "." + std::string(c.name), std::string(c.help), c.kind});
    }
}

std::vector<std::unique_ptr<Stage>> StageRegistry::instantiate(WorkerId worker,
                                                               WorkerId workers) const {
    std::vector<std::unique_ptr<Stage>> out;
    for (size_t i = 0; i < stages_.size(); ++i) {
        out.push_back(stages_[i]->create(worker, workers));
        out.back()->drops_ = drop_base_[i];
        out.back()->counters_ = counter_base_[i];
    }
    return out;
}

const config::Schema* StageRegistry::schema_of(std::string_view stage) {
    const StageDecl* decl = get().find(stage);
    return decl == nullptr ? nullptr : decl->schema;
}

}  // namespace ravelin
