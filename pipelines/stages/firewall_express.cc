// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_express.h"

#include <bit>

#include "dataplane/flow_table.h"
#include "pipelines/stages/firewall_alone.h"

namespace ravelin::firewall {
namespace {

using Values = ExpressBurst::Column<uint32_t>;

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

// UDP, and TCP with flags that rules alone can judge.
uint64_t plain(const ExpressBurst& b, uint32_t segments) noexcept {
    return columns::among(b.tcp_flags, kTurns, segments, b.going) |
           columns::equal(b.protocol, uint8_t{net::kUdp}, b.going);
}

// Those that are going, one behind the other.
void ask(const ExpressBurst& b, const CutTrees& trees, Probes& probes) noexcept {
    using columns::squeeze;
    squeeze(b.source, b.going, probes.value[0]);
    squeeze(b.destination, b.going, probes.value[1]);
    Values &from = probes.value[2], &to = probes.value[3];
    squeeze(b.ports, b.going, to);
    const uint32_t tcp = trees.kind_of(net::kTcp, kStateNew, 0),
                   udp = trees.kind_of(net::kUdp, kStateNew, 0);
    Values kinds;
    kinds.fill(udp);
    columns::fill(kinds, columns::equal(b.protocol, uint8_t{net::kTcp}, b.going), tcp);
    squeeze(kinds, b.going, probes.kind);
    for (unsigned n = 0; n < ExpressBurst::kCapacity; ++n) {
        from[n] = to[n] >> 16;
        to[n] &= 0xffff;
    }
    if (!trees.by_place()) return probes.place.fill(0);
    Values places;
    columns::for_each_value(b.out_port, b.going, [&](unsigned first, uint64_t same) {
        columns::fill(places, same, trees.place_of(b.in_port, b.out_port[first]));
        return same;
    });
    squeeze(places, b.going, probes.place);
}

// Rules' slots to `rule`, and their kinds.
void read_words(ExpressBurst& b, const RuleTables& tables, RuleWord otherwise, const Values& found,
                unsigned count, Values& kind) noexcept {
    Values slots, kinds;
    for (unsigned n = 0; n < count; ++n) {
        const RuleWord word = found[n] == Classifier::kNoMatch ? otherwise : tables.words[found[n]];
        slots[n] = word.slot;
        kinds[n] = word.kind;
    }
    columns::spread(slots, b.going, b.rule);
    columns::spread(kinds, b.going, kind);
}

// word_alone() of all of them. What is plain has a header that can be read, options and all.
void obey(ExpressBurst& b, const FirewallPolicy& policy, RuleWord otherwise, DropCode first_drop,
          const Values& kind) noexcept {
    const auto of = [&](RuleWord::Kind k) { return columns::equal(kind, uint32_t{k}, b.going); };
    const uint64_t tcp = columns::equal(b.protocol, uint8_t{net::kTcp}, b.going);
    const uint64_t syn = columns::among(b.tcp_flags, kTurns, uint64_t{1} << kTcpSyn, tcp);
    const uint64_t picked_up =
        policy.pickup ? columns::among(b.tcp_flags, kTurns, uint64_t{1} << kTcpAck, tcp) : 0;
    const uint64_t accepted = of(RuleWord::kAccepts), dropped = of(RuleWord::kDrops);
    const uint64_t midway = tcp & ~syn & ~accepted;
    const uint64_t ruled = accepted | (dropped & ~midway);
    const uint64_t orphans = midway & (dropped | (of(RuleWord::kKeeps) & ~picked_up));
    const uint64_t by_default = columns::equal(b.rule, uint32_t{otherwise.slot}, ruled & ~accepted);
    const auto drop = [&](uint64_t which, Outcome why) {
        if (which == 0) return;
        columns::fill(b.reason, which,
                      static_cast<DropCode>(first_drop + static_cast<unsigned>(why)));
        b.dropped |= which;
    };
    drop(by_default, Outcome::kDefault);
    drop(ruled & ~accepted & ~by_default, Outcome::kRule);
    drop(orphans, Outcome::kTcpNoFlow);
    if (orphans != 0) columns::fill(b.rule, orphans, kNoRule);
    b.counted |= ruled;
    b.going &= ruled & accepted;
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
    const auto count = static_cast<unsigned>(std::popcount(b.going));
    if (count == 0) return;
    Probes probes;
    Values found, kind;
    ask(b, trees, probes);
    trees.match_burst(probes, found, count);
    const RuleWord otherwise = word_of(policy.otherwise);
    read_words(b, tables, otherwise, found, count, kind);
    obey(b, policy, otherwise, first_drop, kind);
    if (context.account != nullptr && !policy.tables->principals.empty()) [[unlikely]]
        for_each_bit(b.going | b.dropped,
                     [&](unsigned i) { b.principal[i] = index(policy.principal_of(b.rule[i])); });
}

}  // namespace ravelin::firewall
