// SPDX-License-Identifier: Apache-2.0
#include "perf/admission/study.h"
#include "tests/support/admission_mix.h"

namespace ravelin::study {
namespace {

using admission::Admission;
using admission::Rules;

constexpr int64_t kExecuted = 150'000'000;       // ns of virtual time, three kinds of arrivals
constexpr admission::Work kLongestRun = 10'000;  // no work of the mix is more

/// Fills, counts, executes what was admitted.
Admission offer(Admission admission, uint64_t seed, bool run, Sample& sample) {
    std::mt19937_64 random(seed);
    sample.flows.push_back(static_cast<double>(test::fill(admission, random)));
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
void try_paper_set(const Admission& paper, uint64_t seed, Mix& mix) {
    Admission judged = paper;
    const bool keeps = keeps_with_runs(judged);
    std::mt19937_64 random(seed);
    const std::vector<test::VirtualResource> resources(2, {.preemptive = false});
    uint64_t missed = 0;
    for (const auto how :
         {test::Arrivals::kTogether, test::Arrivals::kShortestLast, test::Arrivals::kAtRandom})
        missed +=
            test::missed(test::execute(resources, test::flows_of(paper, how, kExecuted, random)));
    mix.paper_sets_refused += keeps ? 0 : 1;
    mix.paper_sets_that_miss += missed != 0 ? 1 : 0;
    mix.paper_misses += missed;
    mix.refuted += keeps ? missed : 0;
}

/// More than so many of the requests nobody could admit: one of the two resources alone would not
/// keep them, had each all of its deadline there but what its work takes at the other.
double most_of(admission::Work capacity, uint64_t seed) {
    size_t most = SIZE_MAX;
    for (const size_t here : {0, 1}) {
        std::mt19937_64 random(seed);
        Admission alone = test::equal_resources(1, capacity, true);
        for (size_t admitted = 0; admitted < most; ++admitted) {
            admission::Request request = test::mixed_request(random, admitted, 2);
            request.deadline -= request.claims[1 - here].work * admission::kSecond / capacity;
            request.claims = {{.resource = 0, .work = request.claims[here].work}};
            if (!granted(alone.reserve(request))) most = admitted;
        }
    }
    return static_cast<double>(most);
}

Admission with_run_declared(Admission admission) {
    for (admission::ResourceId id = 0; id < admission.resources(); ++id) {
        admission::Resource resource = admission.book(id).resource();
        resource.blocking = kLongestRun;
        static_cast<void>(admission.change_resource(id, resource));  // nothing is reserved yet
    }
    return admission;
}

}  // namespace

void offer_mix(uint64_t capacity, uint64_t seed, Mix& mix) {
    const auto box = [&](bool preemptive, Rules rules) {
        return test::equal_resources(2, capacity, preemptive, std::move(rules));
    };
    offer(box(true, {.exact = false, .relaxation = admission::fixed}), seed, false, mix.fixed);
    const Admission paper = offer(box(true, {.exact = false}), seed, false, mix.equal);
    const Admission exact = offer(box(true, {}), seed, true, mix.exact);
    mix.bound.push_back(most_of(capacity, seed));
    offer(box(false, {}), seed, true, mix.runs);
    offer(with_run_declared(box(false, {})), seed, true, mix.declared_runs);
    for (const std::string& principal : exact.principals())
        mix.by_exact += exact.find(principal)->by == admission::Test::kExact ? 1 : 0;
    mix.admitted += exact.size();
    try_paper_set(paper, seed, mix);
}

}  // namespace ravelin::study
