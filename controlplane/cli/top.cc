// SPDX-License-Identifier: Apache-2.0
// top: a live view. Redraws in place on a terminal; elsewhere it appends one view after the other.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "controlplane/cli/command.h"
#include "controlplane/cli/top_sample.h"

namespace ravelin::cli {
namespace {

constexpr unsigned kBar = 24;      // cells
constexpr size_t kMostNames = 10;  // drops and rules shown
constexpr size_t kMostPrincipals = 40;

struct Top {
    uint64_t interval_ms = 1000;
    uint32_t count = 0;
    std::string by;
};

std::string header(const Rates& r, const Context& context) {
    std::string out =
        fmt::format("ravelin  generation {}  up {}  flows {} ({} unproven)\n", r.generation,
                    duration(r.uptime_ms), grouped(r.flows), grouped(r.unproven));
    if (r.confirm_remaining_ms > 0)
        out += fmt::format("{} in {} unless confirmed: ravelin confirm\n",
                           context.paint("rolls back", "33"), duration(r.confirm_remaining_ms));
    return out + "\n";
}

std::string ports_table(const Rates& r, const Context& context) {
    Table table({{"PORT"},
                 {"IN", Align::kRight},
                 {"", Align::kRight},
                 {"OUT", Align::kRight},
                 {"", Align::kRight},
                 {"MISSED", Align::kRight}});
    for (const auto& [name, p] : r.ports)
        table.add({name, scaled(p.rx_packets, "pps"), scaled(8 * p.rx_bytes, "bit/s"),
                   scaled(p.tx_packets, "pps"), scaled(8 * p.tx_bytes, "bit/s"),
                   scaled(p.rx_missed, "pps")});
    return table.text(context.colour) + "\n";
}

std::string workers_table(const Rates& r, const Context& context) {
    Table table({{"WORKER", Align::kRight}, {"BUSY"}, {"", Align::kRight}});
    for (size_t w = 0; w < r.busy.size(); ++w)
        table.add({std::to_string(w), bar(r.busy[w], kBar, !context.tty),
                   fmt::format("{:.0f} %", 100 * r.busy[w])});
    return table.text(context.colour) + "\n";
}

/// The largest first, each with a bar in proportion to the largest.
std::string names_table(const std::vector<Named>& names, const char* title,
                        const Context& context) {
    Table table({{title}, {"RATE", Align::kRight}, {""}});
    for (size_t i = 0; i < std::min(names.size(), kMostNames); ++i)
        table.add({names[i].name, scaled(names[i].per_second, "pps"),
                   bar(names[i].per_second / names.front().per_second, kBar, !context.tty)});
    return table.text(context.colour) + "\n";
}

/// Whose the workers' time is, and what they got for it.
std::string principals_table(const Rates& r, const Context& context) {
    Table table({{"PRINCIPAL"},
                 {"CYCLES"},
                 {"", Align::kRight},
                 {"AT MOST", Align::kRight},
                 {"RATE", Align::kRight},
                 {"", Align::kRight},
                 {"DROPS", Align::kRight},
                 {"FLOWS", Align::kRight}});
    for (size_t i = 0; i < std::min(r.principals.size(), kMostPrincipals); ++i) {
        const auto& [name, p] = r.principals[i];
        table.add({name, bar(p.cycles, kBar, !context.tty), fmt::format("{:.1f} %", 100 * p.cycles),
                   p.cap > 0 ? fmt::format("{:.1f} %", 100 * p.cap) : "", scaled(p.packets, "pps"),
                   scaled(8 * p.bytes, "bit/s"), scaled(p.drops, "pps"),
                   grouped(static_cast<uint64_t>(p.flows))});
    }
    return table.text(context.colour) + "\n";
}

std::string view(const Rates& r, const Context& context) {
    if (!r.principals.empty()) return header(r, context) + principals_table(r, context);
    return header(r, context) + ports_table(r, context) + workers_table(r, context) +
           names_table(r.drops, "DROPS", context) + names_table(r.rules, "RULES", context);
}

/// Home, each line cleared to its end, the rest of the screen cleared: no flicker. Cut to the
/// terminal's height, else it would scroll.
std::string in_place(const std::string& text) {
    winsize size{};
    const size_t rows =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row - 1 : 1000;
    std::string out = "\x1b[H";
    size_t lines = 0;
    for (size_t at = 0; at < text.size() && lines < rows; ++lines) {
        const size_t end = text.find('\n', at);
        out += text.substr(at, end - at) + "\x1b[K\n";
        at = end + 1;
    }
    return out + "\x1b[J";
}

void show(const Context& context, const Rates& r) {
    if (context.json)
        context.print_json(to_json(r));
    else
        context.print(context.tty ? in_place(view(r, context)) : view(r, context));
}

ExitCode top(const Context& context, const Top& options) {
    const Interrupt interrupt;
    Client client = context.connect();
    const bool by_principal = !options.by.empty();
    Sample before = take_sample(client, by_principal);
    if (context.tty && !context.json) context.print("\x1b[2J");
    for (uint32_t shown = 0; options.count == 0 || shown < options.count; ++shown) {
        if (interrupt.wait(static_cast<int>(options.interval_ms))) break;
        Sample now = take_sample(client, by_principal);
        show(context, rates(before, now));
        before = std::move(now);
    }
    return kOk;
}

}  // namespace

void add_top_command(CLI::App& root, Context& context) {
    auto options = std::make_shared<Top>();
    CLI::App& command = add_command(
        root, "top", "Watch ports, workers, drops, rules and flows live",
        "ravelin top --interval 2s\nravelin top --by principal\nravelin --json top --count 1",
        context, [&context, options] { return top(context, *options); });
    command.add_option("--by", options->by, "Show principals instead: their part of the workers")
        ->type_name("WHAT")
        ->check(CLI::IsMember({"principal"}));
    add_duration(command, "--interval", options->interval_ms, "Time between two views, such as 1s");
    command.add_option("--count", options->count, "End after so many views; default: at Ctrl-C");
}

}  // namespace ravelin::cli
