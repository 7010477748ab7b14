// SPDX-License-Identifier: Apache-2.0
// principals: whom packets are charged to, and what was.
#include <fmt/format.h>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

/// The cap on cpu as it was declared, in either unit or both.
std::string cpu_cap(const Json& caps) {
    const uint64_t percent = number(caps, "cpu"), cycles = number(caps, "cycles");
    std::string out = percent == 0 ? "" : fmt::format("{} %", percent);
    if (cycles == 0) return out;
    return out + (percent == 0 ? "" : ", ") + scaled(static_cast<double>(cycles), "cyc/s");
}

ExitCode principals(const Context& context) {
    const Json answer = context.connect().call("principals");
    if (context.printed_json(answer)) return kOk;
    double cycles = 0;
    for (const Json& p : list(answer, "principals")) cycles += real(p, "cycles");
    Table table({{"PRINCIPAL"},
                 {"FLOWS", Align::kRight},
                 {"AT MOST", Align::kRight},
                 {"BANDWIDTH", Align::kRight},
                 {"CPU", Align::kRight},
                 {"MEMORY", Align::kRight},
                 {"PACKETS", Align::kRight},
                 {"BYTES", Align::kRight},
                 {"DROPS", Align::kRight},
                 {"CYCLES", Align::kRight},
                 {"", Align::kRight}});
    for (const Json& p : list(answer, "principals")) {
        const Json caps = p.value("caps", Json::object());
        const uint64_t most = number(caps, "flows"), rate = number(caps, "bandwidth"),
                       memory = number(caps, "memory");
        table.add({text(p, "name"), grouped(number(p, "flows")), most == 0 ? "" : grouped(most),
                   rate == 0 ? "" : scaled(static_cast<double>(rate), "bit/s"), cpu_cap(caps),
                   memory == 0 ? "" : bytes(memory), grouped(number(p, "packets")),
                   bytes(number(p, "bytes")), grouped(number(p, "drops")),
                   scaled(real(p, "cycles")),
                   fmt::format("{:.1f} %", cycles > 0 ? 100 * real(p, "cycles") / cycles : 0)});
    }
    context.print(table);
    return kOk;
}

}  // namespace

void add_principals_command(CLI::App& root, Context& context) {
    add_command(root, "principals", "List whom packets are charged to, and what was",
                "ravelin principals\nravelin --json principals", context,
                [&context] { return principals(context); });
}

}  // namespace ravelin::cli
