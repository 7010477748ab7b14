// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/chain_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/import/answers.h"
#include "controlplane/import/iptables_words.h"

namespace ravelin::import {

using Kind = Decision::Kind;
using Use = Flattener::Use;

namespace {

/// But for their states.
bool overlap(Box a, const Box& b) {
    a.in[kState] = b.in[kState];
    return !a.common(b).empty();
}

// The kernel decrements before FORWARD and POSTROUTING, Ravelin behind its firewall. What arrives
// with 0 or 1 is not forwarded. False: no packet has it.
bool as_it_arrived(Decision& d) {
    const auto ttl = d.members.find("ttl");
    if (ttl == d.members.end()) return true;
    const auto ends = split(ttl->second, '-');
    const auto low = number_of(ends.front(), 255), high = number_of(ends.back(), 255);
    if (!low || !high || *low == 255) return false;
    ttl->second =
        fmt::format("{}-{}", *low == 0 ? 0 : *low + 1, std::min<uint64_t>(*high + 1, 255));
    return true;
}

}  // namespace

ChainRules::ChainRules(const File& file, const Interfaces& interfaces, const std::string& chain,
                       const std::vector<Decision>& before, RuleWriter& writer, Remarks& remarks)
    : file_(file),
      chain_(chain),
      input_(chain == "INPUT"),
      writer_(writer),
      remarks_(remarks),
      start_(universe(interfaces, file.v6)) {
    const Numbers local(interfaces.local(), interfaces.local());
    start_.in[kOut] = input_ ? local : start_.in[kOut].without(local);
    if (start_.empty()) return;
    for (Decision d : before) {
        d.box = d.box.common(start_);
        if (!d.box.empty()) decisions_.push_back(std::move(d));
    }
    own_ = decisions_.size();
    append("mangle", Use::kDenials, chain);
    if (!input_) append("mangle", Use::kDenials, "POSTROUTING");
    append("security", Use::kDenials, chain);
    append("filter", Use::kFilter, chain);
    add_policy();
    take_logs();
}

void ChainRules::append(const char* table, Use use, const std::string& chain) {
    for (Decision& d : Flattener(file_, table, use, remarks_).run(chain, start_))
        if (input_ || as_it_arrived(d)) decisions_.push_back(std::move(d));
}

// A table that is not there accepts; so the kernel does. A chain that is not declared keeps the
// policy it had, which nobody says.
void ChainRules::add_policy() {
    const auto table = file_.tables.find("filter");
    std::string policy = "ACCEPT";
    if (table != file_.tables.end()) {
        const auto chain = table->second.find(chain_);
        policy = chain == table->second.end() ? "" : chain->second.policy;
    }
    const Kind kind = policy == "ACCEPT" ? Kind::kAccept : Kind::kDrop;
    decisions_.push_back({kind, start_, {}, lower(chain_) + "-policy", nullptr, false});
    if (policy != "ACCEPT" && policy != "DROP")
        remarks_.on("filter " + chain_, "the file has no policy ACCEPT or DROP: denied");
}

// LOG decides nothing: what decides next about the very same packets logs them.
void ChainRules::take_logs() {
    for (size_t i = 0; i < decisions_.size(); ++i) {
        if (decisions_[i].kind != Kind::kLog) continue;
        Decision& next = decisions_[i + 1];  // the policy is the last
        const bool rate_only =
            decisions_[i].members.empty() ||
            (decisions_[i].members.size() == 1 && decisions_[i].members.contains("limit"));
        if (next.kind != Kind::kLog && next.box == decisions_[i].box &&
            (decisions_[i].members == next.members || (rate_only && next.members.empty())))
            next.log = true;
        else
            writer_.remark(decisions_[i], "left out: no rule decides about just these packets");
    }
}

void ChainRules::count() const {
    for (size_t i = own_; i < decisions_.size(); ++i) writer_.count(decisions_[i]);
}

void ChainRules::write() {
    for (size_t i = own_; i < decisions_.size(); ++i) {
        if (decisions_[i].denies()) writer_.deny(decisions_[i], accepts_behind(i));
        if (decisions_[i].kind == Kind::kAccept) accept(i);
    }
    if (input_ && !decisions_.empty()) check_own_answers();
}

void ChainRules::accept(size_t at) {
    const Decision& d = decisions_[at];
    const Numbers& states = d.box.in[kState];
    if (!states.holds(kNew)) return writer_.accept(d, true);
    const Lives life = lives(decisions_, at, input_ ? nullptr : &decisions_);
    if (life.both()) {
        for (const Box& denied : life.denied_back) mirror(d, denied);
        return writer_.accept(d, true);
    }
    if (states == Numbers(kNew, kUntracked)) {
        if (!denies_parts_before(at)) return writer_.accept(d, false);
        return writer_.remark(d, "left out: a rule before it denies parts of its flows");
    }
    writer_.remark(d, life.forward ? "left out: no rule accepts the answers"
                                   : "left out: no rule accepts the rest of its flows");
}

// Of the ICMP that is INVALID in Linux some is not here.
bool ChainRules::accepts_behind(size_t at) const {
    Box icmp = decisions_[at].box;
    const Wide protocol = file_.v6 ? 58 : 1;
    icmp.in[kProtocol] = icmp.in[kProtocol].common({protocol, protocol});
    return std::any_of(decisions_.begin() + static_cast<ptrdiff_t>(at), decisions_.end(),
                       [&](const Decision& d) {
                           return d.kind == Kind::kAccept && d.box.in[kState].holds(kInvalid) &&
                                  overlap(d.box, icmp);
                       });
}

// Where packets are judged by themselves nobody knows what is ESTABLISHED or RELATED.
bool ChainRules::denies_parts_before(size_t at) const {
    const auto own = [](const Numbers& states) {
        return !states.holds(kNew) && (states.holds(kEstablished) || states.holds(kRelated));
    };
    return std::any_of(decisions_.begin(), decisions_.begin() + static_cast<ptrdiff_t>(at),
                       [&](const Decision& d) {
                           return d.denies() && own(d.box.in[kState]) &&
                                  overlap(d.box, decisions_[at].box);
                       });
}

// Answers that a rule denies: here the first packet of such a flow is denied.
void ChainRules::mirror(const Decision& d, const Box& denied) {
    Decision first{Kind::kDrop, answer_to(denied), {}, d.name + "-unanswered", d.line, false};
    if (std::ranges::find(mirrored_, first.box) != mirrored_.end()) return;
    mirrored_.push_back(first.box);
    first.box.in[kState] = {kNew, kNew};
    writer_.deny(first, false);
    writer_.remark(d,
                   "flows whose answers another rule denies are denied from their first packet on");
}

// What the box itself opens is answered, whatever the rules say.
void ChainRules::check_own_answers() {
    Box box = start_;
    box.in[kState] = {kEstablished, kEstablished};
    if (!accepts_all(decisions_, box))
        writer_.remark(
            decisions_.back(),
            "answers to what the box itself sends come in here, though no rule accepts them");
}

}  // namespace ravelin::import
