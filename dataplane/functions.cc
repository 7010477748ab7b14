// SPDX-License-Identifier: Apache-2.0
#include "dataplane/functions.h"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <algorithm>
#include <map>
#include <set>

namespace ravelin {
namespace {

using config::Node;
using sched::NameService;

constexpr uint64_t kSecond = 1'000'000'000, kMicrosecond = 1'000;
// Of one worker's buffers, frames that wait for functions; invocations are as many, since each may
// hold a single frame.
constexpr uint32_t kPartThatWaits = 4, kMostWaiting = 65'536;

uint64_t cycles_of(uint64_t ns) {
    return static_cast<uint64_t>(sched::Wide{rte_get_tsc_hz()} * ns / kSecond);
}

Result<const FunctionType*> type_of(const Node& node) {
    const FunctionType* found = nullptr;
    std::string names;
    for (const FunctionType* type : FunctionTypes::get().all()) {
        names += (names.empty() ? "" : ", ") + std::string(type->name);
        if (!node.has(type->name)) continue;
        if (found != nullptr)
            return Error{
                fmt::format("found {} and {}, expected one of them", found->name, type->name)};
        found = type;
    }
    if (found == nullptr) return Error{"does nothing, expected one of " + names};
    return found;
}

Result<FunctionSpec> spec_of(const std::shared_ptr<const Node>& node) {
    auto type = type_of(*node);
    if (!type) return std::move(type.error());
    const auto number = [&](const char* field) {
        return static_cast<uint64_t>((*node)[field].as_integer());
    };
    FunctionSpec out;
    out.name = (*node)["name"].as_text();
    out.type = *type;
    out.declared = node;
    out.limits = {.work = number("work"),
                  .max_run = cycles_of(number("max-run")),
                  .queue = static_cast<uint32_t>(number("queue")),
                  .drop_stale = (*node)["drop-late"].as_bool()};
    out.deadline_ns = number("deadline");
    if (out.limits.work > out.limits.max_run)
        return Error{fmt::format("work: found {} cycles, expected at most max-run, which is {}",
                                 out.limits.work, out.limits.max_run)};
    return out;
}

size_t find(const std::vector<FunctionSpec>& list, const std::string& name) {
    return static_cast<size_t>(std::ranges::find(list, name, &FunctionSpec::name) - list.begin());
}

/// Who may call what: as `allow` says, else everybody. Of names that lie under each other the
/// longer one counts.
std::vector<sched::Permission> permissions_of(std::vector<FunctionSpec> list) {
    std::ranges::sort(list, std::greater{},
                      [](const FunctionSpec& spec) { return spec.name.size(); });
    std::vector<sched::Permission> out;
    for (const FunctionSpec& spec : list) {
        const auto allowed = (*spec.declared)["allow"].as_names();
        for (const std::string& principal : allowed) out.push_back({principal, spec.name, true});
        out.push_back({"", spec.name, allowed.empty()});
    }
    return out;
}

Status check_chains(const std::vector<FunctionSpec>& list) {
    for (size_t i = 0; i < list.size(); ++i) {
        const auto wrong = [&](const std::string& what) {
            return Error{fmt::format("functions[{}]: next: {}", i, what)};
        };
        size_t at = i;
        for (size_t hops = 0; (*list[at].declared).has("next"); ++hops) {
            const std::string& next = (*list[at].declared)["next"].as_text();
            const size_t to = find(list, next);
            if (to == list.size())
                return at == i ? wrong(fmt::format("found '{}', expected a function", next))
                               : ok_status();  // told where it stands
            if (hops == list.size())
                return wrong(
                    fmt::format("found '{}', from where packets come back, expected an "
                                "end",
                                (*list[i].declared)["next"].as_text()));
            at = to;
        }
    }
    return ok_status();
}

Status number_anew(std::vector<FunctionSpec>& list) {
    for (size_t i = 0; i < list.size(); ++i) list[i].ref = {static_cast<uint16_t>(i), 1};
    return ok_status();
}

/// Whether `principal` may call its function and all that follow it.
Status check_calls(const std::vector<FunctionSpec>& list, const NameService& names,
                   const std::string& principal, const std::string& function) {
    for (std::string name = function; !name.empty();) {
        if (auto ref = names.resolve(name, principal); !ref) return std::move(ref.error());
        name = (*list[find(list, name)].declared)["next"].as_text();
    }
    return ok_status();
}

Status bind(const Node& config, Functions& to) {
    NameService names(permissions_of(to.list));
    for (const FunctionSpec& spec : to.list)
        if (auto ref = names.load(spec.name); !ref) return std::move(ref.error());
    const auto& principals = config["principals"].items();
    if (to.principals != nullptr)
        to.by_principal.assign(to.principals->table.size(), Functions::kNone);
    for (size_t i = 0; i < principals.size(); ++i) {
        const std::string& function = principals[i]["function"].as_text();
        if (function.empty()) continue;
        if (find(to.list, function) == to.list.size())
            return Error{fmt::format(
                "principals[{}]: function: found '{}', expected one declared in functions", i,
                function)};
        const std::string& principal = principals[i]["name"].as_text();
        if (auto s = check_calls(to.list, names, principal, function); !s)
            return std::move(s.error()).within(fmt::format("principals[{}]: function", i));
        to.by_principal[index(to.principals->table.find(principal))] =
            static_cast<uint16_t>(find(to.list, function));
    }
    return ok_status();
}

Status read_list(const Node& config, const PortFacts& facts, std::vector<FunctionSpec>& out) {
    const auto& nodes = config["functions"].items();
    std::set<std::string> names;
    for (size_t i = 0; i < nodes.size(); ++i) {
        const std::string place = fmt::format("functions[{}]", i);
        auto spec = spec_of(std::make_shared<const Node>(nodes[i]));
        if (!spec) return std::move(spec.error()).within(place);
        if (!names.insert(spec->name).second)
            return Error{fmt::format("{}: name: '{}' is another's too, expected a different one",
                                     place, spec->name)};
        out.push_back(std::move(*spec));
    }
    if (nodes.size() > sched::kMaxFunctions)
        return Error{fmt::format("functions: found {}, expected at most {}", nodes.size(),
                                 sched::kMaxFunctions)};
    if (auto s = check_chains(out); !s) return s;
    if (auto s = facts.invocations == nullptr ? number_anew(out) : facts.invocations->name(out); !s)
        return s;
    for (FunctionSpec& spec : out)
        if (spec.declared->has("next"))
            spec.next = out[find(out, (*spec.declared)["next"].as_text())].ref;
    return ok_status();
}

Result<InvocationPlan> plan_of(const Node& config, const Functions& functions,
                               const PolicySnapshot& snapshot) {
    InvocationPlan plan;
    plan.principals = functions.principals;
    plan.functions = functions.list;
    for (size_t i = 0; i < functions.list.size(); ++i) {
        const FunctionSpec& spec = functions.list[i];
        auto instance = spec.type->create((*spec.declared)[spec.type->name], snapshot);
        if (!instance)
            return std::move(instance.error())
                .within(fmt::format("functions[{}]: {}", i, spec.type->name));
        plan.instances.push_back(std::move(*instance));
    }
    const Node& workers = config["workers"];
    const auto buffers = static_cast<uint32_t>(workers["buffers"].as_integer());
    plan.frames = std::min(buffers / kPartThatWaits, kMostWaiting);
    uint32_t slots = 0;
    for (const FunctionSpec& spec : functions.list)
        slots = std::max(slots, spec.ref.slot + uint32_t{1});
    plan.scheduler = {
        .functions = slots,
        .invocations = plan.frames,
        .workers = static_cast<uint32_t>(workers["count"].as_integer()),
        .cycles_per_us = std::max(static_cast<uint32_t>(cycles_of(kMicrosecond)), 1u)};
    return plan;
}

/// What of a configuration functions are made of.
Node function_part_of(const Node& config) {
    Node out = Node::map();
    for (const char* member : {"workers", "principals", "functions"})
        if (config.has(member)) out.set(member, config[member]);
    return out;
}

}  // namespace

FunctionTypes& FunctionTypes::get() {
    static FunctionTypes types;
    return types;
}

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
        const size_t there = find(list, at->first);
        const bool stays = there != list.size() && *list[there].declared == at->second.declared;
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

Result<std::shared_ptr<const Functions>> read_functions(
    const Node& config, const PortFacts& facts, const PolicySnapshot& snapshot,
    const std::shared_ptr<const Functions>& previous) {
    auto out = std::make_shared<Functions>();
    out->config = std::make_shared<const Node>(function_part_of(config));
    out->principals = snapshot.principals;
    const bool none = config["functions"].items().empty();
    if (!none && previous != nullptr && previous->principals == out->principals &&
        *previous->config == *out->config)
        return previous;
    if (auto s = read_list(config, facts, out->list); !s) return std::move(s.error());
    if (auto s = bind(config, *out); !s) return std::move(s.error());
    if (none) return std::shared_ptr<const Functions>();
    if (out->principals == nullptr)
        return Error{"functions: found without principals, expected some whose packets they get"};
    const int64_t workers =
        facts.invocations == nullptr ? 1 : config["workers"]["count"].as_integer();
    for (int64_t i = 0; i < workers; ++i) {
        auto plan = plan_of(config, *out, snapshot);
        if (!plan) return std::move(plan.error());
        if (facts.invocations != nullptr)
            out->workers.push_back(facts.invocations->make(std::move(*plan)));
    }
    if (facts.invocations != nullptr) out->serial = facts.invocations->next_serial();
    return std::shared_ptr<const Functions>(std::move(out));
}

}  // namespace ravelin
