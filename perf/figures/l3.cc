// SPDX-License-Identifier: Apache-2.0
// l3-1, l3-128k, l3-full: IPv4 forwarding without a firewall, by size of the route table. Frames
// come by lan and leave by wan; every packet goes to another random host of a random prefix.
// l3-full also with prefixes as often as on real links (Popularity::kZipf).
#include "perf/bench/forwarding.h"

namespace ravelin::perf {
namespace {

void measure(const char* name, Target net, const Options& options, Report& report) {
    auto work = work_named(name, options.layout);
    if (!work) give_up("../shared/data has no table of routes");
    measure_forwarding({.work = std::move(*work), .net = net}, options, report);
}

void measure_full(const Options& options, Report& report) {
    const auto wanted = [&](const char* part) {
        return options.only.empty() || options.only == part;
    };
    if (wanted("uniform")) measure("l3-full", at_most(75), options, report);
    if (!wanted("zipf")) return;
    const std::vector<Prefix> table = full_table();
    if (table.empty()) give_up("../shared/data has no table of routes");
    measure_forwarding({.name = "zipf",
                        .work = l3_routes(table, options.layout, Popularity::kZipf),
                        .net = at_most(75)},
                       options, report);
}

const FigureRegistration registrations{
    {"l3-1", "IPv4 forwarding, one route",
     [](const Options& o, Report& r) { measure("l3-1", at_most(25), o, r); }},
    {"l3-128k", "IPv4 forwarding, 131,072 random routes",
     [](const Options& o, Report& r) { measure("l3-128k", at_most(45), o, r); }},
    {"l3-full", "IPv4 forwarding, the Internet's table of 901,899 routes", measure_full, [] {
         return std::vector<std::string>{"uniform", "zipf"};
     }}};

}  // namespace
}  // namespace ravelin::perf
