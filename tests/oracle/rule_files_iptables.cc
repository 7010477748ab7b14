// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include "tests/oracle/rule_files.h"

namespace ravelin::oracle {
namespace {

using Words = std::vector<std::string>;

Words split(const std::string& line, const char* at = " ") {
    Words out;
    for (size_t i = 0; i < line.size();) {
        const size_t end = std::min(line.find_first_of(at, i), line.size());
        if (end > i) out.push_back(line.substr(i, end - i));
        i = end + 1;
    }
    return out;
}

std::optional<unsigned> number(const std::string& text, unsigned most) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most) return {};
    return value;
}

/// Reads the words behind `-A CHAIN`; false where one has no translation.
class Line {
  public:
    explicit Line(Words words) : words_(std::move(words)) {}

    std::optional<SetRule> read() {
        for (at_ = 2; at_ < words_.size(); ++at_)
            if (!word(words_[at_])) return std::nullopt;
        if (rule_.action.empty()) return std::nullopt;
        return rule_;
    }

  private:
    std::string next() { return at_ + 1 < words_.size() ? words_[++at_] : std::string{}; }

    bool word(const std::string& w) {
        if (w == "-m") return known_match(next());
        if (w == "-s") return prefix(rule_.match.sources);
        if (w == "-d") return prefix(rule_.match.destinations);
        if (w == "-i") return device(rule_.match.in_ports);
        if (w == "-o") return device(rule_.match.out_ports);
        if (w == "-p") return protocol(next());
        if (w == "--sport" || w == "--sports") return ports(rule_.match.source_ports);
        if (w == "--dport" || w == "--dports") return ports(rule_.match.destination_ports);
        if (w == "--icmp-type") return type(next());
        if (w == "--state" || w == "--ctstate") return states(next());
        if (w == "--reject-with") return !next().empty();  // both sides answer in their own words
        if (w == "-j") return target(next());
        return false;
    }

    static bool known_match(const std::string& name) {
        static const Words known{"tcp",       "udp",       "icmp",   "state",
                                 "conntrack", "multiport", "comment"};
        return std::ranges::find(known, name) != known.end();
    }
    bool prefix(std::vector<Prefix>& to) {
        const auto p = Prefix::parse(next());
        if (p) to.push_back({p->first(), p->length});
        return static_cast<bool>(p);
    }
    // Real devices have no place in the oracle's topology: an even name is lan, an odd one wan.
    bool device(std::vector<uint16_t>& to) {
        const std::string name = next();
        if (name.empty() || name == "lo") return false;
        unsigned sum = 0;
        for (const char c : name) sum += static_cast<unsigned char>(c);
        to.push_back(static_cast<uint16_t>(sum % 2));
        return true;
    }
    bool protocol(const std::string& name) {
        static const std::map<std::string, uint8_t> known{{"tcp", 6},  {"udp", 17}, {"icmp", 1},
                                                          {"gre", 47}, {"esp", 50}, {"ah", 51}};
        const auto found = known.find(name);
        if (found != known.end()) rule_.match.protocols = {found->second};
        return found != known.end() || name == "all";
    }
    bool ports(std::vector<config::PortRange>& to) {
        for (const std::string& part : split(next(), ",")) {
            const Words ends = split(part, ":");
            const auto low = number(ends.front(), 65535), high = number(ends.back(), 65535);
            if (!low || !high || *low > *high || part.front() == ':' || part.back() == ':')
                return false;
            to.push_back({static_cast<uint16_t>(*low), static_cast<uint16_t>(*high)});
        }
        return !to.empty();
    }
    bool type(const std::string& text) {
        const auto value = number(text, 255);
        if (value) rule_.match.icmp_types = {static_cast<uint8_t>(*value)};
        return value.has_value();
    }
    // ESTABLISHED: such packets meet no rule on either side.
    bool states(const std::string& text) {
        std::string out;
        for (std::string s : split(text, ",")) {
            std::ranges::transform(s, s.begin(),
                                   [](char c) { return static_cast<char>(std::tolower(c)); });
            if (s != "new" && s != "established" && s != "related" && s != "invalid") return false;
            out += (out.empty() ? "" : ", ") + s;
        }
        rule_.states = "[" + out + "]";
        return true;
    }
    bool target(const std::string& name) {
        if (name == "ACCEPT") rule_.action = "accept";
        if (name == "DROP") rule_.action = "drop";
        if (name == "REJECT") rule_.action = "reject";
        return !rule_.action.empty();
    }

    Words words_;
    size_t at_ = 0;
    SetRule rule_;
};

}  // namespace

std::vector<RuleSet> read_iptables(const std::string& name, const std::vector<std::string>& lines) {
    std::map<std::string, RuleSet> chains;
    bool filter = false;
    for (const std::string& line : lines) {
        if (line.starts_with('*')) filter = line.starts_with("*filter");
        const Words words = split(line);
        if (!filter || words.size() < 2) continue;
        if (words[0].starts_with(':') && words[1] == "ACCEPT")
            chains[words[0].substr(1)].otherwise = "accept";
        if (words[0] != "-A") continue;
        RuleSet& set = chains[words[1]];
        if (auto rule = Line(words).read())
            set.rules.push_back(std::move(*rule));
        else
            ++set.refused;
    }
    std::vector<RuleSet> out;
    for (auto& named : chains) {
        RuleSet& set = named.second;
        set.name = name + " " + named.first;
        // The loader wants no denied `established`: packets of a flow meet no rule.
        std::erase_if(set.rules, [&](const SetRule& r) {
            return r.states == "[established]" && r.action != "accept" && ++set.refused != 0;
        });
        if (!set.rules.empty()) out.push_back(std::move(set));
    }
    return out;
}

}  // namespace ravelin::oracle
