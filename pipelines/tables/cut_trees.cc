// SPDX-License-Identifier: Apache-2.0
// Matching; the trees are made in cut_trees_build.cc.
#include "pipelines/tables/cut_trees.h"

#include <algorithm>

namespace ravelin {

// One step down from a node.
inline CutTrees::Ref CutTrees::below(Ref ref, const Probes& probes, unsigned i) const noexcept {
    const Node& node = nodes_[ref & ~kIsNode];
    const uint32_t value = probes.value[static_cast<size_t>(node.field)][i];
    const uint32_t piece = (value - node.base) >> node.shift;
    return children_[node.first + std::min(piece, node.children)];
}

// The first rule of a leaf that takes packet i, if it comes before `best`. Of most leaves the first
// group tells, and without a branch: which trees have a rule for a packet nobody can predict.
inline uint32_t CutTrees::first_of(Ref leaf, const Probes& probes, unsigned i,
                                   uint32_t best) const noexcept {
    const TermGroup* group = groups_.data() + (leaf >> kCountBits);
    const unsigned count = leaf & kCountMask;
    unsigned m = matching(*group, probes, i, by_place_, by_source_port_);
    m = count == 0 ? 0 : m;
    for (unsigned n = 1; n < count && m == 0; ++n)
        m = matching(*++group, probes, i, by_place_, by_source_port_);
    const uint32_t rule =
        group->rule[static_cast<unsigned>(std::countr_zero(m)) % TermGroup::kTerms];
    return std::min(best, m == 0 ? Classifier::kNoMatch : rule);
}

uint32_t CutTrees::match(const ClassifierKey& key) const noexcept {
    Probes probes;
    probes.value[0][0] = key.source.v4_host();
    probes.value[1][0] = key.destination.v4_host();
    probes.value[2][0] = key.source_port;
    probes.value[3][0] = key.destination_port;
    probes.kind[0] = kind_of(key.protocol, key.state, key.icmp_type);
    probes.place[0] = place_of(key.in_port, key.out_port);
    columns::Column<uint32_t> rules;
    match_burst(probes, rules, 1);
    return rules[0];
}

// Bits of the packets that a tree may say something better about than what was found before.
inline uint64_t CutTrees::asking(const Tree& tree, const Probes& probes,
                                 const columns::Column<uint32_t>& rules,
                                 unsigned n) const noexcept {
    uint64_t bits = 0;
#ifdef RAVELIN_LANES
    // What a few narrow stores have just written would be waited for.
    constexpr unsigned kFew = 4;
    using namespace lanes;
    for (unsigned i = 0; n > kFew && i < n; i += kLanes) {
        Lanes refused = mask(load(&probes.kind[i]), tree.kinds);
        if (by_place_)
            refused = _mm512_or_si512(refused, mask(load(&probes.place[i]), tree.places));
        const Which asks = equal(refused, all(0)) & more(load(&rules[i]), all(tree.first_rule));
        bits |= uint64_t{asks & first(n - i)} << i;
    }
    if (n > kFew) return bits;
#endif
    for (unsigned i = 0; i < n; ++i) {
        const uint32_t place = by_place_ ? probes.place[i] & tree.places : 0;
        const bool refused = ((probes.kind[i] & tree.kinds) | place) != 0;
        bits |= uint64_t{!refused && tree.first_rule < rules[i]} << i;
    }
    return bits;
}

void CutTrees::match_burst(const Probes& probes, columns::Column<uint32_t>& rules,
                           unsigned n) const noexcept {
    using columns::for_each_bit;
    std::fill_n(rules.begin(), n, Classifier::kNoMatch);
    const bool far = groups_.size() > kNear;
    columns::Column<Ref> refs;
    for (const Tree& tree : trees_) {
        const uint64_t asked = asking(tree, probes, rules, n);
        refs.fill(tree.root);
        // A level of the tree per pass, so that the misses of a burst are in flight together.
        for (uint64_t nodes = (tree.root & kIsNode) != 0 ? asked : 0; nodes != 0;) {
            uint64_t deeper = 0;
            for_each_bit(nodes, [&](unsigned i) {
                refs[i] = below(refs[i], probes, i);
                deeper |= uint64_t{(refs[i] & kIsNode) != 0} << i;
            });
            nodes = deeper;
        }
        if (far)
            for_each_bit(asked, [&](unsigned i) { groups_[refs[i] >> kCountBits].prefetch(); });
        for_each_bit(asked, [&](unsigned i) { rules[i] = first_of(refs[i], probes, i, rules[i]); });
    }
}

size_t CutTrees::memory_bytes() const {
    size_t bytes = trees_.capacity() * sizeof(Tree) + nodes_.capacity() * sizeof(Node) +
                   children_.capacity() * sizeof(Ref) + groups_.capacity() * sizeof(TermGroup);
    for (const ValueBits* bits : {&protocol_, &state_, &icmp_type_, &in_port_, &out_port_})
        bytes += bits->of.capacity() * sizeof(uint32_t);
    return bytes;
}

}  // namespace ravelin
