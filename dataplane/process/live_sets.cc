// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/live_sets.h"

#include <fmt/format.h>

#include <string>
#include <unordered_set>

#include "dataplane/live_set.h"

namespace ravelin {
namespace {

using Action = model::SetChange;

size_t count_of(const model::SetChange& change) {
    return change.elements().size() / SetElement::kBytes;
}

const char* bytes_of(const model::SetChange& change, size_t i) {
    return change.elements().data() + i * SetElement::kBytes;
}

uint64_t deadline_of(const model::SetChange& change, size_t i, const Now& now) {
    if (change.remaining_ms().empty()) return 0;
    const uint64_t remaining = change.remaining_ms(static_cast<int>(i));
    return remaining == 0 ? 0 : set_clock_ms(now) + remaining;
}

Error wrong(const model::SetChange& change, const std::string& what) {
    return Error{fmt::format("set '{}': {}", change.set(), what)};
}

// What holds whatever the set has in it.
Status check_form(const model::SetChange& change, const LiveSet* set) {
    if (set == nullptr) return wrong(change, "found no such live set in the policy in force");
    if (change.action() != Action::ADD && change.action() != Action::REMOVE &&
        change.action() != Action::FLUSH)
        return wrong(change, "found an unknown action");
    if (change.elements().size() % SetElement::kBytes != 0)
        return wrong(change, "found a part of an element");
    const auto times = static_cast<size_t>(change.remaining_ms_size());
    if (times != 0 && times != count_of(change))
        return wrong(change,
                     fmt::format("found {} times for {} elements", times, count_of(change)));
    for (size_t i = 0; i < count_of(change); ++i)
        if (!SetElement::read(set->decl().type, bytes_of(change, i)))
            return wrong(change, fmt::format("element {} is not one of {}", i,
                                             kSetTypes[static_cast<size_t>(set->decl().type)]));
    return ok_status();
}

uint64_t fresh_in(const LiveSet& set, const model::SetChange& change) {
    uint64_t fresh = 0;
    for (size_t i = 0; i < count_of(change); ++i)
        fresh += set.has(*SetElement::read(set.decl().type, bytes_of(change, i))) ? 0u : 1u;
    return fresh;
}

// False: a grace period is needed first.
bool alter_element(LiveSet& set, const model::SetChange& change, size_t i, const Now& now,
                   bool& altered) {
    const SetElement element = *SetElement::read(set.decl().type, bytes_of(change, i));
    if (change.action() == Action::REMOVE) {
        altered |= set.remove(element);
        return true;
    }
    const auto added = set.add(element, deadline_of(change, i, now));
    altered |= added == LiveSet::Added::kNew;
    return added != LiveSet::Added::kWait;
}

bool alter_one(LiveSet& set, const model::SetChange& change, const Now& now,
               SetProgress& progress) {
    if (change.action() == Action::FLUSH) {
        progress.altered |= set.size() != 0;
        return set.size() == 0 || set.clear();
    }
    for (; progress.element < count_of(change); ++progress.element)
        if (!alter_element(set, change, progress.element, now, progress.altered)) return false;
    progress.element = 0;
    return true;
}

// What `set` has and the sync does not name.
void take_away(const LiveSet& set, const model::LiveChange& sync, model::LiveChange& out) {
    std::unordered_set<std::string_view> wanted;
    for (const model::SetChange& change : sync.sets())
        for (size_t i = 0; change.set() == set.decl().name && i < count_of(change); ++i)
            wanted.emplace(bytes_of(change, i), SetElement::kBytes);
    std::string gone;
    set.for_each([&](const SetElement& element, uint64_t) {
        const size_t end = gone.size();
        element.append_to(gone);
        if (wanted.contains(std::string_view(gone).substr(end))) gone.resize(end);
    });
    if (gone.empty()) return;
    model::SetChange& change = *out.add_sets();
    change.set_set(set.decl().name);
    change.set_action(Action::REMOVE);
    change.set_elements(gone);
}

const LiveSet* find(const LiveSets& sets, std::string_view name) {
    for (const auto& set : sets)
        if (set->decl().name == name) return set.get();
    return nullptr;
}

}  // namespace

uint64_t set_bytes(const config::Node& sets) {
    uint64_t bytes = 0;
    for (const auto& [name, set] : sets.members())
        if (set.has("size"))
            bytes += LiveSet::bytes_for(static_cast<uint32_t>(set["size"].as_integer()));
    return bytes;
}

Status check_sets(const LiveSets& sets, const model::LiveChange& change) {
    for (const model::SetChange& one : change.sets()) {
        if (auto s = check_form(one, find(sets, one.set())); !s) return s;
        for (const auto& set : sets) {
            if (set->decl().name != one.set() || one.action() != Action::ADD) continue;
            if (!check_form(one, set.get()))
                return wrong(one, "its type differs in the generation before");
            const uint64_t would = set->size() + fresh_in(*set, one);
            if (would > set->decl().size)
                return wrong(one, fmt::format("is full: {} elements would be more than its size "
                                              "of {}",
                                              would, set->decl().size));
        }
    }
    return ok_status();
}

Result<model::LiveChange> difference(const LiveSets& sets, const model::LiveChange& sync) {
    model::LiveChange out;
    for (const model::SetChange& change : sync.sets()) {
        const LiveSet* set = find(sets, change.set());
        if (auto s = check_form(change, set); !s) return std::move(s.error());
        if (change.action() != Action::ADD || count_of(change) > set->decl().size)
            return wrong(change, "does not fit a sync");
    }
    for (const auto& set : sets) take_away(*set, sync, out);
    for (const model::SetChange& change : sync.sets()) *out.add_sets() = change;
    return out;
}

bool alter_sets(const LiveSets& sets, const model::LiveChange& change, const Now& now,
                SetProgress& progress) {
    for (; progress.change < change.sets_size(); ++progress.change) {
        const model::SetChange& one = change.sets(progress.change);
        for (const auto& set : sets)
            if (set->decl().name == one.set() && !alter_one(*set, one, now, progress)) return false;
    }
    return true;
}

}  // namespace ravelin
