// SPDX-License-Identifier: Apache-2.0
// What decides about a rule once the classifier has found it: header fields it has no dimension
// for, then rates, then numbers of live flows; in this order, so that only a packet that meets all
// the rest of a rule costs a token.
#include <fmt/format.h>

#include <algorithm>

#include "dataplane/source_counts.h"
#include "dataplane/tcp_tracker.h"
#include "pipelines/stages/firewall_build.h"

namespace ravelin::firewall {
namespace {

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
    ask.limited = true;
    ask.no_room |= verdict == LimitTable::Verdict::kNoRoom;
    return (verdict == LimitTable::Verdict::kWithin) != limit.spec().over;
}

// A compiled rule either counts its flows or does not: a live one cannot make it begin.
Result<uint32_t> counted_beside(const std::string& of, const NamedRule& rule,
                                const FirewallTables& tables) {
    const auto place = tables.place_of.find(of);
    if (place != tables.place_of.end() && tables.order[place->second].counted)
        return tables.order[place->second].slot;
    return Error{
        fmt::format("rule '{}': connections.of: found '{}', expected a rule whose flows are "
                    "counted already; write both into the configuration and apply it",
                    rule.name, of)};
}

// The rule whose flows count for `rule`.
Result<uint32_t> counted_slot(std::span<const NamedRule> named, const NamedRule& rule,
                              const FirewallTables* beside) {
    const std::string& of = rule.extra.connections.of;
    if (of.empty()) return rule.slot;
    const auto found = std::ranges::find(named, of, &NamedRule::name);
    if (found != named.end() && found->action == Action::kAccept && found->stateful)
        return found->slot;
    if (found == named.end() && beside != nullptr) return counted_beside(of, rule, *beside);
    return Error{fmt::format(
        "rule '{}': connections.of: found '{}', expected a rule that accepts and is stateful",
        rule.name, of)};
}

std::shared_ptr<LimitTable> table_for(const LimitSpec& spec, uint32_t slot,
                                      LimitTables RuleTables::*of, const KeptTables& kept) {
    for (const RuleTables* tables : kept)
        for (const auto& [old_slot, table] : tables->*of)
            if (old_slot == slot && table->spec() == spec) return table;
    return std::make_shared<LimitTable>(spec);
}

}  // namespace

bool RuleTables::extra_holds(const CompiledRule& rule, const RuleKey& key, int hop_limit,
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

Result<std::vector<uint32_t>> add_extras(RuleTables& to, std::vector<uint32_t>& counted,
                                         std::span<const NamedRule> named,
                                         const BuildContext& context) {
    std::vector<uint32_t> of_rule(named.size(), 0);
    size_t bytes = context.beside == nullptr ? 0 : context.beside->rules.limit_bytes();
    for (size_t i = 0; i < named.size(); ++i) {
        const RuleExtra& from = named[i].extra;
        if (from.empty()) continue;
        CompiledExtra extra{.conditions = from.conditions};
        if (from.limit) {
            const uint32_t slot = named[i].slot;
            to.limits.emplace_back(slot,
                                   table_for(*from.limit, slot, &RuleTables::limits, context.kept));
            extra.limit = to.limits.back().second.get();
            bytes += extra.limit->memory_bytes();
        }
        if (from.connections.per_source != 0) {
            auto slot = counted_slot(named, named[i], context.beside);
            if (!slot) return std::move(slot.error());
            extra.per_source = from.connections.per_source;
            extra.over = from.connections.over;
            extra.counted_slot = *slot;
            counted.push_back(*slot);
        }
        to.extras.push_back(extra);
        of_rule[i] = static_cast<uint32_t>(to.extras.size());
    }
    if (bytes > kMostLimitBytes)
        return Error{
            fmt::format("limits of rules take {} MiB, expected at most {}; lower their size",
                        bytes >> 20, kMostLimitBytes >> 20)};
    std::ranges::sort(counted);
    return of_rule;
}

const CompiledProxy* add_proxy(RuleTables& to, const NamedRule& rule, const KeptTables& kept) {
    if (!rule.proxy) return nullptr;
    auto proxy = std::make_unique<CompiledProxy>(CompiledProxy{.spec = *rule.proxy});
    if (const auto& above = rule.proxy->above) {
        to.proxy_rates.emplace_back(rule.slot,
                                    table_for(*above, rule.slot, &RuleTables::proxy_rates, kept));
        proxy->above = to.proxy_rates.back().second.get();
    }
    return to.proxies.emplace_back(std::move(proxy)).get();
}

size_t RuleTables::limit_bytes() const {
    size_t bytes = extras.capacity() * sizeof(CompiledExtra) +
                   proxies.size() * (sizeof(CompiledProxy) + sizeof proxies[0]);
    for (const auto& [slot, table] : proxy_rates) bytes += table->memory_bytes();
    for (const auto& [slot, table] : limits) bytes += table->memory_bytes();
    return bytes;
}

}  // namespace ravelin::firewall
