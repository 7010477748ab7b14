// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/filter_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/import/answers.h"
#include "controlplane/import/iptables_words.h"

namespace ravelin::import {
namespace {

using Kind = Decision::Kind;

class ChainRules {
  public:
    ChainRules(const File& file, const Interfaces& interfaces, Names& names, Remarks& remarks,
               bool input)
        : file_(file), interfaces_(interfaces), names_(names), remarks_(remarks), input_(input) {}

    std::vector<std::string> run(const std::string& chain) {
        Box start = universe(interfaces_, file_.v6);
        start.in[kOut] = input_
                             ? Numbers(interfaces_.local(), interfaces_.local())
                             : start.in[kOut].without({interfaces_.local(), interfaces_.local()});
        if (start.empty()) return {};
        for (const char* table : {"raw", "mangle"})
            for (const std::string& before : {std::string("PREROUTING"), chain})
                append(
                    Flattener(file_, table, Flattener::Use::kDenials, remarks_).run(before, start));
        append(Flattener(file_, "filter", Flattener::Use::kFilter, remarks_).run(chain, start));
        add_policy(chain, start);
        take_logs();
        for (size_t i = 0; i < decisions_.size(); ++i) emit(i);
        if (input_) check_own_answers(start);
        return std::move(out_);
    }

  private:
    void append(std::vector<Decision> more) {
        std::ranges::move(more, std::back_inserter(decisions_));
    }
    // A table that is not there accepts; so the kernel does.
    void add_policy(const std::string& chain, const Box& start) {
        const auto table = file_.tables.find("filter");
        std::string policy = "ACCEPT";
        if (table != file_.tables.end() && table->second.contains(chain))
            policy = table->second.at(chain).policy;
        const Kind kind = policy == "DROP" ? Kind::kDrop : Kind::kAccept;
        decisions_.push_back({kind, start, {}, lower(chain) + "-policy", nullptr, false});
    }
    // LOG decides nothing: what decides next about the very same packets logs them.
    void take_logs() {
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
                remark(decisions_[i], "left out: no rule decides about just these packets");
        }
    }
    void remark(const Decision& d, const std::string& why) {
        d.line == nullptr ? remarks_.on(d.name, why) : remarks_.on(*d.line, why);
    }

    void emit(size_t at) {
        const Decision& d = decisions_[at];
        if (d.kind == Kind::kLog || d.kind == Kind::kTranslate) return;
        if (d.denies())
            deny(d);
        else
            accept(at);
    }
    void deny(const Decision& d) {
        const Numbers& states = d.box.in[kState];
        // What denies ESTABLISHED alone has no packets here: lives() takes the flows away.
        std::string words = state_words(states, false);
        if (words == "[]") return;
        write(d, d.kind == Kind::kReject ? "reject" : "drop", words, false);
    }
    void accept(size_t at) {
        const Decision& d = decisions_[at];
        const Numbers& states = d.box.in[kState];
        if (!states.holds(kNew)) {
            const std::string words = state_words(states, true);
            if (words != "[]") return write(d, "accept", words, false);
            if (!states.holds(kEstablished))
                remark(d, "left out: what is INVALID there is more here");
            return;
        }
        const Lives life = lives(decisions_, at, input_ ? nullptr : &decisions_);
        if (life.both()) {
            for (const Box& denied : life.denied_back) mirror(d, denied);
            return write(d, "accept", state_words(states, true), false);
        }
        if (states.holds(kEstablished)) return write(d, "accept", "", true);
        remark(d, life.forward ? "left out: no rule accepts the answers"
                               : "left out: no rule accepts the rest of its flows");
    }
    // Answers that a rule denies: here the first packet of such a flow is denied.
    void mirror(const Decision& d, const Box& denied) {
        Decision first{Kind::kDrop, answer_to(denied), {}, d.name + "-unanswered", d.line, false};
        if (std::ranges::find(mirrored_, first.box) != mirrored_.end()) return;
        mirrored_.push_back(first.box);
        write(first, "drop", "[new, untracked]", false);
        remark(d, "flows whose answers another rule denies are denied from their first packet on");
    }

    /// Empty: the usual ones. "[]": none that a rule here could meet.
    static std::string state_words(const Numbers& states, bool accepts) {
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
    void write(const Decision& d, const char* action, const std::string& states, bool stateless) {
        const auto flags = d.members.find("tcp-flags");
        const auto alternatives =
            flags == d.members.end() ? std::vector<std::string>{""} : split(flags->second, '|');
        for (const std::string& alternative : alternatives) {
            std::string line = fmt::format("{{name: {}, action: {}, family: {}",
                                           names_.unique(d.name), action, file_.v6 ? "ip6" : "ip4");
            line += members_of(d.box, interfaces_, file_.v6);
            for (const auto& [name, value] : d.members)
                line += name == "tcp-flags" ? fmt::format(", tcp-flags: '{}'", alternative)
                                            : fmt::format(", {}: {}", name, value);
            if (!states.empty()) line += ", state: " + states;
            if (stateless) line += ", stateful: false";
            if (d.log) line += ", log: true";
            out_.push_back(line + "}");
        }
    }
    // What the box itself opens is answered, whatever the rules say.
    void check_own_answers(Box box) {
        box.in[kState] = {kEstablished, kEstablished};
        if (!accepts_all(decisions_, box))
            remark(
                decisions_.back(),
                "answers to what the box itself sends come in here, though no rule accepts them");
    }

    const File& file_;
    const Interfaces& interfaces_;
    Names& names_;
    Remarks& remarks_;
    bool input_;
    std::vector<Decision> decisions_;
    std::vector<Box> mirrored_;
    std::vector<std::string> out_;
};

/// Ravelin does not judge what the box itself sends.
void remark_output(const File& file, Remarks& remarks) {
    for (const auto& [table, chains] : file.tables) {
        const auto output = chains.find("OUTPUT");
        if (output == chains.end() || (table != "filter" && table != "raw" && table != "mangle"))
            continue;
        if (output->second.policy == "DROP")
            remarks.on(table + " OUTPUT policy DROP", "what the box itself sends is not judged");
        for (const Line& line : output->second.lines)
            remarks.on(line, "what the box itself sends is not judged",
                       line.target != "ACCEPT" || output->second.policy == "DROP");
    }
}

}  // namespace

std::vector<std::string> filter_rules(const File& file, const Interfaces& interfaces, Names& names,
                                      Remarks& remarks) {
    std::vector<std::string> out;
    for (const char* chain : {"FORWARD", "INPUT"}) {
        auto more = ChainRules(file, interfaces, names, remarks, std::string_view(chain) == "INPUT")
                        .run(chain);
        std::ranges::move(more, std::back_inserter(out));
    }
    remark_output(file, remarks);
    return out;
}

}  // namespace ravelin::import
