// SPDX-License-Identifier: Apache-2.0
// What is asked of a RoutePolicy. It is built in route_build.cc.
#include <algorithm>
#include <array>
#include <iterator>

#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin {
namespace {

constexpr uint8_t kHostV4 = 32, kHostV6 = 128;

}  // namespace

const LpmEntry* RouteTable::find(const IpAddress& address) const {
    for (int length = address.is_v4() ? kHostV4 : kHostV6; length >= 0; --length) {
        const auto bits = static_cast<uint8_t>(length);
        const Prefix wanted{Prefix{address, bits}.first(), bits};
        const auto found = std::ranges::lower_bound(entries, wanted, {}, &LpmEntry::prefix);
        if (found != entries.end() && found->prefix == wanted) return &*found;
    }
    return nullptr;
}

void RoutePolicy::prefer_learned(const IpAddress* const* addresses, uint32_t* values, unsigned n,
                                 const LearnedRoutes* learned) noexcept {
    if (n == 0 || learned == nullptr || learned->empty()) return;
    LearnedRoutes::Match matches[Burst::kCapacity];
    learned->lookup_burst(addresses, matches, n);
    for (unsigned i = 0; i < n; ++i)
        if (matches[i].length > length_of(values[i]))
            values[i] = LearnedRoutes::kBase | matches[i].value;
}

// Cache misses overlap.
void RoutePolicy::look_up_sources(const Burst& burst, const LearnedRoutes* learned,
                                  uint32_t* values) const noexcept {
    unsigned v4[Burst::kCapacity], v6[Burst::kCapacity], n4 = 0, n6 = 0;
    uint32_t hosts[Burst::kCapacity], found[Burst::kCapacity];
    std::array<const IpAddress*, Burst::kCapacity> addresses_v4{}, addresses_v6{};
    for (unsigned i = 0; i < burst.count; ++i) {
        const PacketMeta& meta = burst.meta[i];
        values[i] = Lpm::kNoRoute;
        if (meta.has(PacketMeta::kIpv4)) {
            hosts[n4] = meta.source.v4_host();
            addresses_v4[n4] = &meta.source;
            v4[n4++] = i;
        } else if (meta.has(PacketMeta::kIpv6)) {
            addresses_v6[n6] = &meta.source;
            v6[n6++] = i;
        }
    }
    if (n4 != 0) table().lookup_v4_burst(hosts, found, n4);
    prefer_learned(addresses_v4.data(), found, n4, learned);
    for (unsigned k = 0; k < n4; ++k) values[v4[k]] = found[k];
    if (n6 != 0) table().lookup_v6_burst(addresses_v6.data(), found, n6);
    prefer_learned(addresses_v6.data(), found, n6, learned);
    for (unsigned k = 0; k < n6; ++k) values[v6[k]] = found[k];
}

bool RoutePolicy::forwards(uint32_t value, PortId port,
                           const LearnedRoutes* learned) const noexcept {
    if (value == Lpm::kNoRoute) return false;
    if (LearnedRoutes::is_value(value)) return learned != nullptr && learned->forwards(value, port);
    return hops_.forwards(value_of(value), port);
}

// Packets for the box and its networks' broadcasts are beyond the rules.
bool RoutePolicy::is_own(uint32_t value) const noexcept {
    const uint32_t hop = value_of(value);
    if (LearnedRoutes::is_value(value) || hop >= hops_.size()) return false;
    const RouteKind kind = hops_[hop].kind;
    return kind == RouteKind::kLocal || kind == RouteKind::kGroup || kind == RouteKind::kBroadcast;
}

uint32_t RoutePolicy::by_rules(const PacketMeta& meta, uint32_t value) const noexcept {
    if (is_own(value)) return value;
    for (uint32_t i = rules_.match(meta, 0); i != RouteRules::kNoRule;
         i = rules_.match(meta, i + 1)) {
        const RouteRules::Rule& rule = rules_[i];
        if (rule.table >= tables_.size()) return rule.value;
        const uint32_t found = tables_[rule.table].lpm.lookup(meta.destination);
        if (found != Lpm::kNoRoute) return found;
    }
    return value;
}

bool RoutePolicy::feasible(const IpAddress& address, PortId port) const noexcept {
    return std::ranges::any_of(tables_, [&](const RouteTable& table) {
        return forwards(table.lpm.lookup(address), port, nullptr);
    });
}

const NextHop* RoutePolicy::next_hop(const PacketMeta& meta,
                                     const WorkerContext& context) const noexcept {
    uint32_t value = main_.lpm.lookup(meta.destination);
    const IpAddress* address = &meta.destination;
    prefer_learned(&address, &value, 1, context.learned);
    if (has_rules() && !meta.has(PacketMeta::kLocalOrigin)) value = by_rules(meta, value);
    if (value == Lpm::kNoRoute) return nullptr;
    if (LearnedRoutes::is_value(value))
        return context.learned->hop(context.learned->choose(value, meta.hash, context));
    const uint32_t hop = hops_.choose(value_of(value), meta.hash, context);
    return hop < hops_.size() ? &hops_[hop] : nullptr;
}

RouteView RoutePolicy::view(const LpmEntry& entry, const RouteTable& table) const {
    return {.prefix = entry.prefix,
            .value = entry.value,
            .hop = hops_.members(entry.value).front().hop,
            .table = table.name};
}

RouteView RoutePolicy::lookup(const IpAddress& address) const {
    const LpmEntry* entry = main_.find(address);
    return entry != nullptr ? view(*entry, main_) : RouteView{.prefix = {address, 0}};
}

RouteView RoutePolicy::lookup(const PacketMeta& meta) const {
    const RouteView by_main = lookup(meta.destination);
    if (!has_rules() || meta.has(PacketMeta::kLocalOrigin) || is_own(by_main.value)) return by_main;
    for (uint32_t i = rules_.match(meta, 0); i != RouteRules::kNoRule;
         i = rules_.match(meta, i + 1)) {
        const RouteRules::Rule& rule = rules_[i];
        if (rule.table >= tables_.size())
            return {.prefix = {IpAddress{}, 0},
                    .value = rule.value,
                    .hop = hops_.members(rule.value).front().hop,
                    .rule = rule.name};
        const RouteTable& table = tables_[rule.table];
        if (const LpmEntry* entry = table.find(meta.destination); entry != nullptr) {
            RouteView out = view(*entry, table);
            out.rule = rule.name;
            return out;
        }
    }
    return by_main;
}

std::vector<RouteView> RoutePolicy::list(size_t limit) const {
    std::vector<RouteView> out;
    const auto add = [&](const RouteTable& table) {
        for (const LpmEntry& entry : table.entries) {
            if (out.size() == limit) return;
            out.push_back(view(entry, table));
        }
    };
    add(main_);
    for (const RouteTable& table : tables_) add(table);
    return out;
}

size_t RoutePolicy::size() const {
    size_t n = main_.entries.size();
    for (const RouteTable& table : tables_) n += table.entries.size();
    return n;
}

size_t RoutePolicy::memory_bytes() const {
    size_t bytes = sizeof *this + hops_.memory_bytes() + rules_.memory_bytes();
    const auto add = [&](const RouteTable& table) {
        bytes += table.lpm.memory_bytes() + table.entries.capacity() * sizeof(LpmEntry);
    };
    add(main_);
    for (const RouteTable& table : tables_) add(table);
    return bytes;
}

}  // namespace ravelin
