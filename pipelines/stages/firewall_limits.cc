// SPDX-License-Identifier: Apache-2.0
// What decides about a rule once the classifier has found it: header fields it has no dimension
// for, then rates, then numbers of live flows; in this order, so that only a packet that meets all
// the rest of a rule costs a token.
#include <fmt/format.h>

#include <algorithm>

#include "dataplane/source_counts.h"
#include "dataplane/tcp_tracker.h"
#include "pipelines/stages/firewall_policy.h"

namespace ravelin::firewall {
namespace {

constexpr size_t kMostLimitBytes = size_t{1} << 30;
constexpr unsigned kEcnFlags = kTcpEce | kTcpCwr;

bool flags_hold(const Conditions& c, unsigned flags, unsigned known) noexcept {
    return ((flags ^ c.tcp_flags) & c.tcp_mask & known) == 0;
}

bool is(Conditions::Wanted wanted, bool found) noexcept {
    return wanted == Conditions::Wanted::kAny || (wanted == Conditions::Wanted::kYes) == found;
}

bool headers_hold(const Conditions& c, const PacketMeta& m) noexcept {
    const bool no_header = m.has(PacketMeta::kLaterFragment);
    if (c.tcp_mask != 0 && (no_header || !flags_hold(c, m.tcp_flags, 0xff))) return false;
    return (c.dscp >> (m.tos >> 2) & 1) != 0 && m.l3_total >= c.shortest &&
           m.l3_total <= c.longest && is(c.fragment, m.has(PacketMeta::kFragment)) &&
           is(c.options, m.has(PacketMeta::kIpOptions));
}

// Whether the flow's first packet can have met it; the flow remembers of that only the SYN.
bool may_have_held(const Conditions& c, bool unknown) noexcept {
    if (!flags_hold(c, kTcpSyn, 0xff & ~kEcnFlags)) return false;
    Conditions rest = c;
    rest.tcp_flags = rest.tcp_mask = 0;
    rest.hops = Conditions{}.hops;
    return unknown || rest == Conditions{};
}

bool hops_hold(const Conditions& c, int hop_limit, bool unknown) noexcept {
    if (c.hops == Conditions{}.hops) return true;
    if (hop_limit < 0) return unknown;
    const auto hops = static_cast<unsigned>(hop_limit) & 0xff;
    return (c.hops[hops / 64] >> (hops % 64) & 1) != 0;
}

bool limit_holds(LimitTable& limit, const RuleKey& key, Ask& ask) noexcept {
    const auto verdict = limit.check(key.source, key.destination, key.packet->l3_total, ask.now_ns,
                                     ask.take != Ask::Take::kNothing);
    ask.no_room |= verdict == LimitTable::Verdict::kNoRoom;
    return (verdict == LimitTable::Verdict::kWithin) != limit.spec().over;
}

// The rule whose flows count for `of`.
Result<uint32_t> counted_slot(std::span<const NamedRule> named, const NamedRule& rule) {
    const std::string& of = rule.extra.connections.of;
    if (of.empty()) return rule.slot;
    const auto found = std::ranges::find(named, of, &NamedRule::name);
    if (found == named.end() || found->action != Action::kAccept || !found->stateful)
        return Error{fmt::format(
            "rule '{}': connections.of: found '{}', expected a rule that accepts and is stateful",
            rule.name, of)};
    return found->slot;
}

// A limit that stays as it was keeps its buckets, or every change would be a burst for everybody.
using Tables = std::vector<std::pair<uint32_t, std::shared_ptr<LimitTable>>>;
std::shared_ptr<LimitTable> table_for(const LimitSpec& spec, uint32_t slot,
                                      const Tables* previous) {
    if (previous != nullptr)
        for (const auto& [old_slot, table] : *previous)
            if (old_slot == slot && table->spec() == spec) return table;
    return std::make_shared<LimitTable>(spec);
}

}  // namespace

bool FirewallPolicy::extra_holds(const CompiledRule& rule, const RuleKey& key, int hop_limit,
                                 Ask& ask) const noexcept {
    const CompiledExtra& extra = extras[rule.extra - 1];
    const bool unknown = rule.action == Action::kAccept;
    if (!hops_hold(extra.conditions, hop_limit, unknown)) return false;
    if (key.packet == nullptr) {
        const bool limited = extra.limit != nullptr || extra.per_source != 0;
        return may_have_held(extra.conditions, unknown) && (unknown || !limited);
    }
    if (!headers_hold(extra.conditions, *key.packet)) return false;
    if (extra.limit != nullptr && !limit_holds(*extra.limit, key, ask)) return false;
    if (extra.per_source == 0) return true;
    if (ask.counts == nullptr) return extra.over;
    const bool own = extra.counted_slot == rule.slot && !extra.over;
    if (own && ask.take == Ask::Take::kFlow)
        return ask.counted = ask.counts->acquire(key.source, rule.slot, extra.per_source);
    const bool within = ask.counts->count(key.source, extra.counted_slot) < extra.per_source;
    return within != extra.over;
}

Status FirewallPolicy::add_extras(std::span<const NamedRule> named, const FirewallPolicy* previous,
                                  std::vector<uint32_t>& of_rule) {
    of_rule.assign(named.size(), 0);
    size_t bytes = 0;
    for (size_t i = 0; i < named.size(); ++i) {
        const RuleExtra& from = named[i].extra;
        if (from.empty()) continue;
        CompiledExtra to{.conditions = from.conditions};
        if (from.limit) {
            const Tables* before = previous != nullptr ? &previous->limits : nullptr;
            limits.emplace_back(named[i].slot, table_for(*from.limit, named[i].slot, before));
            to.limit = limits.back().second.get();
            bytes += to.limit->memory_bytes();
        }
        if (from.connections.per_source != 0) {
            auto slot = counted_slot(named, named[i]);
            if (!slot) return std::move(slot.error());
            to.per_source = from.connections.per_source;
            to.over = from.connections.over;
            to.counted_slot = *slot;
            counted_slots.push_back(*slot);
        }
        extras.push_back(to);
        of_rule[i] = static_cast<uint32_t>(extras.size());
    }
    if (bytes > kMostLimitBytes)
        return Error{
            fmt::format("limits of rules take {} MiB, expected at most {}; lower their size",
                        bytes >> 20, kMostLimitBytes >> 20)};
    std::ranges::sort(counted_slots);
    return ok_status();
}

uint32_t FirewallPolicy::add_proxy(const NamedRule& rule, const FirewallPolicy* previous) {
    if (!rule.proxy) return 0;
    CompiledProxy to{.spec = *rule.proxy};
    if (to.spec.above) {
        const Tables* before = previous != nullptr ? &previous->proxy_rates : nullptr;
        proxy_rates.emplace_back(rule.slot, table_for(*to.spec.above, rule.slot, before));
        to.above = proxy_rates.back().second.get();
    }
    proxies.push_back(to);
    return static_cast<uint32_t>(proxies.size());
}

size_t FirewallPolicy::limit_bytes() const {
    size_t bytes =
        extras.capacity() * sizeof(CompiledExtra) + proxies.capacity() * sizeof(CompiledProxy);
    for (const auto& [slot, table] : proxy_rates) bytes += table->memory_bytes();
    for (const auto& [slot, table] : limits) bytes += table->memory_bytes();
    return bytes;
}

}  // namespace ravelin::firewall
