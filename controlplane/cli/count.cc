// SPDX-License-Identifier: Apache-2.0
// counters and drops.
#include <fmt/format.h>
#include <fnmatch.h>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

/// A shell pattern over the whole name, or a part of the name where it has no wildcard.
bool matches(const std::string& name, const std::string& pattern) {
    if (pattern.find_first_of("*?[") == std::string::npos)
        return name.find(pattern) != std::string::npos;
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

struct Counters {
    std::string pattern;
    bool all = false;
    size_t hidden_prefix = 0;  ///< characters of the name that go without saying
};

Json chosen(const Json& answer, const char* key, const Counters& options) {
    Json out = Json::array();
    for (const Json& counter : list(answer, key))
        if (matches(text(counter, "name"), options.pattern)) out.push_back(counter);
    return out;
}

ExitCode print_counts(const Context& context, Json answer, const char* key,
                      const Counters& options) {
    answer[key] = chosen(answer, key, options);
    if (context.printed_json(answer)) return kOk;
    Table table({{"NAME"}, {"VALUE", Align::kRight}, {"MEANING"}});
    for (const Json& c : answer[key])
        if (options.all || number(c, "value") > 0)
            table.add({text(c, "name").substr(options.hidden_prefix), grouped(number(c, "value")),
                       text(c, "help")});
    context.print(table);
    return kOk;
}

}  // namespace

void add_count_commands(CLI::App& root, Context& context) {
    auto options = std::make_shared<Counters>();
    CLI::App& counters = add_command(
        root, "counters", "Print the data plane's counters",
        "ravelin counters 'port.lan.*'\nravelin counters --all flows", context,
        [&context, options] {
            return print_counts(context, context.connect().call("counters"), "counters", *options);
        });
    counters.add_option("PATTERN", options->pattern, "Part of the name, or a pattern with * and ?");
    counters.add_flag("--all", options->all, "Also those that are zero");

    auto drops_options = std::make_shared<Counters>();
    drops_options->hidden_prefix = std::string_view("drop.").size();
    CLI::App& drops = add_command(
        root, "drops", "Print how many packets were dropped for which reason",
        "ravelin drops\nravelin drops --all firewall", context, [&context, drops_options] {
            return print_counts(context, context.connect().call("drops"), "drops", *drops_options);
        });
    drops.add_option("PATTERN", drops_options->pattern,
                     "Part of the reason, or a pattern with * and ?");
    drops.add_flag("--all", drops_options->all, "Also the reasons that never happened");
}

}  // namespace ravelin::cli
