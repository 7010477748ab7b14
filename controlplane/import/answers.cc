// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/answers.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "controlplane/import/iptables_words.h"

namespace ravelin::import {
namespace {

/// Segments that the tracker refuses in every flow, so a denial of them takes nothing from one.
bool no_segment(const Decision& d) {
    const auto flags = d.members.find("tcp-flags");
    if (flags == d.members.end() || d.members.size() != 1) return false;
    const size_t slash = flags->second.find('/');
    const auto words = [](const std::string& list) {
        const auto parts = split(list, ',');
        return std::set<std::string>(parts.begin(), parts.end());
    };
    const auto set = words(flags->second.substr(0, slash));
    const auto mask = words(flags->second.substr(slash + 1));
    const auto both = [&](const char* a, const char* b) {
        return set.contains(a) && set.contains(b);
    };
    if (both("syn", "fin") || both("syn", "rst") || both("fin", "rst")) return true;
    if (mask.contains("ack") && !set.contains("ack") && set.contains("fin")) return true;
    static constexpr std::array<const char*, 4> kOneOf{"syn", "rst", "ack", "fin"};
    return std::ranges::all_of(
        kOneOf, [&](const char* flag) { return mask.contains(flag) && !set.contains(flag); });
}

struct Walk {
    bool all = false;         ///< every packet meets a rule that accepts, denials left aside
    std::vector<Box> denied;  ///< what a denial met before
};

/// `opened_by`: denials before it that take NEW packets as well keep their packets from having
/// opened the flow at all.
Walk walk(const std::vector<Decision>& decisions, const Box& box, size_t opened_by) {
    Walk out;
    Region left{box}, open{box};  // not accepted yet; met by no denial
    bool accepted = false;
    for (size_t i = 0; i < decisions.size() && !left.empty(); ++i) {
        const Decision& d = decisions[i];
        if (d.kind == Decision::Kind::kLog || (d.denies() && no_segment(d))) continue;
        if (d.denies()) {
            const Region hit = common(left, d.box);
            if (hit.empty()) continue;
            if (!take_away(open, d.box, kMostBoxes)) return out;
            Box fresh = d.box;
            fresh.in[kState] = box.in[kState];
            const bool never_opened = i < opened_by && d.box.in[kState].holds(kNew);
            if (never_opened) {
                // A denial on a rate or on header fields denies a flow's first packets now and
                // then.
                if (d.exact() && !take_away(left, fresh, kMostBoxes)) return out;
                if (!d.exact()) out.denied.insert(out.denied.end(), hit.begin(), hit.end());
            } else {
                out.denied.insert(out.denied.end(), hit.begin(), hit.end());
            }
            continue;
        }
        if (!d.exact()) continue;
        accepted = accepted || !common(open, d.box).empty();
        if (!take_away(left, d.box, kMostBoxes)) return out;
    }
    out.all = left.empty() && accepted;
    return out;
}

Box established(Box box) {
    box.in[kState] = {kEstablished, kEstablished};
    return box;
}

}  // namespace

Box answer_to(const Box& box) {
    Box out = box;
    std::swap(out.in[kSource], out.in[kDestination]);
    std::swap(out.in[kSourcePort], out.in[kDestinationPort]);
    std::swap(out.in[kIn], out.in[kOut]);
    if (box.in[kIcmpType] == Numbers(0, 255)) return out;
    Numbers types;
    const auto pair = [&](Wide asked, Wide answered) {
        if (box.in[kIcmpType].holds(asked)) types.add(answered, answered);
        if (box.in[kIcmpType].holds(answered)) types.add(asked, asked);
    };
    pair(8, 0), pair(128, 129), pair(13, 14), pair(17, 18);
    out.in[kIcmpType] = types;
    return out;
}

Lives lives(const std::vector<Decision>& decisions, size_t at,
            const std::vector<Decision>* answers) {
    Lives out;
    const Walk forward = walk(decisions, established(decisions[at].box), at);
    out.forward = forward.all && forward.denied.empty();
    if (answers == nullptr) {
        out.back = true;
        return out;
    }
    const Box back = established(answer_to(decisions[at].box));
    // No type answers: only echo has flows.
    if (back.in[kIcmpType].empty()) {
        out.back = true;
        return out;
    }
    Walk backward = walk(*answers, back, 0);
    out.back = backward.all;
    out.denied_back = std::move(backward.denied);
    return out;
}

bool accepts_all(const std::vector<Decision>& decisions, const Box& box) {
    const Walk all = walk(decisions, box, 0);
    return all.all && all.denied.empty();
}

}  // namespace ravelin::import
