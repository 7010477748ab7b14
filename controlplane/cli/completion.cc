// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/completion.h"

#include <fmt/format.h>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

/// Subcommands an operator sees: those with a group.
std::vector<const CLI::App*> visible(const CLI::App& root) {
    return root.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
}

std::vector<std::string> flags(const CLI::App& app) {
    std::vector<std::string> out;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
        for (const std::string& name : option->get_snames()) out.push_back("-" + name);
    }
    return out;
}

bool takes_file(const CLI::App& command) {
    for (const CLI::Option* option : command.get_options())
        if (option->get_type_name() == "FILE") return true;
    return false;
}

/// What a positional argument can be, where that is a short list.
std::string words(const CLI::App& command) {
    return command.get_name() == "completion" ? "bash zsh" : "";
}

std::string joined(const std::vector<std::string>& parts) {
    return fmt::format("{}", fmt::join(parts, " "));
}

/// ' ends a quoted word of the shell and : a name in zsh's lists.
std::string zsh_quoted(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\'')
            out += "'\\''";
        else if (c == ':' || c == '[' || c == ']')
            (out += '\\') += c;
        else
            out += c;
    }
    return out;
}

std::string zsh_command(const CLI::App& command) {
    std::string out = fmt::format("    {})\n      _arguments", command.get_name());
    for (const CLI::Option* option : command.get_options()) {
        const bool file = option->get_type_name() == "FILE";
        const char* action = file                                   ? ":file:_files"
                             : option->get_items_expected_max() > 0 ? ":value:"
                                                                    : "";
        const std::string about = zsh_quoted(option->get_description());
        for (const std::string& name : option->get_lnames())
            out += fmt::format(" \\\n        '--{}[{}]{}'", name, about, action);
        for (const std::string& name : option->get_snames())
            out += fmt::format(" \\\n        '-{}[{}]{}'", name, about, action);
        if (option->nonpositional()) continue;
        out +=
            file ? " \\\n        '*:file:_files'"
                 : fmt::format(" \\\n        '*:{}:({})'", option->get_name(true), words(command));
    }
    return out + " $globals\n      ;;\n";
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
    std::vector<std::string> names;
    std::string cases;
    for (const CLI::App* command : visible(root)) {
        names.push_back(command->get_name());
        const std::string files = takes_file(*command) ? " files=1" : "";
        const std::string more = words(*command).empty() ? "" : " " + words(*command);
        cases += fmt::format("    {}) words=\"{}{}\"{} ;;\n", command->get_name(),
                             joined(flags(*command)), more, files);
    }
    return fmt::format(R"(# bash completion for ravelin; made by: ravelin completion bash
_ravelin() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} command="" words="" files="" i
  local commands="{}" globals="{}"
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case " $commands " in *" ${{COMP_WORDS[i]}} "*) command=${{COMP_WORDS[i]}}; break ;; esac
  done
  case "$command" in
    "") words="$commands" ;;
{}  esac
  COMPREPLY=($(compgen -W "$words $globals" -- "$cur"))
  if [ -n "$files" ] && [ "${{cur#-}}" = "$cur" ]; then COMPREPLY=($(compgen -f -- "$cur")); fi
}}
complete -o filenames -F _ravelin ravelin
)",
                       joined(names), joined(flags(root)), cases);
}

std::string zsh_completion(const CLI::App& root) {
    std::string names, cases;
    for (const CLI::App* command : visible(root)) {
        names += fmt::format("    '{}:{}'\n", command->get_name(),
                             zsh_quoted(command->get_description()));
        cases += zsh_command(*command);
    }
    return fmt::format(R"(#compdef ravelin
# zsh completion for ravelin; made by: ravelin completion zsh
_ravelin() {{
  local -a commands globals
  local command="" word
  commands=(
{})
  globals=('--json[Print JSON]' '--help[Help]'
           '--run-dir[Directory of control.sock]:directory:_files -/')
  for word in ${{words[2,CURRENT-1]}}; do
    if (( ${{commands[(I)$word:*]}} )); then command=$word; break; fi
  done
  case $command in
    "") _describe command commands; _arguments $globals ;;
{}  esac
}}
_ravelin "$@"
)",
                       names, cases);
}

void add_completion_commands(CLI::App& root, Context& context) {
    auto shell = std::make_shared<std::string>();
    CLI::App& completion = add_command(
        root, "completion", "Print the completion script of a shell",
        "ravelin completion bash > /etc/bash_completion.d/ravelin\n"
        "ravelin completion zsh > /usr/local/share/zsh/site-functions/_ravelin",
        context, [&root, &context, shell] {
            context.print(*shell == "zsh" ? zsh_completion(root) : bash_completion(root));
            return kOk;
        });
    completion.add_option("SHELL", *shell, "bash or zsh")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh"}));
    CLI::App& man = add_command(root, "man", "Print the manual page",
                                "ravelin man > docs/ravelin.1", context, [&root, &context] {
                                    context.print(manual_page(root));
                                    return kOk;
                                });
    man.group("");  // hidden
}

}  // namespace ravelin::cli
