// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/iptables_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "controlplane/import/iptables_address.h"
#include "controlplane/import/iptables_words.h"
#include "controlplane/import/targets.h"

namespace ravelin::import {
namespace {

class Reader {
  public:
    Reader(const std::vector<std::string>& words, bool v6, const Interfaces& interfaces, Line& rule)
        : words_(words), v6_(v6), interfaces_(interfaces), rule_(rule), all_(rule.match.box) {}

    void read() {
        for (at_ = 0; at_ < words_.size(); ++at_) {
            if (words_[at_] == "!") {
                negated_ = true;
                continue;
            }
            if (!word(words_[at_])) cannot(words_[at_]);
            negated_ = false;
        }
        if (limit_rate_)
            finish_limit();
        else if (limits_)
            cannot("a rate nobody says");
    }

  private:
    // A value may be negated in the old way, `-s ! 10.0.0.1`.
    std::string next() {
        if (at_ + 1 < words_.size() && words_[at_ + 1] == "!") {
            negated_ = true;
            ++at_;
        }
        return text();
    }
    // Whatever it says, be it "!".
    std::string text() { return at_ + 1 < words_.size() ? words_[++at_] : std::string{}; }
    bool cannot(const std::string& what) {
        if (rule_.match.unknown.empty()) rule_.match.unknown = what;
        while (at_ + 1 < words_.size() && !words_[at_ + 1].starts_with('-') &&
               words_[at_ + 1] != "!")
            ++at_;
        return true;
    }
    bool narrow(Dimension d, const Numbers& to) {
        Numbers& now = rule_.match.box.in[d];
        now = now.common(negated_ ? all_.in[d].without(to) : to);
        return true;
    }
    bool member(const std::string& name, const std::string& value) {
        if (negated_ || value.empty()) return cannot(name);
        const auto [at, fresh] = rule_.match.members.try_emplace(name, value);
        return fresh || at->second == value || cannot(name);
    }

    bool word(const std::string& w) {
        if (w == "-m" || w == "--match") return known(next());
        if (w == "-s" || w == "--source" || w == "--src") return addresses(kSource);
        if (w == "-d" || w == "--destination" || w == "--dst") return addresses(kDestination);
        if (w == "-i" || w == "--in-interface") return device(kIn);
        if (w == "-o" || w == "--out-interface") return device(kOut);
        if (w == "-p" || w == "--protocol") return protocol(next());
        if (w == "-f" || w == "--fragment") return later_fragment();
        if (w == "--sport" || w == "--sports" || w == "--source-port" || w == "--source-ports")
            return ports(kSourcePort);
        if (w == "--dport" || w == "--dports" || w == "--destination-port" ||
            w == "--destination-ports")
            return ports(kDestinationPort);
        if (w == "--icmp-type" || w == "--icmpv6-type") return icmp(next());
        if (w == "--state" || w == "--ctstate") return states(next());
        if (w == "--src-range" || w == "--dst-range")
            return address_range(w == "--src-range" ? kSource : kDestination, next());
        if (w == "--comment") return rule_.comment = text(), true;
        if (w == "-j" || w == "--jump" || w == "-g" || w == "--goto") {
            rule_.is_goto = w == "-g" || w == "--goto";
            return rule_.target = next(), true;
        }
        return header_field(w);
    }
    bool header_field(const std::string& w) {
        if (w == "--syn") return flags("syn", "syn,rst,ack,fin");
        if (w == "--tcp-flags") return tcp_flags();
        if (w == "--dscp") return member("dscp", decimal(next(), 63));
        if (w == "--dscp-class") return member("dscp", lower(next()));
        if (w == "--ttl-eq" || w == "--hl-eq") return member("ttl", decimal(next(), 255));
        if (w == "--ttl-lt" || w == "--hl-lt") return below(next());
        if (w == "--ttl-gt" || w == "--hl-gt") return above(next());
        if (w == "--length") return length(next());
        if (w == "--limit" || w == "--hashlimit" || w == "--hashlimit-upto") return rate(next());
        if (w == "--hashlimit-above") return over_ = true, rate(next());
        if (w == "--limit-burst" || w == "--hashlimit-burst") return burst(next());
        if (w == "--hashlimit-mode") return mode_ = next(), true;
        if (w == "--hashlimit-name" || w.starts_with("--hashlimit-htable")) return next(), true;
        return takes_option(rule_.target, w) && target_option(w);
    }

    bool known(const std::string& name) {
        static const std::set<std::string> kKnown{
            "tcp",   "udp",       "sctp",      "icmp",    "icmp6",    "icmpv6",
            "state", "conntrack", "comment",   "limit",   "ttl",      "hl",
            "dscp",  "length",    "multiport", "iprange", "hashlimit"};
        const bool limit = name == "limit" || name == "hashlimit";
        matches_behind_ = matches_behind_ || (limits_ && !limit && name != "comment");
        limits_ = limits_ || limit;
        return kKnown.contains(name) || cannot("-m " + name);
    }
    bool addresses(Dimension d) {
        Numbers out;
        for (const std::string& part : split(next(), ',')) {
            const auto range = network(part, v6_);
            if (!range) return cannot("address " + part);
            out.add(range->low, range->high);
        }
        return narrow(d, out);
    }
    bool address_range(Dimension d, const std::string& text) {
        const size_t dash = text.find('-');
        const auto low = address_of(text.substr(0, dash), v6_);
        const auto high = dash == text.npos ? low : address_of(text.substr(dash + 1), v6_);
        if (!low || !high || wide(*high) < wide(*low)) return cannot("range " + text);
        return narrow(d, {wide(*low), wide(*high)});
    }
    bool device(Dimension d) {
        const std::string name = next();
        if (name == "+") return negated_ ? cannot("no interface") : true;
        return narrow(d, interfaces_.matching(name));
    }
    bool protocol(const std::string& name) {
        if (name == "all" || name == "0") return negated_ ? cannot("no protocol") : true;
        const auto number = protocol_number(name);
        return number ? narrow(kProtocol, {*number, *number}) : cannot("protocol " + name);
    }
    bool later_fragment() {
        if (negated_) return cannot("! -f");  // first fragments too, which `fragment: false` is not
        return cannot("-f");
    }
    bool ports(Dimension d) {
        Numbers out;
        for (const std::string& part : split(next(), ',')) {
            const size_t colon = part.find(':');
            const std::string low = part.substr(0, colon);
            const std::string high = colon == part.npos ? low : part.substr(colon + 1);
            const auto from = low.empty() ? std::optional<uint64_t>(0) : port_number(low);
            const auto to = high.empty() ? std::optional<uint64_t>(65535) : port_number(high);
            if (!from || !to || *from > *to) return cannot("port " + part);
            out.add(*from, *to);
        }
        return narrow(d, out);
    }
    bool icmp(const std::string& text) {
        if (text == "any") return negated_ ? cannot("no ICMP type") : true;
        const auto type = icmp_type(text, v6_);
        if (!type) return cannot("ICMP type " + text);
        if (type->has_code && negated_) return cannot("all but an ICMP code");
        narrow(kIcmpType, {type->type, type->type});
        return type->has_code ? cannot("the code of ICMP type " + text) : true;
    }
    bool states(const std::string& text) {
        Numbers out;
        for (const std::string& part : split(text, ',')) {
            static constexpr std::array<std::string_view, 5> kNames{"new", "established", "related",
                                                                    "invalid", "untracked"};
            const auto at = std::ranges::find(kNames, lower(part));
            if (at == kNames.end()) return cannot("state " + part);
            const auto state = static_cast<Wide>(at - kNames.begin());
            out.add(state, state);
        }
        return narrow(kState, out);
    }
    bool tcp_flags() {
        const std::string mask = next(), set = next();
        const auto list = [](const std::string& words) {
            const std::string low = lower(words);
            return low == "all" ? "fin,syn,rst,psh,ack,urg" : low;
        };
        if (lower(mask) == "none") return cannot("--tcp-flags NONE");
        return flags(list(set), list(mask));
    }
    // Of a negation one of the flags is otherwise: several rules, | between them.
    bool flags(const std::string& set, const std::string& mask) {
        if (!negated_) return member("tcp-flags", fmt::format("{}/{}", set, mask));
        const auto wanted = split(set, ',');
        std::string value;
        for (const std::string& flag : split(mask, ','))
            value +=
                fmt::format("{}{}/{}", value.empty() ? "" : "|",
                            std::ranges::find(wanted, flag) != wanted.end() ? "none" : flag, flag);
        negated_ = false;
        return member("tcp-flags", value);
    }
    static std::string decimal(const std::string& text, uint64_t most) {
        const auto value = number_of(text, most);
        return value ? std::to_string(*value) : "";
    }
    bool below(const std::string& text) {
        const auto value = number_of(text, 255);
        return value && *value > 0 ? member("ttl", fmt::format("0-{}", *value - 1)) : cannot("ttl");
    }
    bool above(const std::string& text) {
        const auto value = number_of(text, 254);
        return value ? member("ttl", fmt::format("{}-255", *value + 1)) : cannot("ttl");
    }
    bool length(const std::string& text) {
        const auto ends = split(text, ':');
        const auto low = number_of(ends.front(), 65535), high = number_of(ends.back(), 65535);
        return low && high ? member("length", fmt::format("{}-{}", *low, *high))
                           : cannot("--length");
    }
    bool burst(const std::string& text) {
        burst_ = decimal(text, 65535);
        return (!burst_.empty() && burst_ != "0") || cannot("burst " + text);
    }
    // "3/minute" and the like; per source with hashlimit. What is not a whole number of packets a
    // second is rounded to less.
    bool rate(const std::string& text) {
        if (limit_rate_) return cannot("two rates");
        const auto parts = split(text, '/');
        const auto count = number_of(parts.front(), 1'000'000);
        const std::string unit = parts.size() == 2 ? parts[1] : "second";
        static constexpr std::array<std::pair<char, uint64_t>, 4> kUnits{
            {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};
        for (const auto& [letter, seconds] : kUnits)
            if (count && *count != 0 && unit.starts_with(letter)) {
                limit_rate_ =
                    *count % seconds == 0
                        ? fmt::format("rate: {}pps", *count / seconds)
                        : fmt::format("every: {}us", (seconds * 1'000'000 + *count - 1) / *count);
                return !negated_ || cannot("! --limit");
            }
        return cannot("rate " + text);
    }
    void finish_limit() {
        std::string more = burst_.empty() ? "" : ", burst: " + burst_;
        if (mode_ == "srcip")
            more += ", per: source";
        else if (mode_ == "dstip")
            more += ", per: destination";
        else if (!mode_.empty())
            cannot("--hashlimit-mode " + mode_);
        if (over_) more += ", over: true";
        if (over_ && matches_behind_) cannot("a rate of more packets than those that match");
        member("limit", "{" + *limit_rate_ + more + "}");
        rule_.match.limit_line = rule_.number;
    }
    // The text of a log may begin with a dash.
    bool target_option(const std::string& w) {
        std::string& value = rule_.options[w];
        const auto belongs = [&](const std::string& text) {
            return !text.starts_with('-') && text != "!";
        };
        if (w.ends_with("-prefix")) value = text();
        while (at_ + 1 < words_.size() && belongs(words_[at_ + 1]))
            value += (value.empty() ? "" : " ") + words_[++at_];
        return true;
    }

    const std::vector<std::string>& words_;
    bool v6_;
    const Interfaces& interfaces_;
    Line& rule_;
    const Box all_;
    size_t at_ = 0;
    bool negated_ = false;
    bool over_ = false, limits_ = false;
    bool matches_behind_ = false;  // the limit counts packets that these do not match
    std::optional<std::string> limit_rate_;
    std::string burst_, mode_;
};

}  // namespace

void read_rule(const std::vector<std::string>& words, bool v6, const Interfaces& interfaces,
               Line& rule) {
    Reader(words, v6, interfaces, rule).read();
}

}  // namespace ravelin::import
