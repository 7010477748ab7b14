// SPDX-License-Identifier: Apache-2.0
// functions: what they took.
#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

ExitCode functions(const Context& context) {
    const Json answer = context.connect().call("functions");
    if (context.printed_json(answer)) return kOk;
    Table table({{"FUNCTION"},
                 {"TYPE"},
                 {"WORKER", Align::kRight},
                 {"RUNS", Align::kRight},
                 {"PACKETS", Align::kRight},
                 {"NOT RUN", Align::kRight},
                 {"CYCLES", Align::kRight},
                 {"LONGEST RUN", Align::kRight},
                 {"HALF WITHIN", Align::kRight},
                 {"99.9 % WITHIN", Align::kRight}});
    for (const Json& f : list(answer, "functions")) {
        const bool any = number(f, "packets") != 0;
        table.add({text(f, "name"), text(f, "type"),
                   f.contains("worker") ? grouped(number(f, "worker")) : "any",
                   grouped(number(f, "runs")), grouped(number(f, "packets")),
                   grouped(number(f, "not_run")), scaled(real(f, "cycles")),
                   grouped(number(f, "longest")), any ? grouped(number(f, "half_cycles")) : "-",
                   any ? grouped(number(f, "most_cycles")) : "-"});
    }
    context.print(table);
    return kOk;
}

}  // namespace

void add_functions_command(CLI::App& root, Context& context) {
    add_command(root, "functions",
                "List functions: packets they were run for, and cycles a packet took",
                "ravelin functions\nravelin --json functions", context,
                [&context] { return functions(context); });
}

}  // namespace ravelin::cli
