// SPDX-License-Identifier: Apache-2.0
// ravelin-perf: measures one figure and prints it, as text or JSON. perf/run builds and calls it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "perf/bench/box.h"
#include "perf/bench/figure.h"
#include "perf/bench/machine.h"

namespace ravelin::perf {
namespace {

std::string now_utc() {
    char text[32];
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

int list() {
    for (const Figure& figure : figures()) fmt::print("{:<14} {}\n", figure.name, figure.help);
    return 0;
}

int tell() {
    start_environment();
    const nlohmann::json out{{"machine", describe_machine()}, {"versions", describe_versions()}};
    fmt::print("{}\n", out.dump(1));
    return 0;
}

bool has_part(const Figure& figure, const std::string& part) {
    const auto parts = figure.parts == nullptr ? std::vector<std::string>{} : figure.parts();
    if (part.empty() || std::ranges::find(parts, part) != parts.end()) return true;
    fmt::print(
        stderr, "perf: --only: found '{}', expected {} of {}\n", part,
        parts.empty() ? "nothing: there is one part" : fmt::format("{}", fmt::join(parts, ", ")),
        figure.name);
    return false;
}

int measure(const std::string& name, const Options& options, bool json) {
    const auto figure =
        std::ranges::find_if(figures(), [&](const Figure& f) { return name == f.name; });
    if (figure == figures().end()) {
        fmt::print(stderr, "perf: no bench '{}'; --list names them\n", name);
        return 2;
    }
    if (!has_part(*figure, options.only)) return 2;
    start_environment();
    nlohmann::json out{{"bench", name},
                       {"when", now_utc()},
                       {"machine", describe_machine()},
                       {"versions", describe_versions()},
                       {"distance_before", probe_distance()}};
    Report report;
    report.config() = {{"runs", options.runs}, {"quick", options.quick}};
    figure->run(options, report);
    out["distance_after"] = probe_distance();
    out.update(report.json());
    if (json) {
        fmt::print("{}\n", out.dump(1));
    } else {
        fmt::print("{}: {}\n{}", name, figure->help, report.text());
        fmt::print("  cores {} before, {} after; load {}\n",
                   out["distance_before"].value("state", "alone"),
                   out["distance_after"].value("state", "alone"),
                   out["machine"]["loadavg"].get<std::string>());
    }
    return report.met() ? 0 : 1;
}

}  // namespace
}  // namespace ravelin::perf

int main(int argc, char** argv) {
    using namespace ravelin::perf;
    std::signal(SIGPIPE, SIG_IGN);  // a peer that died is told of by what it said
    CLI::App app{"Measures one figure. Exit code 1: a target is missed or the figure is void."};
    std::string name;
    Options options;
    bool json = false, list_them = false, about = false;
    app.add_option("bench", name, "Which; --list names them");
    app.add_option("--runs", options.runs, "How often")->check(CLI::Range(1, 1000));
    app.add_option("--frames", options.frames, "Bytes with check sequence, 64 to 1518, or imix")
        ->check(CLI::Range(64, 1518) | CLI::IsMember({"imix"}));
    app.add_option("--flows", options.flows, "Of forwarding: flows, up to 16777216")
        ->check(CLI::Range(1, 1 << 24));
    app.add_flag("--ipv6", options.layout.v6, "Of l3, acl and stateful: IPv6");
    app.add_flag("--vlan", options.layout.tagged,
                 "Of l3, acl and stateful: tagged frames, ports are sub-interfaces");
    app.add_option("--workers", options.workers, "Of scaling: up to so many")
        ->check(CLI::Range(1, 16));
    app.add_option("--config", options.config, "Of own: the policy");
    app.add_option("--slower", options.slower,
                   "Of instructions: a stage wastes so many rounds of two on each packet");
    app.add_option("--only", options.only, "One part of a figure that has several");
    app.add_flag("--sections", options.sections, "Cycles of each stage too");
    app.add_flag("--quick", options.quick, "Shows that it runs; the numbers mean little");
    app.add_flag("--json", json, "Everything, as JSON");
    app.add_flag("--list", list_them, "Benches and what they are");
    app.add_flag("--about", about, "Machine and versions, as JSON");
    CLI11_PARSE(app, argc, argv);
    std::ranges::sort(figures(), {}, [](const Figure& f) { return std::string_view(f.name); });
    if (about) return tell();
    if (list_them || name.empty()) return list();
    options.bench = name;
    return measure(name, options, json);
}
