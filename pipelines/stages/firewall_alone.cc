// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_alone.h"

#include "dataplane/net/headers.h"
#include "pipelines/stages/nat_policy.h"

namespace ravelin::firewall {
namespace {

static_assert(Burst::kCapacity <= Probes::kMost && Burst::kCapacity <= 32, "bits of `unknown`");

unsigned flags_of(const PacketMeta& m) noexcept { return m.tcp_flags & kTurns; }

// UDP, which has no flags, and TCP with these.
bool is_plain(const PacketMeta& m, uint32_t segments) noexcept {
    constexpr uint32_t kWanted = PacketMeta::kIpv4 | PacketMeta::kPorts;
    constexpr uint32_t kUnwanted = PacketMeta::kFragment | PacketMeta::kLocalOrigin |
                                   PacketMeta::kDestinationTranslated | PacketMeta::kIcmpError;
    // No branch, here and below: TCP and UDP take turns as they like.
    const uint32_t udp{m.protocol == net::kUdp};
    const uint32_t flags = m.protocol == net::kTcp ? segments : udp;
    return (unsigned{(m.flags & (kWanted | kUnwanted)) == kWanted} & flags >> flags_of(m)) != 0;
}

}  // namespace

Alone::Alone(const Burst& burst, uint32_t unknown, const FirewallPolicy& policy,
             const WorkerContext& context) noexcept {
    if (unknown == 0 || policy.tables->rules.trees.empty() || policy.delta != nullptr ||
        context.dry_run || policy.proxies() || nat::policy_of(*context.policy) != nullptr)
        return;
    look(burst, unknown, policy, context);
}

void Alone::look(const Burst& burst, uint32_t unknown, const FirewallPolicy& policy,
                 const WorkerContext& context) noexcept {
    const RuleTables& tables = policy.tables->rules;
    const CutTrees& trees = tables.trees;
    const uint32_t segments = segments_of(tables);
    const uint32_t tcp = trees.kind_of(net::kTcp, kStateNew, 0),
                   udp = trees.kind_of(net::kUdp, kStateNew, 0);
    unsigned count = 0, of[Burst::kCapacity];
    Probes probes;
    for (unsigned i = 0; i < burst.count; ++i) {
        const PacketMeta& m = burst.meta[i];
        of[count] = i;
        probes.value[0][count] = m.source.v4_host();
        probes.value[1][count] = m.destination.v4_host();
        probes.value[2][count] = m.source_port;
        probes.value[3][count] = m.destination_port;
        probes.kind[count] = m.protocol == net::kTcp ? tcp : udp;
        probes.place[count] = trees.place_of(m.in_port, m.out_port);
        count += unsigned{is_plain(m, segments)} & unsigned{burst.live(i)} & unknown >> i & 1;
    }
    if (count == 0) return;
    columns::Column<uint32_t> found;
    trees.match_burst(probes, found, count);
    const RuleWord otherwise = word_of(policy.otherwise);
    for (unsigned n = 0; n < count; ++n) {
        const unsigned i = of[n];
        firsts_[i] = found[n];
        found_ |= 1u << i;
        decide(burst, i, found[n] == Classifier::kNoMatch ? otherwise : tables.words[found[n]],
               policy, context);
    }
}

inline void Alone::decide(const Burst& burst, unsigned i, RuleWord rule,
                          const FirewallPolicy& policy, const WorkerContext& context) noexcept {
    const PacketMeta& m = burst.meta[i];
    const unsigned flags = flags_of(m);
    const Word word = word_alone(rule, flags, policy);
    TcpSegment segment;
    if (!word.decided || ((flags & kTcpSyn) != 0 && !read_segment(burst.packet(i), m, segment)))
        return;
    slots_[i] = word.slot;
    outcomes_[i] = word.outcome;
    decided_ |= 1u << i;
    if (word.slot != kNoRule) context.counters.prefetch_rule(word.slot);
}

}  // namespace ravelin::firewall
