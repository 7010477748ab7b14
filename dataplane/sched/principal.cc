// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/principal.h"

#include <algorithm>
#include <unordered_set>

namespace ravelin::sched {
namespace {

constexpr char kSeparator = '/';

/// Why `name` cannot be one; empty: it can.
std::string fault_of(const std::string& name) {
    const std::string top = name.substr(0, name.find(kSeparator));
    for (const char* own : {"core", "idle", "box", "others"})  // in metrics and answers too
        if (top == own) return "'" + top + "' is the engine's own";
    if (name.empty() || name.front() == kSeparator || name.back() == kSeparator ||
        name.find("//") != std::string::npos)
        return "a level of the name is empty, expected a name like org/web";
    if (std::count(name.begin(), name.end(), kSeparator) >= kMaxDepth)
        return "more than " + std::to_string(kMaxDepth) + " levels";
    return {};
}

std::string parent_name(const std::string& name) {
    const size_t cut = name.rfind(kSeparator);
    return cut == std::string::npos ? std::string() : name.substr(0, cut);
}

}  // namespace

PrincipalId PrincipalTable::find(std::string_view name) const {
    const auto found = ids_.find(std::string(name));
    return found == ids_.end() ? kNoPrincipal : found->second;
}

// One behind the last may have been given away by a policy that was rolled back since.
PrincipalId PrincipalTable::free_id(const Before& before) {
    if (!free_.empty()) {
        const PrincipalId id = free_.back();
        free_.pop_back();
        return id;
    }
    while (size() < kMaxPrincipals && before.holds(size())) entries_.emplace_back();
    entries_.emplace_back();
    return PrincipalId{size() - 1};
}

// The entry of `name`, made with its parents where there is none.
PrincipalId PrincipalTable::place(const std::string& name, const Before& before) {
    if (const PrincipalId known = find(name); known != kNoPrincipal) return known;
    const std::string above = parent_name(name);
    const PrincipalId parent = above.empty() ? kNoPrincipal : place(above, before);
    PrincipalId id = before.table == nullptr ? kNoPrincipal : before.table->find(name);
    if (id == kNoPrincipal) id = free_id(before);
    if (parent != kNoPrincipal) entries_[index(parent)].has_children = true;
    entries_[index(id)].name = name;
    entries_[index(id)].parent = parent;
    ids_.emplace(name, id);
    return id;
}

Status PrincipalTable::add(const PrincipalSpec& spec, const Before& before) {
    if (const std::string fault = fault_of(spec.name); !fault.empty())
        return Error{"name: found '" + spec.name + "': " + fault};
    if (spec.weight > kMaxWeight)
        return Error{"weight: found " + std::to_string(spec.weight) + ", expected at most " +
                     std::to_string(kMaxWeight)};
    const PrincipalId id = place(spec.name, before);
    entries_[index(id)].weight = spec.weight;
    entries_[index(id)].caps = spec.caps;
    if (size() > kMaxPrincipals)
        return Error{"more than " + std::to_string(kMaxPrincipals - kFirstPrincipal) +
                     " principals with those above them"};
    return ok_status();
}

// The engine's own, and as many free ids as were in use before.
void PrincipalTable::begin(const Before& before) {
    entries_.resize(before.table == nullptr ? kFirstPrincipal : before.table->size());
    for (const auto& [name, id] : {std::pair{"core", kCorePrincipal}, {"idle", kIdlePrincipal}}) {
        entries_[index(id)].name = name;
        ids_.emplace(name, id);
    }
    for (uint32_t i = kFirstPrincipal; i < size(); ++i)
        if (before.table->entries_[i].name.empty() && !before.holds(i))
            free_.push_back(PrincipalId{i});
}

Result<PrincipalTable> PrincipalTable::build(std::span<const PrincipalSpec> specs,
                                             const PrincipalTable* previous, const Held& held) {
    PrincipalTable table;
    const Before before{previous, held};
    table.begin(before);
    std::unordered_set<std::string_view> names;
    for (size_t i = 0; i < specs.size(); ++i) {
        Status added = table.add(specs[i], before);
        if (added.ok() && !names.insert(specs[i].name).second)
            added = Error{"name: '" + specs[i].name + "' is declared twice"};
        if (!added.ok())
            return std::move(added.error()).within("principals[" + std::to_string(i) + "]");
    }
    return table;
}

}  // namespace ravelin::sched
