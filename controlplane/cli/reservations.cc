// SPDX-License-Identifier: Apache-2.0
// reservations: whose packets leave which port by when, and what ports have left to promise.
#include <fmt/format.h>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

std::string rate_text(uint64_t bits) { return scaled(static_cast<double>(bits), "bit/s"); }

std::string deadline_text(const Json& reservation) {
    constexpr double kNsPerMs = 1e6;
    return fmt::format("{:.4g} ms",
                       static_cast<double>(number(reservation, "deadline_ns")) / kNsPerMs);
}

/// What came of it; "-" where the data plane did not say.
std::string count_text(const Json& reservation, const char* what) {
    return reservation.contains(what) ? grouped(number(reservation, what)) : "-";
}

ExitCode show(const Context& context) {
    const Json answer = context.connect().call("reservations");
    if (context.printed_json(answer)) return kOk;
    Table table({{"RESERVATION"},
                 {"PRINCIPAL"},
                 {"OUT"},
                 {"BYTES", Align::kRight},
                 {"RATE", Align::kRight},
                 {"DEADLINE", Align::kRight},
                 {"SENT", Align::kRight},
                 {"USED", Align::kRight},
                 {"LATE", Align::kRight},
                 {"DROPPED", Align::kRight}});
    for (const Json& r : list(answer, "reservations"))
        table.add({text(r, "name"), text(r, "principal"), text(r, "out"),
                   fmt::format("{} B", number(r, "bytes")),
                   scaled(static_cast<double>(number(r, "rate_pps")), "pps"), deadline_text(r),
                   count_text(r, "sent"), count_text(r, "used"), count_text(r, "late"),
                   count_text(r, "dropped")});
    context.print(table);
    for (const Json& p : list(answer, "ports"))
        context.print(fmt::format("port {}: {} of {} reserved, {} for the box itself\n",
                                  text(p, "port"), rate_text(number(p, "reserved")),
                                  rate_text(number(p, "rate")), rate_text(number(p, "box"))));
    if (const std::string problem = text(answer, "problem"); !problem.empty())
        context.print("the data plane did not say what came of them: " + printable(problem) + "\n");
    return kOk;
}

}  // namespace

void add_reservations_command(CLI::App& root, Context& context) {
    add_command(root, "reservations",
                "List whose packets leave which port by when, and what ports have left to promise",
                "ravelin reservations", context, [&context] { return show(context); });
}

}  // namespace ravelin::cli
