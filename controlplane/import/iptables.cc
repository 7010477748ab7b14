// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/iptables.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "controlplane/import/file_checks.h"
#include "controlplane/import/iptables_rule.h"

namespace ravelin::import {
namespace {

/// Words of a line; double quotes hold spaces, a backslash before a quote is dropped.
std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> out;
    std::string word;
    bool quoted = false, any = false;
    for (size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '\\' && i + 1 < line.size()) {
            word += line[++i];
            any = true;
        } else if (c == '"') {
            quoted = !quoted;
            any = true;
        } else if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
            if (any) out.push_back(std::exchange(word, {}));
            any = false;
        } else {
            word += c;
            any = true;
        }
    }
    if (any) out.push_back(word);
    return out;
}

bool begins(const std::string& pattern, const std::string& name) {
    return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace

Match Match::common(const Match& inner) const {
    Match out = inner;
    out.box = box.common(inner.box);
    for (const auto& [name, value] : members) {
        const auto [at, fresh] = out.members.try_emplace(name, value);
        // The same rate twice are two buckets.
        if (!fresh && (at->second != value || name == "limit"))
            out.unknown = fmt::format("two conditions on {}", name);
    }
    if (!unknown.empty()) out.unknown = unknown;
    if (limit_line != 0) out.limit_line = limit_line;
    return out;
}

void Interfaces::know(const std::string& pattern) {
    if (pattern.empty() || pattern == "lo" || pattern == "+") return;
    const bool wild = pattern.back() == '+';
    if (wild) wild_.insert(pattern);
    const bool known = std::ranges::any_of(names_, [&](const std::string& name) {
        return wild ? begins(pattern, name) : name == pattern;
    });
    // Nobody says how many ppp+ there are: one, and the operator adds the others.
    if (!known) names_.push_back(wild ? pattern.substr(0, pattern.size() - 1) + "0" : pattern);
}

Numbers Interfaces::matching(const std::string& pattern) const {
    Numbers out;
    for (size_t i = 0; i < names_.size(); ++i)
        if (pattern.ends_with('+') ? begins(pattern, names_[i]) : names_[i] == pattern)
            out.add(i, i);
    return out;
}

std::vector<std::string> Interfaces::notes() const {
    std::vector<std::string> out;
    for (const std::string& pattern : wild_) {
        std::string meant;
        for (const std::string& name : names_)
            if (begins(pattern, name)) meant += (meant.empty() ? "" : ", ") + name;
        out.push_back(fmt::format("{} is taken for {} alone; name further ports in its rules",
                                  pattern, meant));
    }
    return out;
}

void collect_interfaces(std::string_view text, Interfaces& interfaces) {
    std::vector<std::string> wild;
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) {
        const auto words = words_of(line);
        for (size_t i = 0; i + 1 < words.size(); ++i) {
            const bool names = words[i] == "-i" || words[i] == "-o" ||
                               words[i] == "--in-interface" || words[i] == "--out-interface";
            if (!names) continue;
            const std::string& name =
                words[i + 1] == "!" && i + 2 < words.size() ? words[i + 2] : words[i + 1];
            name.ends_with('+') ? wild.push_back(name) : interfaces.know(name);
        }
    }
    for (const std::string& pattern : wild) interfaces.know(pattern);
}

std::string assume_interfaces(Interfaces& interfaces) {
    if (interfaces.names().size() > 1) return {};
    if (!interfaces.names().empty()) {
        interfaces.know("other");
        return "one interface is named: port other stands for the rest";
    }
    interfaces.know("eth0");
    return "no interface is named: one port eth0 is assumed";
}

Box universe(const Interfaces& interfaces, bool v6) {
    const Wide address = v6 ? ~Wide{0} : Wide{0xffffffff}, local = interfaces.local();
    Box out;
    out.in[kProtocol] = {0, 255};
    out.in[kSource] = out.in[kDestination] = {0, address};
    out.in[kSourcePort] = out.in[kDestinationPort] = {0, 65535};
    out.in[kIcmpType] = {0, 255};
    out.in[kIn] = local == 0 ? Numbers{} : Numbers{0, local - 1};
    out.in[kOut] = {0, local};
    out.in[kState] = {kNew, kUntracked};
    return out;
}

namespace {

/// What iptables-nft-save says of rules that it does not print.
bool says_rules_are_missing(const std::string& comment) {
    return comment.find("tables-legacy tables present") != comment.npos ||
           comment.find("is incompatible, use 'nft' tool") != comment.npos ||
           comment.find("contains incompatible base-chains") != comment.npos;
}

class FileReader {
  public:
    FileReader(const std::string& name, bool v6, const Interfaces& interfaces)
        : interfaces_(interfaces), out_{name, v6, {}} {}

    Result<File> read(std::string_view text) {
        std::istringstream in{std::string(text)};
        for (std::string line; std::getline(in, line);) {
            ++number_;
            if (Status read = one(line); !read) return std::move(read.error());
        }
        if (table_ != nullptr)
            return Error{fmt::format("{}:{}:1: found the end, expected COMMIT of *{} first",
                                     out_.name, number_ + 1, table_name_)};
        if (out_.tables.empty())
            return Error{
                fmt::format("{}:1:1: no table, expected what iptables-save prints", out_.name)};
        if (Status fits = check_chains(out_); !fits) return std::move(fits.error());
        distrust_changed_fields(out_);
        return std::move(out_);
    }

  private:
    Error wrong(const std::string& line, const std::string& expected) const {
        return Error{
            fmt::format("{}:{}:1: found '{}', expected {}", out_.name, number_, line, expected)};
    }
    Status one(const std::string& line) {
        auto words = words_of(line);
        if (!words.empty() && words[0].starts_with('#')) {
            if (!says_rules_are_missing(line)) return ok_status();
            return wrong(line, "all rules in the file");
        }
        // [packets:bytes] of iptables-save -c
        if (!words.empty() && words[0].starts_with('[')) words.erase(words.begin());
        if (words.empty()) return ok_status();
        if (words[0].starts_with('*')) return begin(line, words[0].substr(1));
        if (table_ == nullptr)
            return wrong(line, "a table like *filter first, as iptables-save writes it");
        if (words[0] == "COMMIT") {
            table_ = nullptr;
        } else if (words[0].starts_with(':') && words.size() >= 2) {
            (*table_)[words[0].substr(1)].policy = words[1];
        } else if ((words[0] == "-A" || words[0] == "--append") && words.size() >= 2) {
            append(line, words);
        } else {
            return wrong(line, "*TABLE, :CHAIN POLICY, -A CHAIN ... or COMMIT");
        }
        return ok_status();
    }
    Status begin(const std::string& line, const std::string& name) {
        if (table_ != nullptr) return wrong(line, "COMMIT of *" + table_name_ + " first");
        const auto [at, fresh] = out_.tables.try_emplace(name);
        if (!fresh) return wrong(line, "each table once");
        table_ = &at->second;
        table_name_ = name;
        return ok_status();
    }
    void append(const std::string& line, const std::vector<std::string>& words) {
        Line rule{number_, line, {}, {}, false, {}, {}};
        const Box all = universe(interfaces_, out_.v6);
        rule.match.box = all;
        read_rule({words.begin() + 2, words.end()}, out_.v6, interfaces_, rule);
        // Nothing is tracked yet in raw.
        if (table_name_ == "raw" && rule.match.box.in[kState] != all.in[kState]) {
            rule.match.box.in[kState] = all.in[kState];
            if (rule.match.unknown.empty()) rule.match.unknown = "a state in raw";
        }
        (*table_)[words[1]].lines.push_back(std::move(rule));
    }

    const Interfaces& interfaces_;
    File out_;
    std::map<std::string, Chain>* table_ = nullptr;
    std::string table_name_;
    int number_ = 0;
};

}  // namespace

Result<File> parse(std::string_view text, const std::string& name, bool v6,
                   const Interfaces& interfaces) {
    return FileReader(name, v6, interfaces).read(text);
}

}  // namespace ravelin::import
