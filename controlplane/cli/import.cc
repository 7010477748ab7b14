// SPDX-License-Identifier: Apache-2.0
// import: rule sets of others as a configuration. Needs no control plane.
#include "controlplane/import/import.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

struct Import {
    std::string file, ip6, output;
};

std::string contents(const std::string& file) {
    std::stringstream text;
    std::ifstream in(file, std::ios::binary);
    if (!in || !(text << in.rdbuf() || in.peek() == EOF))
        throw Failure(kFailed, fmt::format("{}: {}", file, std::strerror(errno)));
    return text.str();
}

Json json_of(const import::Imported& imported) {
    Json remarks = Json::array();
    for (const import::Remark& r : imported.remarks)
        remarks.push_back({{"file", r.file},
                           {"line", r.line},
                           {"text", r.text},
                           {"why", r.why},
                           {"lost", r.lost}});
    return {{"rules", imported.rules},
            {"lost", imported.lost()},
            {"remarks", std::move(remarks)},
            {"text", imported.yaml}};
}

/// FILE:LINE: why: the source's text. To stderr, as the configuration may go to stdout.
void print_remarks(const import::Imported& imported) {
    for (const import::Remark& r : imported.remarks)
        fmt::print(stderr, "{}:{}: {}{}{}\n", r.file, r.line, r.lost ? "" : "note: ", r.why,
                   r.text.empty() ? "" : ": " + printable(r.text));
    fmt::print(stderr, "{} rules; {} remarks, {} on what is left out or said otherwise\n",
               imported.rules, imported.remarks.size(), imported.lost());
}

ExitCode iptables(const Context& context, const Import& options) {
    std::vector<import::Source> sources{{options.file, contents(options.file), false}};
    if (!options.ip6.empty()) sources.push_back({options.ip6, contents(options.ip6), true});
    auto imported = import::import_iptables(sources);
    if (!imported) throw Failure(kFailed, imported.error().message);
    if (!options.output.empty()) {
        std::ofstream out(options.output, std::ios::binary);
        if (!(out << imported->yaml).flush())
            throw Failure(kFailed, fmt::format("{}: {}", options.output, std::strerror(errno)));
    }
    if (!context.printed_json(json_of(*imported))) {
        if (options.output.empty()) context.print(imported->yaml);
        print_remarks(*imported);
    }
    return imported->lost() == 0 ? kOk : kWarnings;
}

}  // namespace

void add_import_command(CLI::App& root, Context& context) {
    CLI::App& import_command =
        add_command(root, "import", "Make a configuration of another firewall's rules",
                    "ravelin import iptables-save rules.v4 --ip6 rules.v6 -o policy.yaml", context,
                    [] { return kUsage; });
    import_command.callback([] {});  // runs after that of the subcommand, which has chosen
    import_command.require_subcommand(1);
    auto options = std::make_shared<Import>();
    CLI::App& command = add_command(
        import_command, "iptables-save",
        "Never more open than the source; exit 4 and a remark where something could not be said",
        "ravelin import iptables-save rules.v4 --ip6 rules.v6 -o policy.yaml", context,
        [&context, options] { return iptables(context, *options); });
    command.add_option("FILE", options->file, "What iptables-save printed")
        ->required()
        ->type_name("FILE");
    command
        .add_option("--ip6", options->ip6, "What ip6tables-save printed; default: IPv6 is denied")
        ->type_name("FILE");
    command.add_option("-o,--output", options->output, "Write the configuration here")
        ->type_name("FILE");
}

}  // namespace ravelin::cli
