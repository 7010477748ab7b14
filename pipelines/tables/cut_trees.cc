// SPDX-License-Identifier: Apache-2.0
// Matching; the trees are made in cut_trees_build.cc.
#include "pipelines/tables/cut_trees.h"

#include <algorithm>

namespace ravelin {

// One step down from a node; without a branch, as which nodes are leaves nobody can predict.
inline CutTrees::Ref CutTrees::below(Ref ref, const Probe& probe) const noexcept {
    const bool is_node = (ref & kIsNode) != 0;
    const Node& node = nodes_[is_node ? ref & ~kIsNode : 0];
    const uint32_t piece = (probe.value[static_cast<size_t>(node.field)] - node.base) >> node.shift;
    const Ref child = children_[node.first + std::min(piece, node.children)];
    return is_node ? child : ref;
}

// The first rule of a leaf that takes the packet, if it comes before `best`.
inline uint32_t CutTrees::first_of(Ref leaf, const Probe& probe, uint32_t best) const noexcept {
    const TermGroup* group = groups_.data() + (leaf >> kCountBits);
    for (unsigned n = leaf & kCountMask; n > 0; --n, ++group)
        if (const unsigned m = matching(*group, probe, by_place_, by_source_port_); m != 0)
            return std::min(best, group->rule[static_cast<unsigned>(std::countr_zero(m))]);
    return best;
}

uint32_t CutTrees::match(const ClassifierKey& key) const noexcept {
    const Probe probe{
        {key.source.v4_host(), key.destination.v4_host(), key.source_port, key.destination_port},
        kind_of(key.protocol, key.state, key.icmp_type),
        place_of(key.in_port, key.out_port)};
    uint32_t best = Classifier::kNoMatch;
    for (const Tree& tree : trees_) {
        if (tree.first_rule >= best) break;
        if (tree.refuses(probe)) continue;
        Ref ref = tree.root;
        while ((ref & kIsNode) != 0) ref = below(ref, probe);
        best = first_of(ref, probe, best);
    }
    return best;
}

void CutTrees::match_burst(const Probe* probes, uint32_t* rules, unsigned n) const noexcept {
    std::fill_n(rules, n, Classifier::kNoMatch);
    const bool far = groups_.size() > kNear;
    Ref refs[kBurst];
    for (const Tree& tree : trees_) {
        for (unsigned i = 0; i < n; ++i)
            refs[i] = tree.refuses(probes[i]) || tree.first_rule >= rules[i] ? 0 : tree.root;
        // A level of the tree per pass, so that the misses of a burst are in flight together.
        for (Ref nodes = tree.root & kIsNode; nodes != 0;) {
            nodes = 0;
            for (unsigned i = 0; i < n; ++i) {
                refs[i] = below(refs[i], probes[i]);
                nodes |= refs[i] & kIsNode;
            }
        }
        for (unsigned i = 0; far && i < n; ++i) groups_[refs[i] >> kCountBits].prefetch();
        for (unsigned i = 0; i < n; ++i) rules[i] = first_of(refs[i], probes[i], rules[i]);
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
