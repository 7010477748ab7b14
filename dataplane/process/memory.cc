// SPDX-License-Identifier: Apache-2.0
// The memory of every table, with what is in it and what it holds at most. All of it is taken at
// boot or when a policy is built; no packet makes any of it grow.
#include <fmt/format.h>
#include <rte_mempool.h>

#include <algorithm>
#include <string>

#include "dataplane/engine_counters.h"
#include "dataplane/process/answers.h"
#include "pipelines/stages/firewall_policy.h"
#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"
#include "pipelines/stages/steer_fragments.h"

namespace ravelin::answers {
namespace {

constexpr size_t kFramePointer = sizeof(void*);  // what a slot of a handoff ring holds

class Memory {
  public:
    explicit Memory(model::DataplaneStatus& out) : out_(out) {}
    /// `capacity` 0: as much as the policy asked for.
    model::TableMemory& add(std::string name, uint64_t bytes, uint64_t entries = 0,
                            uint64_t capacity = 0) {
        model::TableMemory& row = *out_.add_memory();
        row.set_table(std::move(name));
        row.set_bytes(bytes);
        row.set_entries(entries);
        row.set_capacity(capacity);
        return row;
    }

  private:
    model::DataplaneStatus& out_;
};

void add_policy(const PolicySnapshot& policy, Memory& memory) {
    for (const auto& step : policy.steps) {
        const auto* routes = dynamic_cast<const RoutePolicy*>(step.policy.get());
        const auto* rules = dynamic_cast<const firewall::FirewallPolicy*>(step.policy.get());
        const size_t trees = rules != nullptr ? rules->tables->rules.trees.memory_bytes() : 0;
        const size_t bytes = step.policy->memory_bytes() - trees;
        const size_t entries = routes != nullptr  ? routes->size()
                               : rules != nullptr ? policy.rules.size()
                                                  : 0;
        if (bytes != 0)
            memory.add(std::string(StageRegistry::get().stages()[step.stage]->name), bytes, entries,
                       rules != nullptr ? limits::kMaxRules : 0);
        if (rules != nullptr) {
            const firewall::RuleTables& tables = rules->tables->rules;
            // Live edits beside the tables: nobody asks the trees.
            const bool asked = rules->delta == nullptr;
            memory.add("firewall.trees", trees, asked ? tables.words.size() : 0);
        }
        if (rules != nullptr && rules->limit_bytes() != 0)
            memory.add("firewall.limits", rules->limit_bytes(), rules->limit_count());
    }
    for (const auto& set : policy.sets)
        memory.add("set." + set->decl().name, set->memory_bytes(), set->size(), set->decl().size);
}

// What `previous` holds and the policy in force does not share with it.
void add_previous(const PolicySnapshot& previous, const PolicySnapshot& policy, Memory& memory) {
    size_t bytes = 0;
    for (const auto& step : previous.steps)
        if (std::ranges::find(policy.steps, step.policy, &PolicySnapshot::Step::policy) ==
            policy.steps.end())
            bytes += step.policy->memory_bytes();
    for (const auto& set : previous.sets)
        if (std::ranges::find(policy.sets, set) == policy.sets.end()) bytes += set->memory_bytes();
    memory.add("previous", bytes);
}

void add_pool(std::string name, const rte_mempool& pool, Memory& memory) {
    const uint64_t each = uint64_t{pool.header_size} + pool.elt_size + pool.trailer_size;
    memory.add(std::move(name), each * pool.size, rte_mempool_in_use_count(&pool), pool.size);
}

void add_links(const PolicySnapshot& policy, Memory& memory) {
    for (size_t i = 0; policy.paced != nullptr && i < policy.ports.size(); ++i)
        if (const PacedLink* link = policy.paced->link(static_cast<PortId>(i)); link != nullptr)
            memory.add("link." + policy.ports[i].name, link->memory_bytes(), link->waiting(),
                       link->plan().frames);
}

void add_workers(const Appliance& box, Memory& memory) {
    const size_t workers = box.workers().size();
    for (const auto& worker : box.workers())
        memory
            .add(fmt::format("flows.{}", worker->id()), worker->flow_memory(),
                 worker->context().counters.get(kFlows), worker->flow_capacity())
            .set_huge_bytes(box.facts().huge_flow_bytes[worker->id()]);
    for (const auto& worker : box.workers())
        memory.add(fmt::format("shortcut.{}", worker->id()), Shortcut::memory_bytes(),
                   worker->shortcut().known(), Shortcut::kWays);
    for (const auto& worker : box.workers())
        add_pool(fmt::format("buffers.{}", worker->id()), *worker->context().pool, memory);
    memory.add("steer.fragments", FragmentTable::memory_bytes() * workers, 0,
               FragmentTable::kDatagrams * workers);
    memory.add("events", limits::kEventRing * workers);
    memory.add("handoff", workers * workers * limits::kHandoffRing * kFramePointer, 0,
               workers * workers * limits::kHandoffRing);
    if (const KernelPath* kernel = box.kernel(); kernel != nullptr) {
        add_pool("buffers.kernel", kernel->pool(), memory);
        memory.add("kernel", kernel->ring_slots() * kFramePointer, 0, kernel->ring_slots());
    }
}

}  // namespace

void memory(const PolicyStore& store, model::DataplaneStatus& out) {
    const Appliance& box = *store.appliance();
    Memory memory(out);
    add_policy(*store.current(), memory);
    add_links(*store.current(), memory);
    if (store.previous() != nullptr) add_previous(*store.previous(), *store.current(), memory);
    const SourceCounts& counts = box.counts_by_source();
    memory.add("flows.by_source", counts.memory_bytes(), 0, counts.capacity());
    const PrincipalFlows& by_principal = box.principal_flows();
    memory.add("flows.by_principal", by_principal.memory_bytes(), 0, sched::kMaxPrincipals);
    if (const Principals* principals = store.current()->principals.get(); principals != nullptr)
        memory.add("principals",
                   Account::memory_bytes() * box.workers().size() +
                       principals->table.size() * sizeof(sched::PrincipalTable::Entry) +
                       principals->prefixes.capacity() * sizeof(Principals::Bound),
                   principals->table.size(), sched::kMaxPrincipals);
    const NeighbourTable& neighbours = box.neighbours();
    memory.add("neighbours", neighbours.memory_bytes(), neighbours.list().size(),
               neighbours.capacity());
    if (const LearnedRoutes& learned = box.learned(); !learned.empty())
        memory.add("learned-routes", learned.memory_bytes(), learned.size(), learned.limit());
    add_workers(box, memory);
    const auto workers = static_cast<unsigned>(box.workers().size());
    memory.add("counters",
               CounterSegment::bytes_for(box.specs().size(), workers, limits::kMaxRules),
               box.specs().size());
}

}  // namespace ravelin::answers
