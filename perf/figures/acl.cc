// SPDX-License-Identifier: Apache-2.0
// acl-10, acl-1k, acl-10k: rules that judge every packet by itself (`stateful: false`), 16M headers
// that all differ, hits spread over all rules. The mix of ../shared/baselines.md, and ClassBench's
// sets where they are on this machine.
#include <array>

#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"
#include "tests/support/classbench.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kHeaders = 1 << 24;
constexpr const char* kAlone = ", stateful: false";

void measure(const std::string& name, const std::vector<ClassifierRule>& rules, Target added,
             const Options& options, Report& report) {
    if (!options.only.empty() && options.only != name) return;
    RouterOptions with{.rules = rule_text(rules, kAlone), .wires = Box::Wires::kReplay};
    RouterOptions without{.filters = false, .wires = Box::Wires::kReplay};
    measure_forwarding({.name = name == "mix" ? "" : name,
                        .playlist = {.flows = kHeaders,
                                     .write = [&](auto flows) { write_to_rules(flows, rules); }},
                        .yaml = router(with),
                        .plain = router(without),
                        .added = added},
                       options, report);
}

constexpr std::array kSets{"acl1", "fw1", "ipc1"};

std::vector<std::string> all_parts() {
    std::vector<std::string> parts{"mix"};
    for (const char* set : kSets) parts.push_back(std::string("classbench-") + set);
    return parts;
}

void classbench(const char* suffix, Target added, const Options& options, Report& report) {
    for (const char* set : kSets) {
        const auto path = test::data_path(std::string("rules/classbench/") + set + suffix);
        if (!path) return report.note("ClassBench's sets are not on this machine");
        measure(std::string("classbench-") + set, test::read_classbench(*path), added, options,
                report);
    }
}

const FigureRegistration registrations{
    {"acl-10", "10 stateless rules, 16M different headers",
     [](const Options& o, Report& r) { measure("mix", mixed_rules(10), at_most(30), o, r); }},
    {"acl-1k", "1,000 stateless rules; the mix, and ClassBench's (--only mix)",
     [](const Options& o, Report& r) {
         measure("mix", mixed_rules(1000), at_most(75), o, r);
         classbench("_1k", at_most(75), o, r);
     },
     all_parts},
    {"acl-10k", "10,000 stateless rules; the mix, and ClassBench's (--only mix)",
     [](const Options& o, Report& r) {
         measure("mix", mixed_rules(10'000), at_most(110), o, r);
         classbench("_10k.gz", at_most(110), o, r);
     },
     all_parts}};

}  // namespace
}  // namespace ravelin::perf
