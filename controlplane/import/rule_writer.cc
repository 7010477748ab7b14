// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/rule_writer.h"

#include <fmt/format.h>

#include "controlplane/import/iptables_words.h"

namespace ravelin::import {
namespace {

/// Empty: the usual ones. "[]": none that a rule here could meet.
std::string state_words(const Numbers& states, bool accepts) {
    if (states == Numbers(kNew, kUntracked)) return "";
    std::string out;
    const auto add = [&](const char* word) {
        out += (out.empty() ? "" : ", ") + std::string(word);
    };
    if (states.holds(kNew)) add("new");
    if (states.holds(kRelated)) add("related");
    if (states.holds(kUntracked) || (states.holds(kNew) && !accepts)) add("untracked");
    if (states.holds(kInvalid) && !accepts) add("invalid");
    return "[" + out + "]";
}

std::vector<std::string> alternatives(const Decision& d) {
    const auto flags = d.members.find("tcp-flags");
    return flags == d.members.end() ? std::vector<std::string>{""} : split(flags->second, '|');
}

}  // namespace

void RuleWriter::remark(const Decision& d, const std::string& why, bool lost) {
    d.line == nullptr ? remarks_.on(d.name, why, lost) : remarks_.on(*d.line, why, lost);
}

void RuleWriter::deny(const Decision& d) {
    // What denies ESTABLISHED alone has no packets here: lives() takes the flows away.
    const std::string words = state_words(d.box.in[kState], false);
    if (words != "[]") write(d, d.kind == Decision::Kind::kReject ? "reject" : "drop", words);
}

void RuleWriter::accept(const Decision& d, bool stateful) {
    const Numbers& states = d.box.in[kState];
    const std::string words = state_words(states, true);
    if (words != "[]") return write(d, "accept", words, stateful);
    if (!states.holds(kEstablished)) remark(d, "left out: what is INVALID there is more here");
}

void RuleWriter::write(const Decision& d, const char* action, const std::string& states,
                       bool stateful) {
    for (const std::string& alternative : alternatives(d)) {
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
