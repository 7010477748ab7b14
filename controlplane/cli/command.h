// SPDX-License-Identifier: Apache-2.0
// What every subcommand shares: the global options, the way to print, the way to be registered.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "controlplane/cli/client.h"
#include "controlplane/cli/failure.h"
#include "controlplane/cli/table.h"
#include "controlplane/cli/units.h"

namespace ravelin::cli {

/// Lives as long as the command; subcommands keep references to it.
struct Context {
    std::string run_dir = "/run/ravelin";
    bool json = false;
    bool tty = false;                  ///< stdout is a terminal
    bool colour = false;               ///< a terminal, and NO_COLOR is not set
    std::function<ExitCode()> chosen;  ///< what the subcommand on the command line does

    [[nodiscard]] Client connect() const { return Client(run_dir); }
    /// To stdout. Failure kFailed where it cannot be written.
    void print(std::string_view text) const;
    /// One JSON object on one line.
    void print_json(const Json& value) const;
    void print(const Table& table) const { print(table.text(colour)); }
    /// The whole answer where --json, otherwise false.
    [[nodiscard]] bool printed_json(const Json& answer) const;
    /// `text` in an ANSI colour ("31" red, "32" green, "33" yellow, "2" dim), or as it is.
    [[nodiscard]] std::string paint(std::string_view text, const char* colour_code) const;
};

/// Adds a subcommand whose --help ends with `examples`, one command line each.
CLI::App& add_command(CLI::App& root, const std::string& name, const std::string& help,
                      const std::string& examples, Context& context, std::function<ExitCode()> run);

/// An option that takes a duration with unit, in milliseconds.
CLI::Option* add_duration(CLI::App& command, const std::string& name, uint64_t& milliseconds,
                          const std::string& help);

void add_policy_commands(CLI::App& root, Context& context);   // check diff apply confirm rollback
void add_history_commands(CLI::App& root, Context& context);  // history show
void add_look_commands(CLI::App& root, Context& context);  // status ports rules routes neighbours
void add_flows_command(CLI::App& root, Context& context);
void add_principals_command(CLI::App& root, Context& context);
void add_functions_command(CLI::App& root, Context& context);
void add_count_commands(CLI::App& root, Context& context);  // counters drops
void add_calibrate_command(CLI::App& root, Context& context);
void add_reservations_commands(CLI::App& root, Context& context);  // and reserve, release
void add_rule_commands(CLI::App& root, Context& context);
void add_set_commands(CLI::App& root, Context& context);
void add_top_command(CLI::App& root, Context& context);
void add_import_command(CLI::App& root, Context& context);
void add_selftest_command(CLI::App& root, Context& context);
void add_bench_command(CLI::App& root, Context& context);
void add_trace_commands(CLI::App& root, Context& context);  // trace explain
void add_capture_command(CLI::App& root, Context& context);
void add_completion_commands(CLI::App& root, Context& context);  // completion man

/// The whole tree of commands.
void build(CLI::App& root, Context& context);

}  // namespace ravelin::cli
