// SPDX-License-Identifier: Apache-2.0
#include "dataplane/principals.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "dataplane/sched/pace.h"

namespace ravelin {
namespace {

using config::Node;
using sched::PrincipalId;

constexpr uint64_t kBitsAByte = 8, kNsPerSecond = 1'000'000'000;
// What TCP needs to come near its cap, and a burst of large segments.
constexpr uint64_t kBurstNs = 50'000'000, kLeastBurst = 32768;

// Each worker has its own, so nobody waits for another's count.
Principals::Rate share_of(uint64_t bytes_per_s, uint64_t workers) {
    const auto second = sched::Wide{kNsPerSecond * workers} << 24;
    Principals::Rate rate;
    rate.cost = static_cast<uint64_t>(second / bytes_per_s);
    rate.burst = std::max(kBurstNs << 8, kLeastBurst * rate.cost >> 16);
    return rate;
}

void take_rates(uint64_t workers, Principals& to) {
    const auto cap = [&](PrincipalId id) { return to.table[id].caps.bytes_per_s; };
    std::vector<Principals::Rate> rates(to.table.size());
    bool any = false;
    for (uint32_t i = 0; i < to.table.size(); ++i) {
        const PrincipalId id{i};
        if (cap(id) != 0) rates[i] = share_of(cap(id), workers);
        any |= cap(id) != 0;
        PrincipalId up = to.table[id].parent;
        while (up != sched::kNoPrincipal && cap(up) == 0) up = to.table[up].parent;
        rates[i].above = up;
    }
    if (any) to.rates = std::move(rates);
}

std::vector<sched::PrincipalSpec> specs_of(const Node& declared) {
    std::vector<sched::PrincipalSpec> out;
    for (const Node& node : declared.items()) {
        sched::PrincipalSpec spec;
        spec.name = node["name"].as_text();
        spec.weight = static_cast<uint32_t>(node["weight"].as_integer());
        spec.caps.bytes_per_s =
            static_cast<uint64_t>(node["caps"]["bandwidth"].as_integer()) / kBitsAByte;
        spec.caps.flows = static_cast<uint32_t>(node["caps"]["flows"].as_integer());
        out.push_back(std::move(spec));
    }
    return out;
}

Status bind_prefixes(const Node& declared, Principals& to) {
    std::unordered_map<std::string, PrincipalId> seen;
    for (size_t i = 0; i < declared.items().size(); ++i) {
        const Node& node = declared.items()[i];
        const PrincipalId id = to.table.find(node["name"].as_text());
        for (const Prefix& prefix : node["prefixes"].as_prefixes()) {
            const auto [other, fresh] = seen.try_emplace(prefix.to_string(), id);
            if (!fresh && other->second != id)
                return Error{fmt::format(
                    "principals[{}]: prefixes: {} is bound to '{}' too, expected one principal", i,
                    prefix.to_string(), to.table[other->second].name)};
            if (fresh) to.prefixes.push_back({prefix, id});
        }
    }
    return ok_status();
}

Status bind_ports(const Node& ports, Principals& to) {
    for (size_t i = 0; i < ports.items().size(); ++i) {
        const std::string& name = ports.items()[i]["principal"].as_text();
        to.ports.push_back(name.empty() ? sched::kNoPrincipal : to.table.find(name));
        if (auto wrong = undeclared(name, *to.declared))
            return std::move(*wrong).within(fmt::format("ports[{}]", i));
    }
    return ok_status();
}

}  // namespace

std::optional<Error> undeclared(const std::string& name, const Node& principals) {
    const auto declares = [&](const Node& node) {
        const std::string& declared = node["name"].as_text();
        return declared == name || declared.starts_with(name + '/');
    };
    if (name.empty() || std::ranges::any_of(principals.items(), declares)) return std::nullopt;
    return Error{fmt::format("principal: found '{}', expected one declared in principals", name)};
}

const std::string& Principals::name(uint32_t id) const {
    static const std::string nobody;
    return id < table.size() ? table[PrincipalId{id}].name : nobody;
}

Result<std::shared_ptr<const Principals>> read_principals(
    const std::shared_ptr<const Node>& config, const std::shared_ptr<const Principals>& previous,
    PrincipalFlows* flows) {
    auto out = std::make_shared<Principals>();
    out->declared = std::make_shared<const Node>((*config)["principals"]);
    out->flows = flows;
    const auto specs = specs_of(*out->declared);
    const auto held = [&](PrincipalId id) { return flows != nullptr && flows->all(id) != 0; };
    auto table =
        sched::PrincipalTable::build(specs, previous == nullptr ? nullptr : &previous->table, held);
    if (!table) return std::move(table.error());
    out->table = std::move(*table);
    if (auto s = bind_ports((*config)["ports"], *out); !s) return std::move(s.error());
    if (auto s = bind_prefixes(*out->declared, *out); !s) return std::move(s.error());
    take_rates(static_cast<uint64_t>((*config)["workers"]["count"].as_integer()), *out);
    if (specs.empty()) return std::shared_ptr<const Principals>();
    if (previous != nullptr && *previous->declared == *out->declared &&
        previous->ports == out->ports && previous->flows == flows)
        return previous;
    if (flows != nullptr) flows->take_order(out->table);
    return std::shared_ptr<const Principals>(std::move(out));
}

}  // namespace ravelin
