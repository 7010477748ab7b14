// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/principal.h"

#include <algorithm>

namespace ravelin::sched {
namespace {

constexpr char kSeparator = '/';

/// Why `name` cannot be one; empty: it can.
std::string fault_of(const std::string& name) {
    if (name.empty()) return "principal: the name is empty";
    if (name.front() == kSeparator || name.back() == kSeparator ||
        name.find("//") != std::string::npos)
        return "principal '" + name + "': a level of the name is empty";
    if (std::count(name.begin(), name.end(), kSeparator) >= kMaxDepth)
        return "principal '" + name + "': more than " + std::to_string(kMaxDepth) + " levels";
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

// The entry of `name`, made with its parents where there is none.
PrincipalId PrincipalTable::place(const std::string& name, const PrincipalTable* previous) {
    if (const PrincipalId known = find(name); known != kNoPrincipal) return known;
    const std::string above = parent_name(name);
    const PrincipalId parent = above.empty() ? kNoPrincipal : place(above, previous);
    PrincipalId id = previous == nullptr ? kNoPrincipal : previous->find(name);
    if (id == kNoPrincipal && !free_.empty()) {
        id = free_.back();
        free_.pop_back();
    } else if (id == kNoPrincipal) {
        id = PrincipalId{size()};
        entries_.emplace_back();
    }
    if (parent != kNoPrincipal) entries_[index(parent)].has_children = true;
    entries_[index(id)].name = name;
    entries_[index(id)].parent = parent;
    ids_.emplace(name, id);
    return id;
}

Status PrincipalTable::add(const PrincipalSpec& spec, const PrincipalTable* previous) {
    if (std::string fault = fault_of(spec.name); !fault.empty()) return Error{std::move(fault)};
    if (spec.weight > kMaxWeight)
        return Error{"principal '" + spec.name + "': weight " + std::to_string(spec.weight) +
                     ", expected at most " + std::to_string(kMaxWeight)};
    const PrincipalId id = place(spec.name, previous);
    entries_[index(id)].weight = spec.weight;
    entries_[index(id)].caps = spec.caps;
    if (size() > kMaxPrincipals)
        return Error{"more than " + std::to_string(kMaxPrincipals) + " principals"};
    return ok_status();
}

Result<PrincipalTable> PrincipalTable::build(std::span<const PrincipalSpec> specs,
                                             const PrincipalTable* previous) {
    PrincipalTable table;
    table.entries_.resize(previous == nullptr ? kFirstPrincipal : previous->size());
    for (const auto& [name, id] : {std::pair{"core", kCorePrincipal}, {"idle", kIdlePrincipal}}) {
        table.entries_[index(id)].name = name;
        table.ids_.emplace(name, id);
    }
    for (uint32_t i = kFirstPrincipal; previous != nullptr && i < table.size(); ++i)
        if (previous->entries_[i].name.empty()) table.free_.push_back(PrincipalId{i});
    std::vector<std::string_view> names;
    for (const PrincipalSpec& spec : specs) {
        names.push_back(spec.name);
        const std::string top = spec.name.substr(0, spec.name.find(kSeparator));
        if (top == "core" || top == "idle")
            return Error{"principal '" + spec.name + "': '" + top + "' is the engine's own"};
        if (Status added = table.add(spec, previous); !added.ok()) return added.error();
    }
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
        return Error{"principal '" + std::string(*twice) + "' is declared twice"};
    return table;
}

}  // namespace ravelin::sched
