// SPDX-License-Identifier: Apache-2.0
// What principals have used, over all workers.
#include <rte_cycles.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "dataplane/engine_counters.h"
#include "dataplane/process/answers.h"

namespace ravelin::answers {
namespace {

using sched::PrincipalId;

void put(const PrincipalUse& use, model::PrincipalRecord& out) {
    out.set_packets(out.packets() + use.packets);
    out.set_bytes(out.bytes() + use.bytes);
    out.set_cycles(out.cycles() + use.cycles);
    out.set_drops(out.drops() + use.drops);
}

// As declared: flows have the lesser of two caps.
void put_caps(const Principals& principals, uint32_t id, const config::Node* caps,
              model::PrincipalRecord& out) {
    const bool by_memory = !principals.by_memory.empty() && principals.by_memory[id];
    out.set_memory(principals.flows->all(PrincipalId{id}) * kFlowBytes);
    if (caps != nullptr) {
        out.set_cpu_cap(static_cast<uint64_t>((*caps)["cpu"].as_integer()));
        out.set_cycles_cap(static_cast<uint64_t>((*caps)["cycles"].as_integer()));
        out.set_memory_cap(static_cast<uint64_t>((*caps)["memory"].as_integer()));
    }
    if (!by_memory) out.set_flows_cap(principals.table[PrincipalId{id}].caps.flows);
}

// What nobody asks for has no account: the box is core's then, or idle.
void without_principals(const Appliance& box, model::PrincipalRecords& out) {
    uint64_t busy = 0, idle = 0;
    for (const auto& worker : box.workers()) {
        busy += worker->context().counters.get(kBusyNs);
        idle += worker->context().counters.get(kIdleNs);
    }
    const auto cycles = [](uint64_t ns) {
        return static_cast<uint64_t>(static_cast<double>(ns) *
                                     static_cast<double>(rte_get_tsc_hz()) / 1e9);
    };
    for (const auto& [name, spent] : {std::pair{"core", busy}, {"idle", idle}}) {
        model::PrincipalRecord& record = *out.add_principals();
        record.set_name(name);
        record.set_cycles(cycles(spent));
    }
}

}  // namespace

void principals(const PolicyStore& store, uint32_t most, model::PrincipalRecords& out) {
    const Appliance& box = *store.appliance();
    const Principals* declared = store.current()->principals.get();
    out.set_cycles_hz(rte_get_tsc_hz());
    out.set_workers(static_cast<uint32_t>(box.workers().size()));
    if (declared == nullptr) return without_principals(box, out);
    std::unordered_map<std::string_view, const config::Node*> caps;
    for (const config::Node& node : declared->declared->items())
        caps.emplace(node["name"].as_text(), &node["caps"]);
    model::PrincipalRecord others;
    for (uint32_t i = 0; i < declared->table.size(); ++i) {
        const sched::PrincipalTable::Entry& entry = declared->table[PrincipalId{i}];
        if (entry.name.empty()) continue;
        const bool fits = static_cast<uint32_t>(out.principals_size()) < most;
        model::PrincipalRecord& record = fits ? *out.add_principals() : others;
        put(box.use_of(PrincipalId{i}), record);
        record.set_flows(record.flows() + declared->flows->own(PrincipalId{i}));
        record.set_name(fits ? entry.name : "others");
        if (!fits) continue;
        const auto said = caps.find(entry.name);
        put_caps(*declared, i, said == caps.end() ? nullptr : said->second, record);
        record.set_bandwidth_cap(8 * entry.caps.bytes_per_s);
    }
    if (!others.name().empty()) *out.add_principals() = others;
}

}  // namespace ravelin::answers
