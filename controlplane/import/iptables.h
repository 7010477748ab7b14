// SPDX-License-Identifier: Apache-2.0
// iptables-save files as data: tables, chains, and what each rule matches, as far as Ravelin could
// ever match it.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/import/box.h"
#include "controlplane/import/remarks.h"
#include "dataplane/result.h"

namespace ravelin::import {

/// What a rule asks. Beyond the box: members of a Ravelin rule that say the same, and what has
/// none.
struct Match {
    Box box;
    std::map<std::string, std::string> members;  ///< YAML: "tcp-flags" -> "syn/syn,ack"
    std::string unknown;                         ///< empty, or what cannot be expressed
    int limit_line = 0;                          ///< of the line with `limit`; 0: none
    [[nodiscard]] bool exact() const { return unknown.empty() && members.empty(); }
    [[nodiscard]] Match common(const Match& inner) const;
};

struct Line {
    int number = 0;
    std::string text;
    Match match;
    std::string target;  ///< of -j or -g; empty: none
    bool is_goto = false;
    std::map<std::string, std::string> options;  ///< of the target: "--to-source" -> ...
    std::string comment;
};

struct Chain {
    std::string policy;  ///< ACCEPT, DROP; "-" or empty: a user's
    std::vector<Line> lines;
};

struct File {
    std::string name;
    bool v6 = false;
    std::map<std::string, std::map<std::string, Chain>> tables;
};

/// Names of interfaces, which become ports.
class Interfaces {
  public:
    /// Indices of those that `pattern` means: a name, or one that ends with + and stands for all
    /// that begin so. Names must all be known before the first question.
    [[nodiscard]] Numbers matching(const std::string& pattern) const;
    void know(const std::string& pattern);
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
    [[nodiscard]] Wide local() const { return names_.size(); }
    /// What each name+ is taken for.
    [[nodiscard]] std::vector<std::string> notes() const;

  private:
    std::vector<std::string> names_;
    std::set<std::string> wild_;
};

/// Interfaces named in the text, lo left out.
void collect_interfaces(std::string_view text, Interfaces& interfaces);
/// Adds those that the files leave unnamed; says which, or nothing.
std::string assume_interfaces(Interfaces& interfaces);
/// Everything, of one family.
Box universe(const Interfaces& interfaces, bool v6);
/// Error: FILE:LINE:1: found, expected; also where the file says or shows that rules are missing.
/// What a rule says that nobody here understands is no error but the rule's `unknown`.
Result<File> parse(std::string_view text, const std::string& name, bool v6,
                   const Interfaces& interfaces);

}  // namespace ravelin::import
