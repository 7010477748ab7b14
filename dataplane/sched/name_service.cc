// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/name_service.h"

#include <algorithm>

namespace ravelin::sched {
namespace {

/// Whether `name` is `above` or lies under it; everything lies under the empty name.
bool under(std::string_view name, std::string_view above) {
    return above.empty() || name == above ||
           (name.size() > above.size() && name.starts_with(above) && name[above.size()] == '/');
}

}  // namespace

bool NameService::loaded(FunctionRef ref) const {
    return ref.slot < kMaxFunctions && slots_[ref.slot].used &&
           slots_[ref.slot].generation == ref.generation;
}

Result<FunctionRef> NameService::load(const std::string& name) {
    if (names_.contains(name)) return Error{"function '" + name + "' is already loaded"};
    for (uint16_t i = 0; i < kMaxFunctions; ++i) {
        Slot& slot = slots_[i];
        if (slot.used) continue;
        slot.used = true;
        const FunctionRef ref{i, ++slot.generation};
        names_.emplace(name, ref);
        return ref;
    }
    return Error{"function '" + name + "': " + std::to_string(kMaxFunctions) + " are loaded"};
}

Status NameService::rebind(const std::string& name, FunctionRef ref) {
    if (!loaded(ref)) return Error{"function '" + name + "': the reference is stale"};
    names_.insert_or_assign(name, ref);
    return ok_status();
}

Status NameService::unload(FunctionRef ref) {
    if (!loaded(ref)) return Error{"the reference is stale"};
    slots_[ref.slot].used = false;
    std::erase_if(names_, [&](const auto& entry) { return entry.second == ref; });
    return ok_status();
}

bool NameService::permitted(std::string_view name, std::string_view principal) const {
    const auto rule = std::find_if(permissions_.begin(), permissions_.end(), [&](const auto& p) {
        return under(principal, p.principal) && under(name, p.function);
    });
    return rule == permissions_.end() ? under(name, principal) : rule->allow;
}

Result<FunctionRef> NameService::resolve(std::string_view name, std::string_view principal) const {
    if (!permitted(name, principal))
        return Error{"function '" + std::string(name) + "': not permitted to '" +
                     std::string(principal) + "'"};
    const auto found = names_.find(name);
    if (found == names_.end()) return Error{"no function '" + std::string(name) + "' is loaded"};
    return found->second;
}

}  // namespace ravelin::sched
