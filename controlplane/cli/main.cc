// SPDX-License-Identifier: Apache-2.0
// `ravelin`, the operator's command. Holds no state: asks the control plane and prints.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <regex>

#include "controlplane/cli/command.h"

namespace {

using namespace ravelin::cli;

/// One line on stderr, in the terms of the command line.
int usage(const CLI::App& root, const CLI::ParseError& error) {
    std::string command = "ravelin";
    for (const CLI::App* sub : root.get_subcommands()) command += ' ' + sub->get_name();
    std::string what = error.what();
    for (char& c : what)
        if (c == '\n') c = ' ';
    fmt::print(stderr, "ravelin: {}; see {} --help\n", what, command);
    return kUsage;
}

int failed(const Context& context, const Failure& failure) {
    // FILE:LINE:COLUMN lines stay as they are: editors jump to them.
    const std::string what = failure.what();
    const bool placed = std::regex_search(what, std::regex("^[^\\n]*:[0-9]+:[0-9]+: "));
    fmt::print(stderr, "{}{}\n", placed ? "" : "ravelin: ", what);
    if (context.json) {
        Json error{{"message", failure.what()}, {"code", static_cast<int>(failure.code)}};
        if (!failure.kind.empty()) error["kind"] = failure.kind;
        fmt::print("{}\n",
                   Json{{"error", error}}.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    return failure.code;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_DFL);  // `ravelin flows | head` ends quietly, whatever the parent set
    Context context;
    context.tty = isatty(STDOUT_FILENO) == 1;
    const char* no_colour = std::getenv("NO_COLOR");
    context.colour = context.tty && (no_colour == nullptr || *no_colour == '\0');
    CLI::App root{"The operator's command of the Ravelin packet appliance.", "ravelin"};
    build(root, context);
    try {
        root.parse(argc, argv);
        return context.chosen();
    } catch (const CLI::Success& help) {  // --help, --version
        return root.exit(help);
    } catch (const CLI::ParseError& error) {
        return usage(root, error);
    } catch (const Failure& failure) {
        return failed(context, failure);
    } catch (const std::exception& error) {
        return failed(context, Failure(kFailed, error.what()));
    }
}
