// SPDX-License-Identifier: Apache-2.0
// history and show: what was in force, when and by whom.
#include <fmt/format.h>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

ExitCode history(const Context& context) {
    const Json answer = context.connect().call("history");
    if (context.printed_json(answer)) return kOk;
    Table table(
        {{""}, {"GENERATION", Align::kRight}, {"STATE"}, {"WHEN"}, {"AUTHOR"}, {"COMMENT"}});
    for (const Json& g : list(answer, "generations"))
        table.add({flag(g, "current") ? "*" : "", std::to_string(number(g, "generation")),
                   text(g, "state"), local_time(number(g, "applied_unix_ms")), text(g, "author"),
                   text(g, "comment")});
    context.print(table);
    return kOk;
}

ExitCode show(const Context& context, uint64_t generation) {
    const Json answer = context.connect().call(
        "show", generation == 0 ? Json::object() : Json{{"generation", generation}});
    if (!context.printed_json(answer)) context.print(text(answer, "text") + text(answer, "live"));
    return kOk;
}

}  // namespace

void add_history_commands(CLI::App& root, Context& context) {
    add_command(root, "history", "List the generations, newest first; * is in force",
                "ravelin history", context, [&context] { return history(context); });
    auto generation = std::make_shared<uint64_t>(0);
    CLI::App& command =
        add_command(root, "show", "Print the configuration of a generation as it was applied",
                    "ravelin show 17 > edge-17.yaml", context,
                    [&context, generation] { return show(context, *generation); });
    command
        .add_option("GENERATION", *generation, "Number in the history; default: the one in force")
        ->check(CLI::PositiveNumber);
}

}  // namespace ravelin::cli
