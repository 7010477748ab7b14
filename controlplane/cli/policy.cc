// SPDX-License-Identifier: Apache-2.0
// check, diff, apply, confirm, rollback: the life of a policy change.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "controlplane/cli/command.h"
#include "controlplane/cli/session.h"

namespace ravelin::cli {
namespace {

constexpr int kApplyTimeoutMs = 300'000;  // tables of a million routes are built meanwhile

struct Policy {
    std::string file;
    bool strict = false;
    bool dry_run = false;
    bool force = false;
    uint64_t confirm_ms = 0;
    std::string comment;
};

std::string read_all(const std::string& file) {
    std::stringstream text;
    if (file == "-") {
        text << std::cin.rdbuf();
        return text.str();
    }
    std::ifstream in(file, std::ios::binary);
    if (!in || !(text << in.rdbuf() || in.peek() == EOF))
        throw Failure(kFailed, fmt::format("{}: {}", file, std::strerror(errno)));
    return text.str();
}

/// Who asks: the person behind sudo, at this host.
std::string author() {
    const char* sudo = std::getenv("SUDO_USER");
    const passwd* user = getpwuid(getuid());
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    return fmt::format("{}@{}",
                       sudo != nullptr   ? sudo
                       : user != nullptr ? user->pw_name
                                         : "unknown",
                       host.data());
}

Json with_text(const Policy& policy) {
    return {{"text", read_all(policy.file)}, {"file", policy.file}};
}

/// Prints warnings, such as shadowed rules; returns how many.
size_t print_warnings(const Context& context, const Json& answer) {
    const Json& warnings = list(answer, "warnings");
    for (const Json& warning : warnings) {
        const std::string line =
            warning.is_string() ? warning.get<std::string>() : text(warning, "message");
        context.print(fmt::format("{} {}\n", context.paint("warning:", "33"), printable(line)));
    }
    return warnings.size();
}

std::string plural(size_t count, const char* noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

ExitCode check(const Context& context, const Policy& policy) {
    const Json answer = context.connect().call("check", with_text(policy), kApplyTimeoutMs);
    const size_t warnings = list(answer, "warnings").size();
    if (!context.printed_json(answer)) {
        print_warnings(context, answer);
        context.print(fmt::format("{}: {}{}\n", policy.file, context.paint("correct", "32"),
                                  warnings > 0 ? ", " + plural(warnings, "warning") : ""));
    }
    return policy.strict && warnings > 0 ? kWarnings : kOk;
}

/// One line a change. False: there is none.
bool print_changes(const Context& context, const Json& answer) {
    std::istringstream lines(text(answer, "text"));
    bool any = false;
    for (std::string line; std::getline(lines, line); any = true) {
        const char* colour = line.starts_with('+') ? "32" : line.starts_with('-') ? "31" : "33";
        context.print(context.paint(printable(line), colour) + "\n");
    }
    return any;
}

ExitCode diff(const Context& context, const Policy& policy) {
    const Json answer = context.connect().call("diff", with_text(policy), kApplyTimeoutMs);
    if (context.printed_json(answer)) return kOk;
    const uint64_t against = number(answer, "against");
    if (!print_changes(context, answer))
        context.print(against == 0
                          ? std::string("no policy is in force yet\n")
                          : fmt::format("no difference from generation {}, in force\n", against));
    print_warnings(context, answer);
    return kOk;
}

void print_in_force(const Context& context, const Json& answer) {
    context.print(fmt::format("generation {} in force\n", number(answer, "generation")));
    const uint64_t deadline = number(answer, "deadline_unix_ms"), now = unix_ms();
    if (deadline == 0) return;
    const uint64_t remaining = deadline > now ? deadline - now : 0;
    context.print(fmt::format("{} in {} unless confirmed; to keep it: ravelin confirm\n",
                              context.paint("rolls back", "33"), duration(remaining)));
}

ExitCode apply(const Context& context, const Policy& policy) {
    Json params = with_text(policy);
    params["confirm_ms"] = policy.confirm_ms;
    params["author"] = author();
    params["comment"] = policy.comment;
    params["dry_run"] = policy.dry_run;
    params["force"] = policy.force;
    params["session"] = ssh_session();
    const Json answer = context.connect().call("apply", params, kApplyTimeoutMs);
    if (context.printed_json(answer)) return kOk;
    print_warnings(context, answer);
    print_changes(context, answer);
    if (policy.dry_run)
        context.print("would be accepted; nothing was changed\n");
    else
        print_in_force(context, answer);
    return kOk;
}

ExitCode change(const Context& context, const char* method, const Json& params) {
    const Json answer = context.connect().call(method, params, kApplyTimeoutMs);
    if (!context.printed_json(answer)) print_in_force(context, answer);
    return kOk;
}

void add_file(CLI::App& command, Policy& policy, const char* help) {
    command.add_option("FILE", policy.file, help)->required()->type_name("FILE");
}

void add_check_and_diff(CLI::App& root, Context& context) {
    auto policy = std::make_shared<Policy>();
    CLI::App& check_command =
        add_command(root, "check", "Say what is wrong or doubtful in a configuration",
                    "ravelin check edge.yaml\nravelin check --strict - < edge.yaml", context,
                    [&context, policy] { return check(context, *policy); });
    add_file(check_command, *policy, "Configuration; - reads standard input");
    check_command.add_flag("--strict", policy->strict, "Exit with 4 if there are warnings");

    CLI::App& diff_command = add_command(
        root, "diff", "Show what a configuration would change in the policy in force",
        "ravelin diff edge.yaml", context, [&context, policy] { return diff(context, *policy); });
    add_file(diff_command, *policy, "Configuration; - reads standard input");
}

void add_apply(CLI::App& root, Context& context) {
    auto policy = std::make_shared<Policy>();
    CLI::App& command =
        add_command(root, "apply", "Put a configuration in force",
                    "ravelin apply edge.yaml --confirm 60s --comment 'open port 443'", context,
                    [&context, policy] { return apply(context, *policy); });
    add_file(command, *policy, "Configuration; - reads standard input");
    add_duration(command, "--confirm", policy->confirm_ms,
                 "Roll back by itself unless confirmed in so long, such as 60s");
    command.add_option("--comment", policy->comment, "What the history says about it")
        ->type_name("TEXT");
    command.add_flag("--dry-run", policy->dry_run, "Do all but put it in force");
    command.add_flag("--force", policy->force, kForceHelp);
}

}  // namespace

void add_policy_commands(CLI::App& root, Context& context) {
    add_check_and_diff(root, context);
    add_apply(root, context);
    add_command(root, "confirm", "Keep a change that waits for confirmation", "ravelin confirm",
                context, [&context] { return change(context, "confirm", Json::object()); });
    struct Back {
        uint64_t generation = 0;
        bool force = false;
    };
    auto back = std::make_shared<Back>();
    CLI::App& rollback = add_command(
        root, "rollback", "Undo an unconfirmed change, or return to an earlier generation",
        "ravelin rollback\nravelin rollback 17", context, [&context, back] {
            Json params{{"author", author()}, {"force", back->force}, {"session", ssh_session()}};
            if (back->generation != 0) params["generation"] = back->generation;
            return change(context, "rollback", params);
        });
    rollback
        .add_option(
            "GENERATION", back->generation,
            "Number in the history; its policy becomes a new generation. Default: the one before")
        ->check(CLI::PositiveNumber);
    rollback.add_flag("--force", back->force, kForceHelp);
}

}  // namespace ravelin::cli
