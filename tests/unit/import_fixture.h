// SPDX-License-Identifier: Apache-2.0
// Tests of `import`: a file's text in, the outcome's rules and remarks out. That the outcome loads
// is asserted each time.
#pragma once
#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include "controlplane/compile/compiler.h"
#include "controlplane/import/import.h"

namespace ravelin::import {

inline std::string filter(const std::string& lines, const std::string& forward = "DROP",
                          const std::string& input = "DROP") {
    return "*filter\n:INPUT " + input + " [0:0]\n:FORWARD " + forward +
           " [0:0]\n:OUTPUT ACCEPT [0:0]\n" + lines + "COMMIT\n";
}

class ImportFixture : public ::testing::Test {
  protected:
    void take(const std::string& text, bool v6 = false) {
        auto imported = import_iptables({{"rules", text, v6}});
        ASSERT_TRUE(imported.ok()) << imported.error().message;
        out_ = std::move(*imported);
        rules_.clear();
        std::istringstream in(out_.yaml);
        for (std::string line; std::getline(in, line);)
            if (const size_t at = line.find("- {name: "); at != line.npos)
                if (line.find("device:") == line.npos && line.find("builtin/") == line.npos)
                    rules_.push_back(line.substr(at + 2));
        control::Compiler compiler;
        const auto compiled = compiler.compile(out_.yaml, "imported.yaml", {});
        EXPECT_TRUE(compiled.ok()) << compiled.error().message << '\n' << out_.yaml;
    }
    std::vector<std::string> lost() const {
        std::vector<std::string> out;
        for (const Remark& r : out_.remarks)
            if (r.lost) out.push_back(std::to_string(r.line) + ": " + r.why);
        return out;
    }
    /// The line of the rule named so; empty: there is none.
    std::string rule(const std::string& name) const {
        for (const std::string& line : rules_)
            if (line.starts_with("{name: " + name + ",")) return line;
        return "";
    }
    Imported out_;
    std::vector<std::string> rules_;
};

inline const std::string kAnswers =
    "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT\n";

}  // namespace ravelin::import
