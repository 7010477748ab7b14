// SPDX-License-Identifier: Apache-2.0
// Matching; the trees are made in cut_trees_build.cc.
#include "pipelines/tables/cut_trees.h"

#include <algorithm>

namespace ravelin {

// One step down from a node; without a branch, as which nodes are leaves nobody can predict.
inline CutTrees::Ref CutTrees::below(Ref ref, const Probes& probes, unsigned i) const noexcept {
    const bool is_node = (ref & kIsNode) != 0;
    const Node& node = nodes_[is_node ? ref & ~kIsNode : 0];
    const uint32_t value = probes.value[static_cast<size_t>(node.field)][i];
    const uint32_t piece = (value - node.base) >> node.shift;
    const Ref child = children_[node.first + std::min(piece, node.children)];
    return is_node ? child : ref;
}

// The first rule of a leaf that takes packet i, if it comes before `best`.
inline uint32_t CutTrees::first_of(Ref leaf, const Probes& probes, unsigned i,
                                   uint32_t best) const noexcept {
    const TermGroup* group = groups_.data() + (leaf >> kCountBits);
    for (unsigned n = leaf & kCountMask; n > 0; --n, ++group)
        if (const unsigned m = matching(*group, probes, i, by_place_, by_source_port_); m != 0)
            return std::min(best, group->rule[static_cast<unsigned>(std::countr_zero(m))]);
    return best;
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

// Where each packet begins in a tree: at its root, or nowhere if that can say nothing better.
inline void CutTrees::enter(const Tree& tree, const Probes& probes,
                            const columns::Column<uint32_t>& rules, columns::Column<Ref>& refs,
                            unsigned n) const noexcept {
#ifdef RAVELIN_LANES
    // What a few narrow stores have just written would be waited for.
    constexpr unsigned kFew = 4;
    using namespace lanes;
    for (unsigned i = 0; n > kFew && i < n; i += kLanes) {
        Lanes refused = mask(load(&probes.kind[i]), tree.kinds);
        if (by_place_)
            refused = _mm512_or_si512(refused, mask(load(&probes.place[i]), tree.places));
        const Which asks = equal(refused, all(0)) & more(load(&rules[i]), all(tree.first_rule));
        store(&refs[i], choose(asks, all(0), all(tree.root)));
    }
    if (n > kFew) return;
#endif
    for (unsigned i = 0; i < n; ++i) {
        const uint32_t place = by_place_ ? probes.place[i] & tree.places : 0;
        const bool refused = ((probes.kind[i] & tree.kinds) | place) != 0;
        refs[i] = refused || tree.first_rule >= rules[i] ? 0 : tree.root;
    }
}

void CutTrees::match_burst(const Probes& probes, columns::Column<uint32_t>& rules,
                           unsigned n) const noexcept {
    std::fill_n(rules.begin(), n, Classifier::kNoMatch);
    const bool far = groups_.size() > kNear;
    columns::Column<Ref> refs;
    for (const Tree& tree : trees_) {
        enter(tree, probes, rules, refs, n);
        // A level of the tree per pass, so that the misses of a burst are in flight together.
        for (Ref nodes = tree.root & kIsNode; nodes != 0;) {
            nodes = 0;
            for (unsigned i = 0; i < n; ++i) {
                refs[i] = below(refs[i], probes, i);
                nodes |= refs[i] & kIsNode;
            }
        }
        for (unsigned i = 0; far && i < n; ++i) groups_[refs[i] >> kCountBits].prefetch();
        for (unsigned i = 0; i < n; ++i) rules[i] = first_of(refs[i], probes, i, rules[i]);
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
