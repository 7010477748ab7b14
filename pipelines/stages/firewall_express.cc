// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_express.h"

#include "dataplane/flow_table.h"
#include "pipelines/stages/firewall_alone.h"

namespace ravelin::firewall {
namespace {

// Of a SYN: options that the tracker cannot read are Judge's to name.
bool sound(const ExpressBurst& b, unsigned i) noexcept {
    PacketMeta meta;
    meta.l3_offset = sizeof(net::Ethernet);
    meta.l4_offset = sizeof(net::Ethernet) + sizeof(net::Ipv4);
    meta.l3_total = b.length[i];
    TcpSegment segment;
    return read_segment(Packet(b.frames[i]), meta, segment);
}

// Bits of the packets whose flow is in the table.
uint64_t known(ExpressBurst& b, const FlowTable& flows) noexcept {
    ExpressBurst::Column<FlowKey> keys;
    ExpressBurst::Column<uint32_t> hashes;
    ExpressBurst::Column<Flow*> found;
    unsigned count = 0;
    b.find_flows();
    for_each_bit(b.going, [&](unsigned i) {
        keys[count] = b.key(i);
        hashes[count] = b.hash[i];
        ++count;
    });
    flows.find_burst(keys.data(), hashes.data(), found.data(), count);
    uint64_t bits = 0;
    count = 0;
    for_each_bit(b.going, [&](unsigned i) { bits |= uint64_t{found[count++] != nullptr} << i; });
    return bits;
}

// Bits of UDP, and of TCP with flags that rules alone can judge.
uint64_t plain(const ExpressBurst& b, uint32_t segments) noexcept {
    uint64_t bits = 0;
    for_each_bit(b.going, [&](unsigned i) {
        const uint32_t which = b.protocol[i] == net::kTcp ? segments : 1u;
        bits |= uint64_t{which >> (b.tcp_flags[i] & kTurns) & 1} << i;
    });
    return bits;
}

void obey(ExpressBurst& b, unsigned i, RuleWord rule, const FirewallPolicy& policy,
          DropCode first_drop, const WorkerContext& context) noexcept {
    const unsigned flags = b.tcp_flags[i] & kTurns;
    const Word word = word_alone(rule, flags, policy);
    if (!word.decided || ((flags & kTcpSyn) != 0 && !sound(b, i))) return b.leave(i);
    b.rule[i] = word.slot;
    if (word.slot != kNoRule) {
        b.counted |= uint64_t{1} << i;
        context.counters.prefetch_rule(word.slot);
    }
    if (word.outcome != Outcome::kPass)
        b.drop(i, static_cast<DropCode>(first_drop + static_cast<unsigned>(word.outcome)));
}

}  // namespace

bool decides_express(const FirewallPolicy& policy) noexcept {
    return !policy.wire && !policy.proxies() && policy.delta == nullptr &&
           !policy.tables->rules.trees.empty();
}

void decide_express(ExpressBurst& b, const FirewallPolicy& policy, DropCode first_drop,
                    const WorkerContext& context) noexcept {
    const RuleTables& tables = policy.tables->rules;
    const CutTrees& trees = tables.trees;
    b.going &= b.routed & plain(b, segments_of(tables));  // rules may ask for the way out
    if (context.flows->size() != 0) b.going &= ~known(b, *context.flows);
    const uint32_t tcp = trees.kind_of(net::kTcp, kStateNew, 0),
                   udp = trees.kind_of(net::kUdp, kStateNew, 0);
    unsigned count = 0;
    std::array<uint8_t, CutTrees::kBurst> of;
    std::array<Probe, CutTrees::kBurst> probes;
    std::array<uint32_t, CutTrees::kBurst> found;
    const RuleWord otherwise = word_of(policy.otherwise);
    const auto look = [&] {
        trees.match_burst(probes.data(), found.data(), count);
        for (unsigned n = 0; n < count; ++n)
            obey(b, of[n], found[n] == Classifier::kNoMatch ? otherwise : tables.words[found[n]],
                 policy, first_drop, context);
        count = 0;
    };
    for_each_bit(b.going, [&](unsigned i) {
        of[count] = static_cast<uint8_t>(i);
        probes[count++] = {
            .value = {b.source[i], b.destination[i], b.ports[i] >> 16, b.ports[i] & 0xffff},
            .kind = b.protocol[i] == net::kTcp ? tcp : udp,
            .place = trees.place_of(b.in_port, b.out_port[i])};
        if (count == CutTrees::kBurst) look();
    });
    if (count != 0) look();
    if (context.account != nullptr) [[unlikely]]
        for_each_bit(b.going | b.dropped,
                     [&](unsigned i) { b.principal[i] = policy.principal_of(b.rule[i]); });
}

}  // namespace ravelin::firewall
