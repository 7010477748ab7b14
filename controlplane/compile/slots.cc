// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/slots.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "pipelines/stages/firewall_rules.h"

namespace ravelin::control {
namespace {

using Json = nlohmann::json;
constexpr uint32_t kSlots = firewall::kReservedSlots;

std::optional<uint64_t> number(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<uint64_t>();
}

std::optional<RuleSlot> rule_of(const Json& entry) {
    if (!entry.is_object()) return std::nullopt;
    const auto slot = number(entry, "slot"), since = number(entry, "since"),
               packets = number(entry, "packets"), bytes = number(entry, "bytes"),
               segment = number(entry, "segment"), gone = number(entry, "gone");
    if (!slot || *slot >= kSlots || !since || !packets || !bytes || !segment || !gone)
        return std::nullopt;
    return RuleSlot{static_cast<uint32_t>(*slot), *since, {*packets, *bytes}, *segment, *gone};
}

}  // namespace

Result<SlotMap> SlotMap::parse(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("rules") || !json["rules"].is_object())
        return Error{"is not a slot map"};
    SlotMap map;
    std::set<uint32_t> used;
    for (const auto& [name, entry] : json["rules"].items()) {
        const auto rule = rule_of(entry);
        if (!rule) return Error{fmt::format("rule '{}': is no slot entry", name)};
        if (!used.insert(rule->slot).second)
            return Error{fmt::format("rule '{}': another rule has slot {}", name, rule->slot)};
        map.rules_[name] = *rule;
        map.fresh_ = std::max(map.fresh_, rule->slot + 1);
        map.departures_ = std::max(map.departures_, rule->gone);
    }
    return map;
}

std::string SlotMap::to_json() const {
    Json rules = Json::object();
    for (const auto& [name, rule] : rules_)
        rules[name] = {{"slot", rule.slot},
                       {"since", rule.since_generation},
                       {"packets", rule.baseline.packets},
                       {"bytes", rule.baseline.bytes},
                       {"segment", rule.baseline_segment},
                       {"gone", rule.gone}};
    return Json{{"rules", std::move(rules)}}.dump(1) + "\n";
}

Result<std::vector<uint32_t>> SlotMap::propose(std::span<const std::string> names) const {
    if (names.size() > kSlots)
        return Error{fmt::format("{} rules, at most {} have hit counters", names.size(), kSlots)};
    const std::set<std::string_view> wanted(names.begin(), names.end());
    std::vector<std::pair<uint64_t, uint32_t>> free;  // when it went, slot
    for (const auto& [name, rule] : rules_)
        if (!wanted.contains(name))
            free.emplace_back(rule.gone == 0 ? UINT64_MAX : rule.gone, rule.slot);
    std::ranges::sort(free);
    std::vector<uint32_t> slots;
    uint32_t fresh = fresh_;
    size_t reused = 0;
    for (const std::string& name : names) {
        const auto known = rules_.find(name);
        if (known != rules_.end())
            slots.push_back(known->second.slot);
        else if (fresh < kSlots)
            slots.push_back(fresh++);
        else if (reused < free.size())
            slots.push_back(free[reused++].second);
        else
            return Error{fmt::format("more than {} rules", kSlots)};
    }
    return slots;
}

Result<uint32_t> SlotMap::propose(const std::string& name) const {
    if (const RuleSlot* known = find(name)) return known->slot;
    if (fresh_ < kSlots) return fresh_;
    return Error{fmt::format("rule '{}': no slot was never used", name)};
}

void SlotMap::adopt(std::span<const SlottedRule> rules, uint64_t generation, const ReadSlot& read) {
    std::map<uint32_t, std::string_view> owner;
    for (const SlottedRule& rule : rules) owner[rule.slot] = rule.name;
    ++departures_;
    for (auto at = rules_.begin(); at != rules_.end();) {
        const auto now = owner.find(at->second.slot);
        const bool taken = now != owner.end() && now->second != at->first;
        if (now == owner.end() && at->second.gone == 0) at->second.gone = departures_;
        at = taken ? rules_.erase(at) : std::next(at);
    }
    for (const SlottedRule& rule : rules) enter(rule, generation, read);
}

void SlotMap::enter(const SlottedRule& rule, uint64_t generation, const ReadSlot& read) {
    fresh_ = std::max(fresh_, rule.slot + 1);
    RuleSlot& entry = rules_.try_emplace(rule.name).first->second;
    const bool kept = entry.since_generation != 0 && entry.slot == rule.slot;
    entry.gone = 0;
    if (kept) return;
    const Reading now = read ? read(rule.slot) : Reading{};
    entry = {rule.slot, generation, now.counter, now.segment, 0};
}

void SlotMap::come(const SlottedRule& rule, uint64_t generation, const ReadSlot& read) {
    const RuleSlot* known = find(rule.name);
    const bool had_it = known != nullptr && known->slot == rule.slot;
    if (rule.slot < fresh_ && !had_it)
        std::erase_if(rules_, [&](const auto& other) { return other.second.slot == rule.slot; });
    enter(rule, generation, read);
}

void SlotMap::go(std::string_view name) {
    if (const auto rule = rules_.find(name); rule != rules_.end() && rule->second.gone == 0)
        rule->second.gone = ++departures_;
}

const RuleSlot* SlotMap::find(std::string_view name) const {
    const auto found = rules_.find(name);
    return found == rules_.end() ? nullptr : &found->second;
}

RuleCounter since_baseline(RuleCounter counter, uint64_t segment, const RuleSlot& rule) {
    if (segment != rule.baseline_segment) return counter;
    return {counter.packets - std::min(counter.packets, rule.baseline.packets),
            counter.bytes - std::min(counter.bytes, rule.baseline.bytes)};
}

}  // namespace ravelin::control
