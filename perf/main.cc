// SPDX-License-Identifier: Apache-2.0
// ravelin-perf: measures one figure and prints it, as text or JSON. perf/run builds and calls it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
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

int measure(const std::string& name, const Options& options, bool json) {
    const auto figure =
        std::ranges::find_if(figures(), [&](const Figure& f) { return name == f.name; });
    if (figure == figures().end()) {
        fmt::print(stderr, "perf: no figure '{}'; --list names them\n", name);
        return 2;
    }
    start_environment();
    const char* commit = std::getenv("RAVELIN_COMMIT");
    nlohmann::json out{{"figure", name},
                       {"when", now_utc()},
                       {"commit", commit != nullptr ? commit : ""},
                       {"machine", describe_machine()},
                       {"distance_before", probe_distance()}};
    Report report;
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
    CLI::App app{"Measures one figure. Exit code 1: a target is missed."};
    std::string name;
    Options options;
    bool json = false, list_them = false;
    app.add_option("figure", name, "Which; --list names them");
    app.add_option("--repeats", options.repeats, "How often")->check(CLI::Range(1, 1000));
    app.add_option("--only", options.only, "One part of a figure that has several");
    app.add_flag("--sections", options.sections, "Cycles of each stage too");
    app.add_flag("--quick", options.quick, "Shows that it runs; the numbers mean little");
    app.add_flag("--json", json, "Everything, as JSON");
    app.add_flag("--list", list_them, "Figures and what they are");
    CLI11_PARSE(app, argc, argv);
    std::ranges::sort(figures(), {}, [](const Figure& f) { return std::string_view(f.name); });
    if (list_them || name.empty()) return list();
    return measure(name, options, json);
}
