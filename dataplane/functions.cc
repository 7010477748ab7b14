// SPDX-License-Identifier: Apache-2.0
#include "dataplane/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "dataplane/function_plan.h"
#include "dataplane/paced_ports.h"
#include "dataplane/reservations.h"
#include "dataplane/sched/name_service.h"

namespace ravelin {
namespace {

using config::Node;
using sched::NameService;

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
                  .max_run = cycles_in(number("max-run")),
                  .queue = static_cast<uint32_t>(number("queue")),
                  .drop_stale = (*node)["drop-late"].as_bool(),
                  .passes_on = node->has("next")};
    out.deadline_ns = number("deadline");
    out.worker = worker_of(*node);
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
    if (to.principals != nullptr) {
        to.by_principal.assign(to.principals->table.size(), Functions::kNone);
        for (uint32_t i = 0; i < to.principals->table.size(); ++i)
            to.payers.push_back(sched::PrincipalId{i});
    }
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

/// Workers stay as many as they are while the data plane runs.
Status check_worker(const FunctionSpec& spec, const Node& config) {
    const auto workers = static_cast<WorkerId>(config["workers"]["count"].as_integer());
    if (spec.worker == kAnyWorker || spec.worker < workers) return ok_status();
    return Error{fmt::format("worker: found {}, expected {}, as there {}", spec.worker,
                             workers == 1 ? "0" : fmt::format("0 to {}", workers - 1),
                             workers == 1 ? "is one worker" : fmt::format("are {}", workers))};
}

Status read_list(const Node& config, const PortFacts& facts, const Functions* previous,
                 std::vector<FunctionSpec>& out) {
    const auto& nodes = config["functions"].items();
    std::set<std::string> names;
    for (size_t i = 0; i < nodes.size(); ++i) {
        const std::string place = fmt::format("functions[{}]", i);
        auto spec = spec_of(std::make_shared<const Node>(nodes[i]));
        if (!spec) return std::move(spec.error()).within(place);
        if (auto s = check_worker(*spec, config); !s) return std::move(s.error()).within(place);
        if (!names.insert(spec->name).second)
            return Error{fmt::format("{}: name: '{}' is another's too, expected a different one",
                                     place, spec->name)};
        out.push_back(std::move(*spec));
    }
    if (nodes.size() > sched::kMaxFunctions)
        return Error{fmt::format("functions: found {}, expected at most {}", nodes.size(),
                                 sched::kMaxFunctions)};
    if (auto s = check_chains(out); !s) return s;
    InvocationKeeper trial;
    (facts.invocations != nullptr ? *facts.invocations : trial).name(out, previous);
    for (FunctionSpec& spec : out)
        if (spec.declared->has("next"))
            spec.next = out[find(out, (*spec.declared)["next"].as_text())].ref;
    return ok_status();
}

std::vector<CyclePromise> promises_of(const std::vector<Reservation>& reservations,
                                      const Principals& principals) {
    std::vector<CyclePromise> out;
    for (const Reservation& one : reservations)
        for (const ReservedPart& part : one.parts)
            if (part.contract.work != 0) {
                // As admitted: each run spends its surroundings of it too.
                sched::Contract contract = part.contract;
                contract.work += part.around();
                out.push_back({principals.table.find(one.principal), contract, part.worker,
                               one.cycles.deadline_ns});
            }
    std::ranges::sort(out, {}, [](const CyclePromise& one) {  // whichever came first
        return std::pair(one.principal, one.worker);
    });
    return out;
}

/// What waits under another's name from before goes on there.
void share(const std::vector<Reservation>& reservations, Functions& to) {
    const sched::PrincipalTable& table = to.principals->table;
    for (const Reservation& one : reservations)
        if (!one.payer.empty()) to.payers[index(table.find(one.principal))] = table.find(one.payer);
}

bool alike(const Functions& a, const Functions& b) {
    if (a.principals != b.principals || a.promises != b.promises || a.payers != b.payers)
        return false;
    return std::ranges::all_of(std::array{"workers", "functions", "principals"}, [&](auto member) {
        return (*a.config)[member] == (*b.config)[member];
    });
}

/// Where nothing has changed but the reservations of ports, the workers' are those of `previous`.
Result<std::shared_ptr<const Functions>> make(std::shared_ptr<Functions> out,
                                              const PortFacts& facts,
                                              const PolicySnapshot& snapshot,
                                              const std::shared_ptr<const Functions>& previous) {
    const Node& config = *out->config;
    if (auto s = read_list(config, facts, previous.get(), out->list); !s)
        return std::move(s.error());
    if (auto s = bind(config, *out); !s) return std::move(s.error());
    if (out->list.empty()) return std::shared_ptr<const Functions>();
    if (out->principals == nullptr)
        return Error{"functions: found without principals, expected some whose packets they get"};
    const auto reservations = read_reservations(config, out->live != nullptr ? *out->live : Node());
    if (!reservations) return reservations.error();
    out->promises = promises_of(*reservations, *out->principals);
    share(*reservations, *out);
    const bool same = previous != nullptr && alike(*previous, *out);
    const bool kept = facts.invocations != nullptr;
    if (same) out->workers = previous->workers;
    const bool alone = std::ranges::any_of(
        out->promises, [](const CyclePromise& one) { return one.worker != kAnyWorker; });
    const int64_t count = kept || alone ? config["workers"]["count"].as_integer() : 1;
    for (WorkerId i = 0; i < (same ? 0 : count); ++i) {
        auto plan = plan_of(config, *out, i, snapshot);
        if (!plan) return std::move(plan.error());
        if (kept) out->workers.push_back(facts.invocations->make(std::move(*plan)));
    }
    if (kept) out->serial = same ? previous->serial : facts.invocations->next_serial();
    return std::shared_ptr<const Functions>(std::move(out));
}

}  // namespace

FunctionTypes& FunctionTypes::get() {
    static FunctionTypes types;
    return types;
}

Result<std::shared_ptr<const Functions>> read_functions(
    const Node& config, const PortFacts& facts, const PolicySnapshot& snapshot,
    const std::shared_ptr<const Functions>& previous) {
    auto out = std::make_shared<Functions>();
    out->config = std::make_shared<const Node>(link_part_of(config));
    if (previous != nullptr) out->live = previous->live;
    out->principals = snapshot.principals;
    return make(std::move(out), facts, snapshot, previous);
}

Result<std::shared_ptr<const Functions>> functions_with_live(const PolicySnapshot& policy,
                                                             const PortFacts& facts,
                                                             const Node& live) {
    if (policy.functions == nullptr) {
        if (std::ranges::none_of(live.items(), [](const Node& one) { return one.has("cpu"); }))
            return policy.functions;
        return Error{"no functions are declared, so no cycles can be reserved"};
    }
    auto out = std::make_shared<Functions>();
    out->config = policy.functions->config;
    if (!live.items().empty()) out->live = std::make_shared<const Node>(live);
    out->principals = policy.functions->principals;
    return make(std::move(out), facts, policy, policy.functions);
}

}  // namespace ravelin
