// SPDX-License-Identifier: Apache-2.0
// Building CutTrees.
#include <algorithm>
#include <array>

#include "pipelines/tables/cut_trees.h"

namespace ravelin {
namespace {

/// How many trees there are, and how many groups at most for as many terms as fill one: a tree more
/// is another lookup, but a term that is wide in what others cut stands in all their pieces.
struct Plan {
    unsigned trees;
    size_t growth;
};
constexpr std::array kPlans{Plan{1, 8}, Plan{2, 8}, Plan{4, 32}};
constexpr size_t kSpare = 256;           // groups besides
constexpr size_t kMostGroups = 1 << 16;  // 36 MiB
// How often a plan looks at a term, in the mean, before it is given up. 10,000 rules of ClassBench
// take 3 to 14; 65,536 of random short prefixes are given up within 0.3 s for want of groups.
constexpr size_t kWork = 32;

/// The part of all packets that a node is for.
struct Region {
    std::array<uint32_t, kTermFields> low{0, 0, 0, 0}, high{~0u, ~0u, 0xffff, 0xffff};
};

struct Cut {
    size_t field = 0;
    unsigned shift = 0;
    uint32_t base = 0, pieces = 0;  ///< 0: none is worth it
    [[nodiscard]] uint32_t piece_of(uint32_t value) const { return (value - base) >> shift; }
};

size_t groups_for(size_t terms) { return (terms + TermGroup::kTerms - 1) / TermGroup::kTerms; }

}  // namespace

class CutTreesBuilder {
  public:
    explicit CutTreesBuilder(CutTerms made) : terms_(std::move(made.terms)) {
        out_.protocol_ = std::move(made.protocol);
        out_.state_ = std::move(made.state);
        out_.icmp_type_ = std::move(made.icmp_type);
        out_.in_port_ = std::move(made.in_port);
        out_.out_port_ = std::move(made.out_port);
        for (const CutTerm& t : terms_) {
            out_.by_place_ |= t.refused_place != 0;
            out_.by_source_port_ |= t.low[2] != 0 || t.high[2] != 0xffff;
        }
    }

    CutTrees build() {
        for (const Plan& plan : kPlans) {
            if (!plant(plan)) continue;
            std::ranges::sort(out_.trees_, {}, &CutTrees::Tree::first_rule);
            out_.nodes_.shrink_to_fit();
            out_.children_.shrink_to_fit();
            out_.groups_.shrink_to_fit();
            return std::move(out_);
        }
        return {};
    }

  private:
    using Ref = CutTrees::Ref;

    // One tree; or one for terms of nearly any source and destination and one for the rest; or
    // one for each way of being wide.
    bool plant(const Plan& plan) {
        std::array<std::vector<uint32_t>, 4> alike;
        const auto wide = [](const CutTerm& t, size_t f) {
            return unsigned{t.high[f] - t.low[f] >= 0x7fffffff};
        };
        for (uint32_t i = 0; i < terms_.size(); ++i) {
            const unsigned source = wide(terms_[i], 0), destination = wide(terms_[i], 1);
            alike[plan.trees == 1   ? 0
                  : plan.trees == 2 ? source & destination
                                    : source + 2 * destination]
                .push_back(i);
        }
        out_.trees_.clear();
        out_.nodes_.clear();
        out_.children_.clear();
        out_.groups_.clear();
        most_groups_ = std::min(groups_for(terms_.size()) * plan.growth + kSpare, kMostGroups);
        left_ = (terms_.size() + kSpare) * kWork;
        for (const auto& terms : alike) {
            if (terms.empty()) continue;
            CutTrees::Tree tree{0, terms_[terms.front()].rule, ~0u, ~0u};
            for (const uint32_t t : terms) {
                tree.kinds &= terms_[t].refused_kind;
                tree.places &= terms_[t].refused_place;
            }
            if (!grow(terms, {}, tree.root)) return false;
            out_.trees_.push_back(tree);
        }
        return true;
    }

    bool grow(const std::vector<uint32_t>& terms, const Region& region, Ref& to) {
        if (terms.size() >= left_) return false;
        left_ -= terms.size() + 1;
        const Cut cut = best_cut(terms, region);
        if (cut.pieces == 0) return leaf(terms, to);
        std::vector<std::vector<uint32_t>> pieces(cut.pieces);
        for (const uint32_t t : terms) {
            const auto [first, last] = span_of(terms_[t], cut, region);
            for (uint32_t p = first; p <= last; ++p) pieces[p].push_back(t);
        }
        const size_t first = out_.children_.size(), node = out_.nodes_.size();
        if (first + cut.pieces > most_groups_ * TermGroup::kTerms) return false;
        out_.children_.resize(first + cut.pieces + 1);
        out_.nodes_.push_back({cut.base, static_cast<uint32_t>(first), cut.pieces,
                               static_cast<uint8_t>(cut.shift), static_cast<TermField>(cut.field)});
        for (uint32_t p = 0; p < cut.pieces; ++p) {
            Ref& child = out_.children_[first + p];
            const Ref before = p == 0 ? CutTrees::kIsNode : out_.children_[first + p - 1];
            if ((before & CutTrees::kIsNode) == 0 && pieces[p] == pieces[p - 1]) {
                child = before;
                continue;
            }
            Region inner = region;
            const uint32_t low = cut.base + (p << cut.shift);
            inner.low[cut.field] = std::max(region.low[cut.field], low);
            inner.high[cut.field] =
                std::min(region.high[cut.field], low + ((uint32_t{1} << cut.shift) - 1));
            Ref made = 0;
            if (!grow(pieces[p], inner, made)) return false;
            out_.children_[first + p] = made;  // there are more of them meanwhile
        }
        to = CutTrees::kIsNode | static_cast<Ref>(node);
        return true;
    }

    bool leaf(const std::vector<uint32_t>& terms, Ref& to) {
        // As what is beyond all pieces: the first group's memory, which is there, unasked.
        if (terms.empty()) {
            to = 0;
            return true;
        }
        const size_t first = out_.groups_.size(), count = groups_for(terms.size());
        if (count > kMostInLeaf || first + count > most_groups_) return false;
        out_.groups_.resize(first + count);
        for (size_t i = 0; i < terms.size(); ++i) {
            TermGroup& g = out_.groups_[first + i / TermGroup::kTerms];
            const size_t at = i % TermGroup::kTerms;
            const CutTerm& t = terms_[terms[i]];
            const auto width = [&](size_t field) { return t.high[field] - t.low[field]; };
            g.source[at] = t.low[0], g.source_width[at] = width(0);
            g.destination[at] = t.low[1], g.destination_width[at] = width(1);
            g.source_port[at] = static_cast<uint16_t>(t.low[2]);
            g.source_port_width[at] = static_cast<uint16_t>(width(2));
            g.destination_port[at] = static_cast<uint16_t>(t.low[3]);
            g.destination_port_width[at] = static_cast<uint16_t>(width(3));
            g.refused_kind[at] = t.refused_kind;
            g.refused_place[at] = t.refused_place;
            g.rule[at] = t.rule;
        }
        to = static_cast<Ref>(first << CutTrees::kCountBits | count);
        return true;
    }

    static std::pair<uint32_t, uint32_t> span_of(const CutTerm& term, const Cut& cut,
                                                 const Region& region) {
        const size_t f = cut.field;
        return {cut.piece_of(std::max(term.low[f], region.low[f])),
                cut.piece_of(std::min(term.high[f], region.high[f]))};
    }

    // What a packet for one of these terms costs, in groups looked at, and a little for the memory.
    Cut best_cut(const std::vector<uint32_t>& terms, const Region& region) {
        constexpr double kMemory = 0.25, kNode = 0.8;
        const auto least = static_cast<double>(groups_for(terms.size()));
        Cut best;
        if (least <= 1) return best;
        double best_cost = least + kMemory;
        for (size_t f = 0; f < kTermFields; ++f) {
            uint32_t low = region.high[f], high = region.low[f];
            for (const uint32_t t : terms) {
                low = std::min(low, std::max(terms_[t].low[f], region.low[f]));
                high = std::max(high, std::min(terms_[t].high[f], region.high[f]));
            }
            for (unsigned bits = 1; bits <= 12 && size_t{1} << bits <= 4 * terms.size(); ++bits) {
                Cut cut{f, 0, 0, 0};
                while ((high >> cut.shift) - (low >> cut.shift) >= 1u << bits) ++cut.shift;
                cut.base = low >> cut.shift << cut.shift;
                cut.pieces = (high >> cut.shift) - (low >> cut.shift) + 1;
                if (cut.pieces < 2) break;
                const auto [looked_at, kept] = groups_of(terms, region, cut);
                if (kept > static_cast<double>(most_groups_)) continue;
                const double cost = looked_at + kMemory * kept / least + kNode;
                if (cost < best_cost) best = cut, best_cost = cost;
                if (cut.shift == 0) break;
            }
        }
        return best;
    }

    // Groups that a packet for a term, any of them, meets; and groups in all.
    std::pair<double, double> groups_of(const std::vector<uint32_t>& terms, const Region& region,
                                        const Cut& cut) {
        changes_.assign(cut.pieces + 1, 0);
        for (const uint32_t t : terms) {
            const auto [first, last] = span_of(terms_[t], cut, region);
            ++changes_[first];
            --changes_[last + 1];
        }
        double met = 0, all = 0, total = 0;
        int64_t here = 0;
        for (uint32_t p = 0; p < cut.pieces; ++p) {
            here += changes_[p];
            const auto groups = static_cast<double>(groups_for(static_cast<size_t>(here)));
            met += static_cast<double>(here) * groups;
            total += static_cast<double>(here);
            all += groups;
        }
        return {met / total, all};
    }

    std::vector<CutTerm> terms_;
    size_t most_groups_ = 0;
    size_t left_ = 0;  // terms that nodes may still look at
    std::vector<int64_t> changes_;
    CutTrees out_;
};

CutTrees CutTrees::build(std::span<const ClassifierRule> rules) {
    auto terms = cut_terms_of(rules);
    return terms ? CutTreesBuilder(std::move(*terms)).build() : CutTrees();
}

}  // namespace ravelin
