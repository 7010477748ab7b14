// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/command.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ravelin::cli {

void Context::print(std::string_view text) const {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw Failure(kFailed, fmt::format("standard output: {}", std::strerror(errno)));
}

void Context::print_json(const Json& value) const {
    print(value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool Context::printed_json(const Json& answer) const {
    if (json) print_json(answer);
    return json;
}

std::string Context::paint(std::string_view text, const char* colour_code) const {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", colour_code, text) : std::string(text);
}

CLI::App& add_command(CLI::App& root, const std::string& name, const std::string& help,
                      const std::string& examples, Context& context,
                      std::function<ExitCode()> run) {
    CLI::App* command = root.add_subcommand(name, help);
    std::string footer = "Example:";
    for (size_t at = 0; at < examples.size();) {
        const size_t end = std::min(examples.find('\n', at), examples.size());
        footer += "\n  " + examples.substr(at, end - at);
        at = end + 1;
    }
    command->footer(footer);
    command->fallthrough();  // global options may follow the subcommand
    command->callback([&context, run = std::move(run)] { context.chosen = run; });
    return *command;
}

CLI::Option* add_duration(CLI::App& command, const std::string& name, uint64_t& milliseconds,
                          const std::string& help) {
    const auto parse = [&milliseconds](const std::string& text) {
        const auto parsed = parse_duration(text);
        if (!parsed)
            throw CLI::ValidationError(text, "expected a number with ms, s, m or h, such as 60s");
        milliseconds = *parsed;
    };
    return command.add_option_function<std::string>(name, parse, help)->type_name("TIME");
}

void build(CLI::App& root, Context& context) {
    root.add_flag("--json", context.json, "Print JSON: one object, or one a line for streams");
    root.add_option("--run-dir", context.run_dir, "Directory of control.sock")
        ->envname("RAVELIN_RUN_DIR")
        ->capture_default_str()
        ->type_name("DIR")
        ->take_last();
    root.set_version_flag("--version", std::string("ravelin ") + RAVELIN_VERSION);
    root.require_subcommand(1);
    root.footer(
        "Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 no control plane\n"
        "answers; 4 check --strict found warnings, or import left something out.\n"
        "Example:\n  ravelin apply edge.yaml --confirm 60s");
    add_policy_commands(root, context);
    add_history_commands(root, context);
    add_look_commands(root, context);
    add_flows_command(root, context);
    add_principals_command(root, context);
    add_functions_command(root, context);
    add_reservations_commands(root, context);
    add_rule_commands(root, context);
    add_set_commands(root, context);
    add_calibrate_command(root, context);
    add_count_commands(root, context);
    add_top_command(root, context);
    add_selftest_command(root, context);
    add_bench_command(root, context);
    add_import_command(root, context);
    add_trace_commands(root, context);
    add_capture_command(root, context);
    add_completion_commands(root, context);
}

}  // namespace ravelin::cli
