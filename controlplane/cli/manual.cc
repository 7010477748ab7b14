// SPDX-License-Identifier: Apache-2.0
// The manual page, in troff's man macros.
#include <fmt/format.h>

#include "controlplane/cli/completion.h"
#include "controlplane/cli/failure.h"

namespace ravelin::cli {
namespace {

/// Backslashes, dashes and leading dots mean something to troff.
std::string troff(const std::string& text) {
    std::string out;
    bool line_start = true;
    for (const char c : text) {
        if (line_start && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
        line_start = c == '\n';
    }
    return out;
}

std::string option_names(const CLI::Option& option) {
    std::string out;
    for (const std::string& name : option.get_snames()) out += (out.empty() ? "-" : ", -") + name;
    for (const std::string& name : option.get_lnames()) out += (out.empty() ? "--" : ", --") + name;
    return out.empty() ? option.get_name(true) : out;
}

std::string options(const CLI::App& app) {
    std::string out;
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_lnames() == std::vector<std::string>{"help"}) continue;
        const std::string type = option->nonpositional() && option->get_items_expected_max() > 0
                                     ? " " + option->get_type_name()
                                     : "";
        out += fmt::format(".TP\n\\fB{}\\fR{}\n{}.\n", troff(option_names(*option)), troff(type),
                           troff(option->get_description()));
    }
    return out;
}

/// With the commands above it: "set add".
std::string full_name(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    const bool top = parent == nullptr || parent->get_parent() == nullptr;
    return top ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

std::string synopsis(const CLI::App& command) {
    std::string out = fmt::format(".B ravelin {}\n", full_name(command));
    std::string arguments;
    for (const CLI::Option* option : command.get_options())
        if (!option->nonpositional())
            arguments += option->get_required() ? " " + option->get_name(true)
                                                : " [" + option->get_name(true) + "]";
    return arguments.empty() ? out : out + ".I" + troff(arguments) + "\n";
}

/// The examples alone, without their heading.
std::string examples(const CLI::App& command) {
    const std::string footer = command.get_footer();
    const size_t line = footer.find('\n');
    return line == std::string::npos
               ? ""
               : fmt::format(".PP\n.nf\n{}\n.fi\n", troff(footer.substr(line + 1)));
}

std::string section(const CLI::App& command) {
    std::string out = fmt::format(".SS {}\n{}.PP\n{}.\n", full_name(command), synopsis(command),
                                  troff(command.get_description()));
    out += options(command) + examples(command);
    for (const CLI::App* below : command.get_subcommands({})) out += section(*below);
    return out;
}

constexpr const char* kEnd = R"(.SH EXIT STATUS
.TP
\fB0\fR
Done.
.TP
\fB1\fR
Refused by the control plane, or failed.
.TP
\fB2\fR
Wrong command line.
.TP
\fB3\fR
No control plane answers.
.TP
\fB4\fR
\fBcheck \-\-strict\fR found warnings, or \fBimport\fR left something out.
.SH ENVIRONMENT
.TP
\fBRAVELIN_RUN_DIR\fR
Directory of control.sock, where \fB\-\-run\-dir\fR does not say.
.TP
\fBNO_COLOR\fR
If set and not empty, no colour on a terminal.
.SH FILES
.TP
\fI/run/ravelin/control.sock\fR
The control plane's socket.
)";

}  // namespace

std::string manual_page(const CLI::App& root) {
    std::string out = fmt::format(
        ".\\\" Made by: ravelin man\n.TH RAVELIN 1 \"\" \"ravelin {}\" \"Ravelin\"\n.SH NAME\n"
        "ravelin \\- {}\n.SH SYNOPSIS\n.B ravelin\n[\\-\\-json] [\\-\\-run\\-dir DIR] COMMAND ...\n"
        ".SH DESCRIPTION\nAsks the control plane over its Unix socket and prints the answer. "
        "Errors are\n"
        "one line on standard error. Times and sizes on the command line have units.\n"
        ".SH OPTIONS\n{}.SH COMMANDS\n",
        RAVELIN_VERSION, troff("the operator's command of the Ravelin packet appliance"),
        options(root));
    for (const CLI::App* command :
         root.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); }))
        out += section(*command);
    return out + kEnd;
}

}  // namespace ravelin::cli
