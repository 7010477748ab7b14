// SPDX-License-Identifier: Apache-2.0
// stateful-10k, -100k, -1m: packets of open TCP connections, both ways in turns, behind 1,000
// rules; windows are tracked. police: caps of principals, and limits per source, that everything
// keeps.
#include <fmt/format.h>

#include "perf/bench/forwarding.h"

namespace ravelin::perf {
namespace {

void open_connections(uint32_t flows, Target added, const Options& options, Report& report) {
    measure_forwarding({.work = established(flows, options.layout), .added = added}, options,
                       report);
}

struct Many {
    const char* name;
    uint32_t count;
};
constexpr Many kMany[] = {{"1", 1}, {"1k", 1000}, {"64k", 65'000}};

// Caps of principals, whose accounts are in the figure; and a rule's limit per source, against the
// same rule without it.
void police_all(const Options& options, Report& report) {
    const auto measure = [&](const std::string& kind, const Many& many, Work work, Target target) {
        if (options.only.empty() || options.only == kind)
            measure_forwarding({.name = fmt::format("{}-{}", kind, many.name),
                                .work = std::move(work),
                                .added = target},
                               options, report);
    };
    for (const Many& many : kMany) {
        measure("principals", many, charged(from_sources(many.count), many.count, true),
                at_most(12));
        measure("sources", many, police(many.count), {});
    }
    report.note(
        "principals: what finding the principal, charging and policing it add to packets that a "
        "stateless rule accepts. sources: what a rule's limit per source adds");
}

const FigureRegistration registrations{
    {"stateful-10k", "10,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { open_connections(10'000, at_most(30), o, r); }},
    {"stateful-100k", "100,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { open_connections(100'000, at_most(55), o, r); }},
    {"stateful-1m", "1,000,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { open_connections(1'000'000, at_most(100), o, r); }},
    {"police", "a rate for each of 1, 1k and 64k principals, or sources, at random", police_all,
     [] {
         return std::vector<std::string>{"principals", "sources"};
     }}};

}  // namespace
}  // namespace ravelin::perf
