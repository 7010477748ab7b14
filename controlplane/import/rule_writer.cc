// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/rule_writer.h"

#include <fmt/format.h>

#include <initializer_list>

#include "controlplane/import/iptables_words.h"

namespace ravelin::import {
namespace {

bool all(const Numbers& states) { return states == Numbers(kNew, kUntracked); }

/// Empty: the usual ones. "[]": none that a rule here could meet.
std::string words(std::initializer_list<std::pair<bool, const char*>> states) {
    std::string out;
    for (const auto& [meant, word] : states)
        if (meant) out += (out.empty() ? "" : ", ") + std::string(word);
    return "[" + out + "]";
}

std::string denied_states(const Numbers& states) {
    if (all(states)) return "";
    return words({{states.holds(kNew), "new"},
                  {states.holds(kRelated), "related"},
                  {states.holds(kNew) || states.holds(kUntracked), "untracked"},
                  {states.holds(kInvalid), "invalid"}});
}

/// What has no flows here (firewall_fresh.cc): IGMP, and ICMP but for echo and errors. Linux tracks
/// IGMP and a few requests, calls neighbour discovery and multicast listeners UNTRACKED, and the
/// rest INVALID (nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c: valid_new,
/// noct_valid_new).
struct Untracked {
    State called;  ///< in Linux
    Wide protocol;
    Numbers types;
};

Numbers numbers(std::initializer_list<Range> ranges) {
    Numbers out;
    for (const Range& r : ranges) out.add(r.low, r.high);
    return out;
}

const std::vector<Untracked>& untracked(bool v6) {
    static const std::vector<Untracked> k4{
        {kNew, 2, {0, 255}},
        {kNew, 1, numbers({{13, 13}, {15, 15}, {17, 17}})},
        {kInvalid, 1, numbers({{1, 2}, {6, 7}, {9, 10}, {14, 14}, {16, 16}, {18, 255}})}};
    static const std::vector<Untracked> k6{
        {kNew, 2, {0, 255}},
        {kNew, 58, {139, 139}},
        {kUntracked, 58, numbers({{130, 136}, {143, 143}})},
        {kInvalid, 58, numbers({{137, 138}, {140, 142}, {144, 255}})}};
    return v6 ? k6 : k4;
}

/// Those of `d` that Linux calls by one of its states.
std::vector<Decision> untracked_of(const Decision& d, bool v6) {
    std::vector<Decision> out;
    for (const Untracked& kind : untracked(v6)) {
        if (!d.box.in[kState].holds(kind.called)) continue;
        Decision part = d;
        part.box.in[kProtocol] = d.box.in[kProtocol].common({kind.protocol, kind.protocol});
        part.box.in[kIcmpType] = d.box.in[kIcmpType].common(kind.types);
        if (!part.box.empty()) out.push_back(std::move(part));
    }
    return out;
}

std::vector<std::string> alternatives(const Decision& d) {
    const auto flags = d.members.find("tcp-flags");
    return flags == d.members.end() ? std::vector<std::string>{""} : split(flags->second, '|');
}

}  // namespace

void RuleWriter::remark(const Decision& d, const std::string& why, bool lost) {
    d.line == nullptr ? remarks_.on(d.name, why, lost) : remarks_.on(*d.line, why, lost);
}

void RuleWriter::count(const Decision& d) {
    if (d.limit_line == 0 || d.kind == Decision::Kind::kLog) return;
    const Numbers& states = d.box.in[kState];
    const bool twice = d.denies() && states.holds(kInvalid) && !states.holds(kNew);
    sharing_[d.limit_line] += alternatives(d).size() * (twice ? 2 : 1);
}

// Beyond a rate that others use up as well there is more than beyond one of its own.
Decision RuleWriter::unlimited(const Decision& d) {
    Decision out = d;
    const auto limit = out.members.find("limit");
    if (limit == out.members.end() || limit->second.find("over: true") == std::string::npos)
        return out;
    if (sharing_[d.limit_line] == 1 && !d.limit_shared) return out;
    out.members.erase(limit);
    remark(d, "denies more than it says: several rules here share one rate there");
    return out;
}

void RuleWriter::deny(const Decision& d, bool accepts_behind) {
    const Decision said = unlimited(d);
    const char* action = d.kind == Decision::Kind::kReject ? "reject" : "drop";
    // What denies ESTABLISHED alone has no packets here: lives() takes the flows away.
    const Numbers& states = d.box.in[kState];
    const std::string names = denied_states(states);
    if (names != "[]") write(said, action, names);
    if (!accepts_behind || !states.holds(kInvalid) || states.holds(kNew) ||
        states.holds(kUntracked))
        return;
    Decision invalid = said;
    invalid.box.in[kState] = {kInvalid, kInvalid};
    for (const Decision& part : untracked_of(invalid, file_.v6)) write(part, action, "[untracked]");
}

void RuleWriter::accept(const Decision& d, bool stateful) {
    const Numbers& states = d.box.in[kState];
    if (all(states)) return write(d, "accept", "", stateful);
    const std::string names =
        words({{states.holds(kNew), "new"}, {states.holds(kRelated), "related"}});
    if (names != "[]") write(d, "accept", names);
    Decision told = d;
    told.box.in[kState] = states.without({kInvalid, kInvalid});
    for (const Decision& part : untracked_of(told, file_.v6)) write(part, "accept", "[untracked]");
    if (states.holds(kUntracked) && !file_.v6)
        remark(d, "UNTRACKED is left out: in IPv4 nothing is unless NOTRACK says so", false);
    if (states.holds(kInvalid)) remark(d, "left out: what is INVALID there is more here");
}

void RuleWriter::write(const Decision& d, const char* action, const std::string& states,
                       bool stateful) {
    for (const std::string& alternative : alternatives(d)) {
        if (d.kind == Decision::Kind::kAccept && d.limit_line != 0 &&
            !begun_.insert(d.limit_line).second)
            return remark(d, "left out in part: several rules here would each have the rate");
        std::string line = fmt::format("{{name: {}, action: {}, family: {}", names_.unique(d.name),
                                       action, file_.v6 ? "ip6" : "ip4");
        line += members_of(d.box, interfaces_, file_.v6);
        for (const auto& [name, value] : d.members)
            line += name == "tcp-flags" ? fmt::format(", tcp-flags: '{}'", alternative)
                                        : fmt::format(", {}: {}", name, value);
        if (!states.empty()) line += ", state: " + states;
        if (!stateful) line += ", stateful: false";
        if (d.log) line += ", log: true";
        out_.push_back(line + "}");
    }
}

}  // namespace ravelin::import
