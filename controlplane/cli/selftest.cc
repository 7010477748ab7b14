// SPDX-License-Identifier: Apache-2.0
// selftest: whether the rules in force do what they say.
#include <fmt/format.h>

#include <map>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

constexpr int kTimeoutMs = 300'000;  // 10,000 rules take seconds

ExitCode self_test(const Context& context) {
    const Json answer = context.connect().call("selftest", Json::object(), kTimeoutMs);
    const uint64_t failed = number(answer, "failed");
    if (context.printed_json(answer)) return failed == 0 ? kOk : kFailed;
    std::map<std::string, size_t> counts;
    Table table({{"RULE"}, {"ACTION"}, {"PROOF"}, {"BY"}, {"PACKET"}});
    for (const Json& rule : list(answer, "rules")) {
        const std::string proof = text(rule, "proof");
        ++counts[proof];
        if (proof != "holds")
            table.add({text(rule, "rule"), text(rule, "action"),
                       context.paint(proof, flag(rule, "failed") ? "31" : "33"), text(rule, "by"),
                       printable(text(rule, "packet"))});
    }
    if (!table.empty()) context.print(table);
    std::string summary;
    for (const auto& [proof, count] : counts)
        summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, proof);
    context.print(fmt::format("{} rules of generation {}: {}\n", list(answer, "rules").size(),
                              number(answer, "generation"), summary));
    return failed == 0 ? kOk : kFailed;
}

}  // namespace

void add_selftest_command(CLI::App& root, Context& context) {
    add_command(root, "selftest",
                "Run made packets for each rule through the policy in force, unseen, to show that "
                "rules do what they say",
                "ravelin selftest\nravelin selftest --json", context,
                [&context] { return self_test(context); });
}

}  // namespace ravelin::cli
