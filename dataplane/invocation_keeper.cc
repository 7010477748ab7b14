// SPDX-License-Identifier: Apache-2.0
// What of functions outlives policies: their names, and what waits until its worker has let it go.
#include <algorithm>

#include "dataplane/functions.h"

namespace ravelin {

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

Status InvocationKeeper::name(std::vector<FunctionSpec>& list) {
    for (auto at = known_.begin(); at != known_.end();) {
        const auto there = std::ranges::find(list, at->first, &FunctionSpec::name);
        const bool stays = there != list.end() && *there->declared == at->second.declared;
        if (!stays) (void)names_.unload(at->second.ref);
        at = stays ? std::next(at) : known_.erase(at);
    }
    for (FunctionSpec& spec : list) {
        if (!known_.contains(spec.name)) {
            auto ref = names_.load(spec.name);
            if (!ref) return std::move(ref.error());
            known_.emplace(spec.name, Known{*spec.declared, *ref});
        }
        spec.ref = known_.at(spec.name).ref;
    }
    return ok_status();
}

}  // namespace ravelin
