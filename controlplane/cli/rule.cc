// SPDX-License-Identifier: Apache-2.0
// rule add, del, list: rules that change without a new generation.
#include <fmt/format.h>

#include "controlplane/cli/command.h"
#include "controlplane/cli/session.h"

namespace ravelin::cli {
namespace {

struct Rule {
    std::string text, before, after;
    bool first = false, last = false, force = false;
};

void print_done(const Context& context, const Json& answer, const char* what) {
    context.print(fmt::format("{}; in force on all workers within {:.0f} us\n", what,
                              answer.value("live_us", 0.0)));
}

ExitCode add(const Context& context, const Rule& rule) {
    Json params{{"rule", rule.text},
                {"place", rule.first ? "first" : "last"},
                {"force", rule.force},
                {"session", ssh_session()}};
    if (!rule.before.empty()) params.update({{"place", "before"}, {"anchor", rule.before}});
    if (!rule.after.empty()) params.update({{"place", "after"}, {"anchor", rule.after}});
    const Json answer = context.connect().call("rule-add", params);
    if (!context.printed_json(answer)) print_done(context, answer, "added");
    return kOk;
}

ExitCode del(const Context& context, const Rule& rule) {
    const Json answer = context.connect().call(
        "rule-del", {{"name", rule.text}, {"force", rule.force}, {"session", ssh_session()}});
    if (!context.printed_json(answer)) print_done(context, answer, "deleted");
    return kOk;
}

ExitCode show(const Context& context) {
    const Json answer = context.connect().call("rule-list");
    if (context.printed_json(answer)) return kOk;
    Table table(
        {{"RULE"}, {"ACTION"}, {"LIVE"}, {"PACKETS", Align::kRight}, {"BYTES", Align::kRight}});
    for (const Json& r : list(answer, "rules"))
        table.add({text(r, "name"), text(r, "action"), "added", grouped(number(r, "packets")),
                   bytes(number(r, "bytes"))});
    for (const Json& name : list(answer, "deleted"))
        table.add({name.get<std::string>(), "", "deleted", "", ""});
    context.print(table);
    return kOk;
}

}  // namespace

void add_rule_commands(CLI::App& root, Context& context) {
    CLI::App& rule_command =
        add_command(root, "rule", "Change the firewall's rules without a new generation",
                    "ravelin rule add --first '{name: stop, action: drop, from: 192.0.2.66}'\n"
                    "ravelin rule del stop",
                    context, [] { return kUsage; });
    rule_command.callback([] {});  // runs after that of the subcommand, which has chosen
    rule_command.require_subcommand(1);
    auto added = std::make_shared<Rule>();
    CLI::App& add_rule = add_command(
        rule_command, "add", "Add a rule; the next apply drops it unless its file has it",
        "ravelin rule add --before web '{name: stop, action: drop, from: 192.0.2.66}'", context,
        [&context, added] { return add(context, *added); });
    add_rule.add_option("RULE", added->text, "As in the configuration, in braces")->required();
    CLI::Option_group& place = *add_rule.add_option_group("place");
    place.add_option("--before", added->before, "Ahead of this rule")->type_name("NAME");
    place.add_option("--after", added->after, "Behind this rule")->type_name("NAME");
    place.add_flag("--first", added->first, "Ahead of all configured rules");
    place.add_flag("--last", added->last, "Behind all rules; so it is without any of these");
    place.require_option(0, 1);
    add_rule.add_flag("--force", added->force, kForceHelp);
    auto deleted = std::make_shared<Rule>();
    CLI::App& del_rule =
        add_command(rule_command, "del", "Delete a rule", "ravelin rule del stop", context,
                    [&context, deleted] { return del(context, *deleted); });
    del_rule.add_option("NAME", deleted->text, "Of a configured or live rule")->required();
    del_rule.add_flag("--force", deleted->force, kForceHelp);
    add_command(rule_command, "list", "List live changes of the rules; ravelin rules has them all",
                "ravelin rule list", context, [&context] { return show(context); });
}

}  // namespace ravelin::cli
