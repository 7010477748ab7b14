// SPDX-License-Identifier: Apache-2.0
#include "dataplane/principals.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "dataplane/sched/pace.h"
#include "dataplane/tsc.h"

namespace ravelin {
namespace {

using config::Node;
using sched::PrincipalId;

constexpr uint64_t kBitsAByte = 8, kNsPerSecond = 1'000'000'000;
// What TCP needs to come near its cap, and a burst of large segments.
constexpr uint64_t kBurstNs = 50'000'000, kLeastBurst = 32768;

// Each worker has its own, so nobody waits for another's count.
sched::Rate share_of(uint64_t bytes_per_s, uint64_t workers) {
    const auto second = sched::Wide{kNsPerSecond * workers} << 24;
    sched::Rate rate;
    rate.cost = static_cast<uint64_t>(second / bytes_per_s);
    rate.burst = std::max(kBurstNs << 8, kLeastBurst * rate.cost >> 16);
    return rate;
}

/// The next one above it of whom `has` says so, else kNoPrincipal.
template <typename Has>
PrincipalId next_above(PrincipalId id, const Principals& of, const Has& has) {
    PrincipalId up = of.table[id].parent;
    while (up != sched::kNoPrincipal && !has(up)) up = of.table[up].parent;
    return up;
}

void take_rates(uint64_t workers, Principals& to) {
    const auto cap = [&](PrincipalId id) { return to.table[id].caps.bytes_per_s; };
    std::vector<sched::Rate> rates(to.table.size());
    bool any = false;
    for (uint32_t i = 0; i < to.table.size(); ++i) {
        const PrincipalId id{i};
        if (cap(id) != 0) rates[i] = share_of(cap(id), workers);
        any |= cap(id) != 0;
        rates[i].above = next_above(id, to, [&](PrincipalId up) { return cap(up) != 0; });
    }
    if (any) to.rates = std::move(rates);
}

// Time to pay back is of the worker's clock, so a part of its time is all there is to know. 0:
// neither cap; at most the whole, which nobody uses more of.
uint32_t part_of(uint64_t percent, uint64_t cycles_per_s, uint64_t workers) {
    constexpr sched::Wide kWhole = 1 << 24;
    constexpr uint64_t kPercent = 100;
    if (percent == 0 && cycles_per_s == 0) return 0;
    sched::Wide part = kWhole;
    if (percent != 0) part = std::min(part, kWhole * percent / kPercent / workers);
    if (cycles_per_s != 0) part = std::min(part, kWhole * cycles_per_s / tsc_hz() / workers);
    return static_cast<uint32_t>(std::max<sched::Wide>(part, 1));
}

/// The caps on `what` by id. Error: one is more than the next one above with one has.
struct Capped {
    std::vector<uint64_t> cap;
    bool any = false;
};
Result<Capped> caps_on(const char* what, const Principals& of) {
    const auto& declared = of.declared->items();
    Capped out{std::vector<uint64_t>(of.table.size())};
    for (const Node& node : declared) {
        const auto cap = static_cast<uint64_t>(node["caps"][what].as_integer());
        out.cap[index(of.table.find(node["name"].as_text()))] = cap;
        out.any |= cap != 0;
    }
    const auto has = [&](PrincipalId id) { return out.cap[index(id)] != 0; };
    for (size_t i = 0; i < declared.size(); ++i) {
        const PrincipalId id = of.table.find(declared[i]["name"].as_text()),
                          up = next_above(id, of, has);
        if (up != sched::kNoPrincipal && out.cap[index(id)] > out.cap[index(up)])
            return Error{fmt::format(
                "principals[{}]: caps: {}: found {}, expected at most {}, which '{}' has", i, what,
                out.cap[index(id)], out.cap[index(up)], of.table[up].name)};
    }
    return out;
}

Status take_cpu(uint64_t workers, Principals& to) {
    constexpr uint64_t kBurstsASecond = 20;
    const auto percent = caps_on("cpu", to), cycles = caps_on("cycles", to);
    if (!percent) return percent.error();
    if (!cycles) return cycles.error();
    if (!percent->any && !cycles->any) return ok_status();
    to.cpu.resize(to.table.size());
    for (uint32_t i = 0; i < to.table.size(); ++i) {
        Principals::CpuShare& share = to.cpu[i];
        share.part = part_of(percent->cap[i], cycles->cap[i], workers);
        share.burst = tsc_hz() / kBurstsASecond * share.part >> 24;
    }
    const auto has = [&](PrincipalId id) { return to.cpu[index(id)].part != 0; };
    for (uint32_t i = 0; i < to.table.size(); ++i) {
        const PrincipalId id{i};
        to.cpu[i].above = next_above(id, to, has);
        if (has(id) || to.cpu[i].above != sched::kNoPrincipal) to.cpu_counted.push_back(id);
    }
    return ok_status();
}

Status take_memory(Principals& to) {
    const auto caps = caps_on("memory", to);
    if (!caps) return caps.error();
    if (!caps->any) return ok_status();
    to.by_memory.resize(to.table.size());
    for (const Node& node : to.declared->items()) {
        const auto flows = static_cast<uint64_t>(node["caps"]["flows"].as_integer());
        const PrincipalId id = to.table.find(node["name"].as_text());
        const uint64_t cap = caps->cap[index(id)];
        to.by_memory[index(id)] = cap != 0 && (flows == 0 || cap / kFlowBytes < flows);
    }
    return ok_status();
}

/// As many as both of its caps let; 0: it has none.
uint32_t flows_of(const Node& caps) {
    const auto flows = static_cast<uint64_t>(caps["flows"].as_integer());
    const uint64_t memory = std::min<uint64_t>(
        static_cast<uint64_t>(caps["memory"].as_integer()) / kFlowBytes, UINT32_MAX);
    if (flows == 0 || memory == 0) return static_cast<uint32_t>(std::max(flows, memory));
    return static_cast<uint32_t>(std::min(flows, memory));
}

std::vector<sched::PrincipalSpec> specs_of(const Node& declared) {
    std::vector<sched::PrincipalSpec> out;
    for (const Node& node : declared.items()) {
        sched::PrincipalSpec spec;
        spec.name = node["name"].as_text();
        spec.weight = static_cast<uint32_t>(node["weight"].as_integer());
        spec.caps.bytes_per_s =
            static_cast<uint64_t>(node["caps"]["bandwidth"].as_integer()) / kBitsAByte;
        spec.caps.flows = flows_of(node["caps"]);
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

uint64_t Principals::next_serial() noexcept {
    static std::atomic<uint64_t> last{0};
    return ++last;
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
    const auto workers = static_cast<uint64_t>((*config)["workers"]["count"].as_integer());
    take_rates(workers, *out);
    if (auto s = take_cpu(workers, *out); !s) return std::move(s.error());
    if (auto s = take_memory(*out); !s) return std::move(s.error());
    if (specs.empty()) return std::shared_ptr<const Principals>();
    if (previous != nullptr && *previous->declared == *out->declared &&
        previous->ports == out->ports && previous->flows == flows)
        return previous;
    if (flows != nullptr) flows->take_order(out->table);
    return std::shared_ptr<const Principals>(std::move(out));
}

}  // namespace ravelin
