// SPDX-License-Identifier: Apache-2.0
// CutTrees: the first rule that matches an IPv4 packet, by trees that cut addresses and ports into
// equal pieces (HiCuts: Gupta and McKeown, Hot Interconnects 1999); up to four, apart by which
// addresses their rules leave open, so that few rules stand in many pieces (EffiCuts: Vamanan et
// al., SIGCOMM 2010). A leaf holds rules in groups of 16 that are compared at once. Immutable, so
// workers share one.
//
// Beside Classifier, which knows both families and any rules, and which is asked for the next rule
// where the one found here does not take the packet after all. Cost:
// perf/micro/classifier_bench.cc; 10,000 rules of hosts and networks take 0.7 MiB and 4 ms,
// ClassBench's 0.8 to 2.4 MiB and up to 40 ms. Rules that cannot be cut small enough have no trees
// (covers() says so).
#pragma once
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "pipelines/tables/classifier.h"
#include "pipelines/tables/cut_terms.h"
#include "pipelines/tables/term_group.h"

namespace ravelin {

class CutTrees {
  public:
    /// Covers nothing.
    CutTrees() = default;
    /// The rules of a Classifier, which must be valid: Classifier::build() has accepted them.
    /// Covers nothing where cut_terms_of() has nothing, or where trees would be 32 times the terms.
    static CutTrees build(std::span<const ClassifierRule> rules);

    /// Covers nothing.
    [[nodiscard]] bool empty() const noexcept { return trees_.empty(); }
    /// Whether match() knows of such a packet.
    [[nodiscard]] bool covers(const ClassifierKey& key) const noexcept {
        return !empty() && key.source.is_v4() && key.destination.is_v4();
    }
    /// What Classifier::match() says of a packet that is covered.
    [[nodiscard]] uint32_t match(const ClassifierKey& key) const noexcept;

    /// Of a packet by itself: Probes::kind and Probes::place.
    [[nodiscard]] uint32_t kind_of(uint8_t protocol, uint8_t state,
                                   uint8_t icmp_type) const noexcept {
        return Probes::kPresent | protocol_[protocol] | state_[state] | icmp_type_[icmp_type];
    }
    [[nodiscard]] uint32_t place_of(uint16_t in_port, uint16_t out_port) const noexcept {
        return by_place_ ? in_port_[in_port] | out_port_[out_port] : 0;
    }
    /// Whether Probes::place is looked at.
    [[nodiscard]] bool by_place() const noexcept { return by_place_; }
    /// rules[i] = match() of the first `n` probes, memory latencies overlapped. There must be
    /// trees, or every answer is kNoMatch.
    void match_burst(const Probes& probes, columns::Column<uint32_t>& rules,
                     unsigned n) const noexcept;

    [[nodiscard]] size_t memory_bytes() const;

  private:
    friend class CutTreesBuilder;

    /// A piece of a tree: bit 31 and a node, or first group << kCountBits | groups.
    using Ref = uint32_t;
    static constexpr Ref kIsNode = 1u << 31;
    static constexpr unsigned kCountBits = 5, kCountMask = (1u << kCountBits) - 1;
    static_assert(kMostInLeaf <= kCountMask);
    static constexpr size_t kNear = 24;  ///< groups that stay in the L1 cache by themselves
    struct Node {
        /// Its pieces stand in children_ from `first` on, behind them an empty leaf for the rest.
        uint32_t base = 0, first = 0, children = 0;
        uint8_t shift = 0;
        TermField field = TermField::kSource;
    };
    struct Tree {
        Ref root = 0;
        uint32_t first_rule = 0;
        uint32_t kinds = 0, places = 0;  ///< bits that all its rules refuse
    };

    [[nodiscard]] Ref below(Ref ref, const Probes& probes, unsigned i) const noexcept;
    [[nodiscard]] uint64_t asking(const Tree& tree, const Probes& probes,
                                  const columns::Column<uint32_t>& rules,
                                  unsigned n) const noexcept;
    [[nodiscard]] uint32_t first_of(Ref leaf, const Probes& probes, unsigned i,
                                    uint32_t best) const noexcept;

    std::vector<Tree> trees_;  ///< ascending by first_rule
    std::vector<Node> nodes_;
    std::vector<Ref> children_;
    std::vector<TermGroup> groups_;
    ValueBits protocol_, state_, icmp_type_, in_port_, out_port_;
    bool by_place_ = false, by_source_port_ = false;  ///< whether rules look at these
};

}  // namespace ravelin
