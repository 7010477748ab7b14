// SPDX-License-Identifier: Apache-2.0
// l3-1, l3-128k, l3-full: IPv4 forwarding without a firewall, by size of the route table. Frames
// come by lan and leave by wan; every packet goes to another random host of a random prefix.
#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"
#include "tests/support/data.h"

namespace ravelin::perf {
namespace {

constexpr const char* kFullTable = "routes/bgp-full-v4-901899-v6-160147.txt.gz";

std::string routed(const std::string& to) {
    return router({.filters = false,
                   .routes = to.empty() ? "" : ", {to: " + to + ", via: 192.0.2.2}",
                   .wires = Box::Wires::kReplay});
}

void one_route(const Options& options, Report& report) {
    const std::vector<Prefix> to{*Prefix::parse("198.18.0.0/16")};
    measure_forwarding(
        {.playlist = {.flows = 1 << 16, .write = [&](auto flows) { write_to_prefixes(flows, to); }},
         .yaml = routed("198.18.0.0/16"),
         .net = at_most(25)},
        options, report);
}

void table(const std::vector<Prefix>& prefixes, Target net, const Options& options,
           Report& report) {
    measure_forwarding(
        {.playlist = {.flows = 1 << 20,
                      .write = [&](auto flows) { write_to_prefixes(flows, prefixes); }},
         .yaml = routed("{file: " + prefix_file(prefixes) + "}"),
         .net = net},
        options, report);
}

void random_routes(const Options& options, Report& report) {
    table(mixed_prefixes(131'072), at_most(45), options, report);
}

void full_table(const Options& options, Report& report) {
    const auto path = test::data_path(kFullTable);
    if (!path) give_up(std::string("../shared/data/") + kFullTable + " is not here");
    table(prefixes_of(*path), at_most(75), options, report);
}

const FigureRegistration registrations{
    {"l3-1", "IPv4 forwarding, one route", one_route},
    {"l3-128k", "IPv4 forwarding, 131,072 random routes", random_routes},
    {"l3-full", "IPv4 forwarding, the Internet's table of 901,899 routes", full_table}};

}  // namespace
}  // namespace ravelin::perf
