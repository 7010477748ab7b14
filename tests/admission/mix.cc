// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tests/admission/study.h"
#include "tests/support/admission_mix.h"

namespace ravelin::study {
namespace {

using admission::Admission;
using admission::Relaxation;
using admission::Rules;

constexpr int64_t kExecuted = 150'000'000;       // ns of virtual time, three kinds of arrivals
constexpr admission::Work kLongestRun = 10'000;  // no work of the mix is more

struct Sample {
    std::vector<double> flows, ratio;
    uint64_t executed_misses = 0;
};

struct Seen {
    Sample fixed, equal, exact, runs, declared_runs;
    uint64_t by_exact = 0, admitted = 0;
    unsigned paper_sets_refused = 0, paper_sets_that_miss = 0;
    uint64_t paper_misses = 0, refuted = 0;
};

/// Fills, counts, executes what the exact test admitted.
Admission offer(Admission admission, uint64_t seed, bool run, Sample& sample) {
    std::mt19937_64 random(seed);
    const auto flows = static_cast<double>(test::fill(admission, random));
    sample.flows.push_back(flows);
    if (run) sample.executed_misses += test::missed_when_executed(admission, kExecuted, random);
    return admission;
}

bool keeps_with_runs(Admission& admission) {
    bool keeps = true;
    for (admission::ResourceId id = 0; id < admission.resources(); ++id) {
        admission::Resource resource = admission.book(id).resource();
        resource.preemptive = false;
        keeps &= admission.change_resource(id, resource).ok();
    }
    return keeps;
}

/// The paper's own set on resources whose runs nobody interrupts: what the exact test says of it,
/// and what becomes of it.
void try_paper_set(const Admission& paper, uint64_t seed, Seen& seen) {
    Admission judged = paper;
    const bool keeps = keeps_with_runs(judged);
    std::mt19937_64 random(seed);
    std::vector<test::VirtualResource> resources(2, {.preemptive = false});
    uint64_t missed = 0;
    for (const auto how :
         {test::Arrivals::kTogether, test::Arrivals::kShortestLast, test::Arrivals::kAtRandom})
        missed +=
            test::missed(test::execute(resources, test::flows_of(paper, how, kExecuted, random)));
    seen.paper_sets_refused += keeps ? 0 : 1;
    seen.paper_sets_that_miss += missed != 0 ? 1 : 0;
    seen.paper_misses += missed;
    seen.refuted += keeps ? missed : 0;
}

void one_seed(uint64_t capacity, uint64_t seed, Seen& seen) {
    const auto box = [&](bool preemptive, Rules rules) {
        return test::equal_resources(2, capacity, preemptive, std::move(rules));
    };
    offer(box(true, {.exact = false, .relaxation = admission::fixed}), seed, false, seen.fixed);
    const Admission paper = offer(box(true, {.exact = false}), seed, false, seen.equal);
    const Admission exact = offer(box(true, {}), seed, true, seen.exact);
    offer(box(false, {}), seed, true, seen.runs);
    Admission declared = box(false, {});
    for (admission::ResourceId id = 0; id < 2; ++id) {
        admission::Resource resource = declared.book(id).resource();
        resource.blocking = kLongestRun;
        static_cast<void>(declared.change_resource(id, resource));  // nothing is reserved yet
    }
    offer(std::move(declared), seed, true, seen.declared_runs);
    for (Sample* sample : {&seen.fixed, &seen.equal, &seen.exact, &seen.runs, &seen.declared_runs})
        sample->ratio.push_back(sample->flows.back() / std::max(1.0, seen.equal.flows.back()));
    for (const std::string& principal : exact.principals())
        seen.by_exact += exact.find(principal)->by == admission::Test::kExact ? 1 : 0;
    seen.admitted += exact.principals().size();
    try_paper_set(paper, seed, seen);
}

nlohmann::json told(const Sample& sample) {
    return {{"flows", quantiles(sample.flows)},
            {"ratio_to_paper", quantiles(sample.ratio)},
            {"executed_misses", sample.executed_misses}};
}

}  // namespace

nlohmann::json mix(uint64_t capacity, unsigned seeds) {
    Seen seen;
    for (unsigned seed = 0; seed < seeds; ++seed) {
        one_seed(capacity, seed, seen);
        progress("mix", seed + 1, seeds);
    }
    const auto median = [](std::vector<double> all) {
        std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2),
                         all.end());
        return all[all.size() / 2];
    };
    return {{"capacity", capacity},
            {"seeds", seeds},
            {"paper_fixed", told(seen.fixed)},
            {"paper_equal_utilisation", told(seen.equal)},
            {"exact_preemptive", told(seen.exact)},
            {"exact_nonpreemptive", told(seen.runs)},
            {"exact_nonpreemptive_run_declared", told(seen.declared_runs)},
            {"ratio_of_medians_preemptive", median(seen.exact.flows) / median(seen.equal.flows)},
            {"ratio_of_medians_nonpreemptive", median(seen.runs.flows) / median(seen.equal.flows)},
            {"share_only_exact_test_admitted", double(seen.by_exact) / double(seen.admitted)},
            {"paper_sets_refused_nonpreemptive", seen.paper_sets_refused},
            {"paper_sets_that_miss_when_executed", seen.paper_sets_that_miss},
            {"paper_packets_missed", seen.paper_misses},
            {"misses_of_paper_sets_not_refused", seen.refuted}};
}

}  // namespace ravelin::study
