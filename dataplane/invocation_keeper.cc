// SPDX-License-Identifier: Apache-2.0
// What of functions outlives policies: references, and what waits until its worker has let it go.
#include <algorithm>
#include <bit>

#include "dataplane/functions.h"

namespace ravelin {
namespace {

/// Where it runs is no part of what it is: what waits of it elsewhere runs there.
bool same_but_for_worker(const config::Node& a, const config::Node& b) {
    if (worker_of(a) == worker_of(b)) return a == b;
    config::Node moved = a;
    std::erase_if(moved.members(), [](const auto& member) { return member.first == "worker"; });
    config::Node was = b;
    std::erase_if(was.members(), [](const auto& member) { return member.first == "worker"; });
    return moved == was;
}

}  // namespace

std::shared_ptr<Invocations> InvocationKeeper::make(InvocationPlan plan) {
    // Nobody but us knows those any more.
    std::erase_if(kept_, [](const std::shared_ptr<Invocations>& one) {
        return one.use_count() == 1 && !one->attached();
    });
    kept_.push_back(std::make_shared<Invocations>(std::move(plan)));
    return kept_.back();
}

void InvocationKeeper::release_all() {
    for (const auto& one : kept_) one->release_all();
}

// A policy that is refused changes nothing for the one in force: what is new takes slots that
// neither has, as far as there are any.
void InvocationKeeper::name(std::vector<FunctionSpec>& list, const Functions* previous) {
    uint64_t taken = 0, before = 0;
    for (FunctionSpec& spec : list) spec.ref = {};
    for (const FunctionSpec& was : previous != nullptr ? previous->list : list) {
        if (previous == nullptr) break;
        before |= uint64_t{1} << was.ref.slot;
        const auto stays = std::ranges::find(list, was.name, &FunctionSpec::name);
        if (stays == list.end() || !same_but_for_worker(*stays->declared, *was.declared)) continue;
        stays->ref = was.ref;
        taken |= uint64_t{1} << was.ref.slot;
    }
    for (FunctionSpec& spec : list) {
        if (spec.ref != sched::FunctionRef{}) continue;
        const uint64_t used = ~(taken | before) != 0 ? taken | before : taken;
        spec.ref = {static_cast<uint16_t>(std::countr_one(used)), ++generation_};
        taken |= uint64_t{1} << spec.ref.slot;
    }
}

}  // namespace ravelin
