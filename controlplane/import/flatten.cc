// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/flatten.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/import/iptables_words.h"
#include "controlplane/import/targets.h"

namespace ravelin::import {
namespace {

using Kind = Decision::Kind;

constexpr unsigned kDeepest = 64;

/// Letters, digits, - _ . / of a comment; at most 48, so that a number still fits behind.
std::string name_of(const Line& line, const std::string& chain) {
    std::string out;
    for (const char c : line.comment) {
        const bool fine = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
        if (fine)
            out += c;
        else if (!out.empty() && out.back() != '-')
            out += '-';
    }
    out.resize(std::min<size_t>(out.size(), 48));
    while (!out.empty() && out.back() == '-') out.pop_back();
    return out.empty() ? fmt::format("{}-{}", chain.substr(0, 40), line.number) : out;
}

// The firewall would take its packets for NEW ones.
bool untracks(const Line& l) {
    return l.target == "NOTRACK" || (l.target == "CT" && l.options.contains("--notrack"));
}

}  // namespace

Flattener::Flattener(const File& file, const std::string& table, Use use, Remarks& remarks)
    : table_(table), use_(use), remarks_(remarks) {
    if (const auto found = file.tables.find(table); found != file.tables.end())
        chains_ = &found->second;
}

std::vector<Decision> Flattener::run(const std::string& chain, const Box& start) {
    out_.clear();
    exempt_.clear();
    spared_.clear();
    unclear_.clear();
    Match everything;
    everything.box = start;
    if (chains_ == nullptr || start.empty()) return {};
    walk(chain, {{start}, {start}}, everything, 0);
    if (use_ != Use::kFilter) add_policy(chain, start);
    return std::move(out_);
}

// What raw, mangle, security and nat deny unasked. Nat's chains often are not declared by hand, and
// nothing but ACCEPT is usual.
void Flattener::add_policy(const std::string& chain, const Box& start) {
    const auto found = chains_->find(chain);
    if (found == chains_->end() || found->second.policy == "ACCEPT") return;
    if (use_ == Use::kTranslate && found->second.policy.empty()) return;
    const std::string& policy = found->second.policy;
    const std::string what =
        fmt::format("{} {} policy {}", table_, chain, policy.empty() ? "unknown" : policy);
    remarks_.on(what, "denies what no ACCEPT of the chain names exactly", policy != "DROP");
    Region region{start};
    for (const Box& box : exempt_)
        if (!take_away(region, box, kMostBoxes))
            remarks_.on(what, "denies more than it says: too many exceptions");
    for (const auto& [line, box] : unclear_)
        remarks_.on(*line, "what it accepts is denied: header fields, or what has no counterpart");
    for (Box& box : region)
        out_.push_back({Kind::kDrop,
                        std::move(box),
                        {},
                        table_ + "-" + lower(chain) + "-policy",
                        nullptr,
                        false});
}

void Flattener::walk(const std::string& chain, Reach reach, const Match& outer, unsigned depth) {
    const auto found = chains_->find(chain);
    if (found == chains_->end()) return;
    for (const Line& l : found->second.lines) line(l, chain, reach, outer, depth);
}

void Flattener::line(const Line& l, const std::string& chain, Reach& reach, const Match& outer,
                     unsigned depth) {
    const std::string& target = l.target;
    if (target.empty()) return;  // it only counts
    if (l.match.box.in[kIn].empty() || l.match.box.in[kOut].empty())
        return remarks_.on(l, "only about interfaces that are no ports here, such as lo", false);
    const Match match = outer.common(l.match);
    if (match.box.empty()) return;
    if (l.match.limit_line != 0) limited_[l.number] = denied(l, reach, match.box);
    const bool user = chains_->contains(target);
    if (user) return jump(l, reach, match, depth);
    if (target == "RETURN") return leave(l, reach, l.match);
    if (logs(target)) return verdict(l, chain, Kind::kLog, reach, match);
    if (target == "ACCEPT") return verdict(l, chain, Kind::kAccept, reach, match);
    if (target == "DROP") return verdict(l, chain, Kind::kDrop, reach, match);
    if (target == "REJECT") return verdict(l, chain, Kind::kReject, reach, match);
    if (translates(target)) return verdict(l, chain, Kind::kTranslate, reach, match);
    if (goes_on(target) && !untracks(l))
        return remarks_.on(l, fmt::format("target {} has no counterpart", target));
    remarks_.on(l, fmt::format("target {} has no counterpart; its packets are denied", target));
    verdict(l, chain, use_ == Use::kTranslate ? Kind::kTranslate : Kind::kDrop, reach, match);
}

void Flattener::verdict(const Line& l, const std::string& chain, Kind kind, const Reach& reach,
                        const Match& match) {
    if (kind == Kind::kAccept && use_ != Use::kFilter) return exempt(l, reach, match);
    if (kind == Kind::kTranslate) return translate(l, chain, reach, match);
    if (kind == Kind::kDrop || kind == Kind::kReject) return deny(l, chain, kind, reach, match);
    if (kind == Kind::kLog && use_ == Use::kDenials)
        return remarks_.on(l, "left out: only the rule that decides logs");
    if (!match.unknown.empty())
        return remarks_.on(l, fmt::format("left out: no counterpart of {}", match.unknown));
    Region region = common(reach.must, match.box);
    if (region.empty()) remarks_.on(l, "left out: what comes to it depends on what cannot be said");
    emit(l, chain, kind, std::move(region), match);
}

// What follows in this table does not take them.
void Flattener::exempt(const Line& l, const Reach& reach, const Match& match) {
    if (use_ == Use::kTranslate) {
        spared_.push_back(match.box);
        if (!match.exact())
            remarks_.on(l, "what it exempts is translated by nothing, and more with it");
    }
    if (!match.exact()) return void(unclear_.emplace_back(&l, match.box));
    for (Box& box : common(reach.must, match.box)) exempt_.push_back(std::move(box));
}

void Flattener::deny(const Line& l, const std::string& chain, Kind kind, const Reach& reach,
                     const Match& match) {
    Match said = match;
    if (!match.unknown.empty()) {
        remarks_.on(l,
                    fmt::format("denies more than it says: no counterpart of {}", match.unknown));
        said.members.clear();
    }
    Region region = denied(l, reach, match.box);
    for (const auto& [line, box] : unclear_)
        if (use_ == Use::kDenials && !common(region, box).empty())
            remarks_.on(*line,
                        "exempts nothing from what is denied behind it: header fields, or what "
                        "has no counterpart");
    emit(l, chain, kind, std::move(region), said);
}

Region Flattener::denied(const Line& l, const Reach& reach, const Box& box) {
    Region region = common(reach.may, box);
    for (const Box& kept : exempt_)
        if (!take_away(region, kept, kMostBoxes))
            remarks_.on(l, "denies more than it says: too many exceptions");
    return region;
}

void Flattener::translate(const Line& l, const std::string& chain, const Reach& reach,
                          const Match& match) {
    Region region;
    if (match.unknown.empty()) region = common(reach.must, match.box);
    for (const Box& box : spared_)
        if (!take_away(region, box, kMostBoxes)) region.clear();
    if (!match.unknown.empty())
        remarks_.on(l, fmt::format("left out: no counterpart of {}", match.unknown));
    else if (region.empty())
        remarks_.on(l, "left out: what comes to it depends on what cannot be said");
    emit(l, chain, Kind::kTranslate, std::move(region), match);
    Match taken = match;
    if (!match.unknown.empty()) taken.members.clear();
    taken.members.erase("limit");
    emit(l, chain, Kind::kDrop, denied(l, reach, match.box), taken);
}

void Flattener::emit(const Line& l, const std::string& chain, Kind kind, Region region,
                     const Match& match) {
    const auto counts = limited_.find(match.limit_line);
    const bool shared = counts != limited_.end() && counts->second != region;
    for (Box& box : region)
        out_.push_back({kind, std::move(box), match.members, name_of(l, chain), &l, false,
                        match.members.contains("limit") ? match.limit_line : 0, shared});
}

void Flattener::jump(const Line& l, Reach& reach, const Match& match, unsigned depth) {
    if (depth == kDeepest) {
        remarks_.on(l, "its packets are denied: the jumps go too deep");
        return deny(l, l.target, Kind::kDrop, reach, match);
    }
    Reach inner{common(reach.may, match.box), {}};
    if (match.unknown.empty()) inner.must = common(reach.must, match.box);
    Match outer = match;
    outer.unknown.clear();  // nothing is certain to come there; that says it
    if (!match.unknown.empty()) {
        outer.members.clear();
        remarks_.on(
            l, fmt::format("what it jumps to accepts nothing and denies more: no counterpart of {}",
                           match.unknown));
    }
    walk(l.target, std::move(inner), outer, depth + 1);
    if (l.is_goto) leave(l, reach, l.match);
}

// Packets of `match` go no further in this chain.
void Flattener::leave(const Line& l, Reach& reach, const Match& match) {
    bool fits = take_away(reach.must, match.box, kMostBoxes);
    if (!fits) reach.must.clear();
    if (match.exact()) fits = take_away(reach.may, match.box, kMostBoxes) && fits;
    const std::string less = "what follows accepts less and denies more: ";
    if (!match.unknown.empty())
        remarks_.on(l, less + "no counterpart of " + match.unknown);
    else if (!match.members.empty())
        remarks_.on(l, less + "header fields or a rate decide who returns");
    if (!fits) remarks_.on(l, less + "too many exceptions");
}

}  // namespace ravelin::import
