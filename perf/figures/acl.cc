// SPDX-License-Identifier: Apache-2.0
// acl-10, acl-1k, acl-10k: rules that judge every packet by itself (`stateful: false`), 16M headers
// that all differ, hits spread over all rules. The mix of ../shared/baselines.md, and ClassBench's
// sets where they are on this machine.
#include <array>

#include "perf/bench/forwarding.h"
#include "tests/support/classbench.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kHeaders = 1 << 24;

void mix(const char* name, Target added, const Options& options, Report& report) {
    if (!options.only.empty() && options.only != "mix") return;
    measure_forwarding({.work = std::move(*work_named(name, options.layout)), .added = added},
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
        const std::string name = std::string("classbench-") + set;
        if (!options.only.empty() && options.only != name) continue;
        const auto path = test::data_path(std::string("rules/classbench/") + set + suffix);
        if (!path) return report.note("ClassBench's sets are not on this machine");
        measure_forwarding({.name = name,
                            .work = acl(test::read_classbench(*path), kHeaders, options.layout),
                            .added = added},
                           options, report);
    }
}

const FigureRegistration registrations{
    {"acl-10", "10 stateless rules, 16M different headers",
     [](const Options& o, Report& r) { mix("acl-10", at_most(30), o, r); }},
    {"acl-1k", "1,000 stateless rules; the mix, and ClassBench's (--only mix)",
     [](const Options& o, Report& r) {
         mix("acl-1k", at_most(75), o, r);
         classbench("_1k", at_most(75), o, r);
     },
     all_parts},
    {"acl-10k", "10,000 stateless rules; the mix, and ClassBench's (--only mix)",
     [](const Options& o, Report& r) {
         mix("acl-10k", at_most(110), o, r);
         classbench("_10k.gz", at_most(110), o, r);
     },
     all_parts}};

}  // namespace
}  // namespace ravelin::perf
