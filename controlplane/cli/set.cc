// SPDX-License-Identifier: Apache-2.0
// set add, del, flush, list: the elements of live sets.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <vector>

#include "controlplane/cli/command.h"
#include "controlplane/cli/session.h"

namespace ravelin::cli {
namespace {

constexpr size_t kPortion = 50'000;  // elements a request; a larger file is several changes

struct Set {
    std::string name, file;
    std::vector<std::string> elements;
    uint64_t timeout_ms = 0, limit = 10'000;
    bool force = false;
};

/// One element a line; # begins a comment.
void read_elements(const std::string& file, std::vector<std::string>& out) {
    std::ifstream opened;
    if (file != "-") opened.open(file);
    std::istream& in = file == "-" ? std::cin : opened;
    if (!in) throw Failure(kFailed, fmt::format("{}: {}", file, std::strerror(errno)));
    for (std::string line; std::getline(in, line);) {
        line.resize(std::min(line.find('#'), line.size()));
        const size_t first = line.find_first_not_of(" \t\r");
        if (first == line.npos) continue;
        out.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
    }
}

ExitCode change(const Context& context, const char* method, const Set& set) {
    std::vector<std::string> elements = set.elements;
    if (!set.file.empty()) read_elements(set.file, elements);
    if (elements.empty()) throw Failure(kUsage, "no element given, expected at least one");
    uint64_t changed = 0;
    Json answer;
    for (size_t at = 0; at < elements.size(); at += kPortion) {
        const auto begin = elements.begin() + static_cast<std::ptrdiff_t>(at);
        const auto end = elements.begin() +
                         static_cast<std::ptrdiff_t>(std::min(at + kPortion, elements.size()));
        Json params{{"set", set.name},
                    {"elements", std::vector<std::string>(begin, end)},
                    {"force", set.force},
                    {"session", ssh_session()}};
        if (set.timeout_ms != 0) params["timeout_ms"] = set.timeout_ms;
        answer = context.connect().call(method, params);
        changed += number(answer, "changed");
    }
    answer["changed"] = changed;
    if (context.printed_json(answer)) return kOk;
    context.print(fmt::format("{} of {} {}; {} has {} elements\n", changed, elements.size(),
                              std::string_view(method) == "set-add" ? "new" : "deleted", set.name,
                              grouped(number(answer, "elements"))));
    return kOk;
}

ExitCode flush(const Context& context, const Set& set) {
    const Json answer = context.connect().call(
        "set-flush", {{"set", set.name}, {"force", set.force}, {"session", ssh_session()}});
    if (!context.printed_json(answer))
        context.print(fmt::format("{} elements deleted\n", grouped(number(answer, "changed"))));
    return kOk;
}

void print_sets(const Context& context, const Json& answer) {
    Table table({{"SET"},
                 {"TYPE"},
                 {"ELEMENTS", Align::kRight},
                 {"SIZE", Align::kRight},
                 {"TIMEOUT", Align::kRight}});
    for (const Json& set : list(answer, "sets"))
        table.add({text(set, "name"), text(set, "type"), grouped(number(set, "elements")),
                   grouped(number(set, "size")),
                   number(set, "timeout_ms") == 0 ? "" : duration(number(set, "timeout_ms"))});
    context.print(table);
}

ExitCode show(const Context& context, const Set& set) {
    Json params{{"limit", set.limit}};
    if (!set.name.empty()) params["set"] = set.name;
    const Json answer = context.connect().call("set-list", params);
    if (context.printed_json(answer)) return kOk;
    if (set.name.empty()) {
        print_sets(context, answer);
        return kOk;
    }
    for (const Json& e : list(answer, "list"))
        context.print(e.contains("expires_ms")
                          ? fmt::format("{}  expires in {}\n", text(e, "element"),
                                        duration(number(e, "expires_ms")))
                          : text(e, "element") + "\n");
    if (number(answer, "elements") > list(answer, "list").size())
        context.print(fmt::format("{} of {} elements; --limit shows more\n",
                                  list(answer, "list").size(),
                                  grouped(number(answer, "elements"))));
    return kOk;
}

void add_change(CLI::App& set_command, Context& context, bool add) {
    auto set = std::make_shared<Set>();
    const char* method = add ? "set-add" : "set-del";
    CLI::App& command = add_command(
        set_command, add ? "add" : "del",
        add ? "Add elements, or give those that are there a new timeout" : "Delete elements",
        add ? "ravelin set add blocklist 192.0.2.66 198.51.100.0/24 --timeout 1h\n"
              "ravelin set add blocklist --file bad.txt"
            : "ravelin set del blocklist 192.0.2.66",
        context, [&context, set, method] { return change(context, method, *set); });
    command.add_option("NAME", set->name, "Live set of the policy in force")->required();
    command.add_option("ELEMENT", set->elements,
                       "192.0.2.0/24; 80 or 1000-2000; 192.0.2.1:80 or [2001:db8::1]:80; "
                       "'192.0.2.1 198.51.100.2'");
    command.add_option("--file", set->file, "Elements, one a line; - reads standard input")
        ->type_name("FILE");
    command.add_flag("--force", set->force, kForceHelp);
    if (add)
        add_duration(command, "--timeout", set->timeout_ms,
                     "Delete them by itself after so long, such as 10m; default: that of the set");
}

}  // namespace

void add_set_commands(CLI::App& root, Context& context) {
    CLI::App& set_command =
        add_command(root, "set", "Change and list the elements of live sets",
                    "ravelin set add blocklist 192.0.2.66 --timeout 1h\nravelin set list blocklist",
                    context, [] { return kUsage; });
    set_command.callback([] {});  // runs after that of the subcommand, which has chosen
    set_command.require_subcommand(1);
    add_change(set_command, context, true);
    add_change(set_command, context, false);
    auto flushed = std::make_shared<Set>();
    CLI::App& flush_command =
        add_command(set_command, "flush", "Delete all elements", "ravelin set flush blocklist",
                    context, [&context, flushed] { return flush(context, *flushed); });
    flush_command.add_option("NAME", flushed->name, "Live set of the policy in force")->required();
    flush_command.add_flag("--force", flushed->force, kForceHelp);
    auto shown = std::make_shared<Set>();
    CLI::App& list_command =
        add_command(set_command, "list", "List the live sets, or the elements of one",
                    "ravelin set list\nravelin set list blocklist", context,
                    [&context, shown] { return show(context, *shown); });
    list_command.add_option("NAME", shown->name, "Live set of the policy in force");
    list_command.add_option("--limit", shown->limit, "Elements to show at most")
        ->capture_default_str();
}

}  // namespace ravelin::cli
