// SPDX-License-Identifier: Apache-2.0
// admission: how many flows the paper's test and the exact one admit of the mix of issue 5 with
// the same capacities, what becomes of those admitted in virtual time, what the paper's test admits
// that a scheduler which interrupts nothing would miss, and how long a decision takes.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "perf/admission/study.h"
#include "perf/bench/figure.h"
#include "tests/support/sched_paths.h"

#include "controlplane/admission/admission.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kCapacity = 50'000'000;  // units/s of both resources
constexpr uint64_t kOthers[]{10'000'000, 20'000'000};
constexpr uint64_t kLarge = 100'000'000;  // takes minutes
constexpr unsigned kSeedsARun = 200;
constexpr size_t kReservations = 10'000;

void add_up(const study::Sample& from, study::Sample& to) {
    to.flows.insert(to.flows.end(), from.flows.begin(), from.flows.end());
    to.executed_misses += from.executed_misses;
}

void add_up(const study::Mix& from, study::Mix& to) {
    add_up(from.fixed, to.fixed);
    add_up(from.equal, to.equal);
    add_up(from.exact, to.exact);
    to.bound.insert(to.bound.end(), from.bound.begin(), from.bound.end());
    add_up(from.runs, to.runs);
    add_up(from.declared_runs, to.declared_runs);
    to.by_exact += from.by_exact;
    to.admitted += from.admitted;
    to.paper_sets_refused += from.paper_sets_refused;
    to.paper_sets_that_miss += from.paper_sets_that_miss;
    to.paper_misses += from.paper_misses;
    to.refuted += from.refuted;
}

/// Medians over the seeds of one run.
void add_medians(const study::Mix& mix, Report& report) {
    const double paper = median_of(mix.equal.flows);
    const auto add = [&](const char* name, const study::Sample& sample) {
        report.add(std::string(name) + "_admitted", "flows", median_of(sample.flows));
    };
    add("paper_fixed_split", mix.fixed);
    add("paper_equal_utilisation", mix.equal);
    add("exact_preemptive", mix.exact);
    add("exact_nonpreemptive", mix.runs);
    add("exact_nonpreemptive_run_declared", mix.declared_runs);
    report.add("exact_to_paper_preemptive", "ratio", median_of(mix.exact.flows) / paper,
               at_least(1.5));
    report.add("bound_to_paper_preemptive", "ratio", median_of(mix.bound) / paper);
    report.add("exact_to_paper_nonpreemptive", "ratio", median_of(mix.runs.flows) / paper);
}

nlohmann::json quantiles(const std::vector<double>& sample) {
    nlohmann::json out;
    for (const auto& [name, q] :
         {std::pair{"p10", 0.1}, {"median", 0.5}, {"p90", 0.9}, {"max", 1.0}})
        out[name] = quantile_of(sample, q);
    return out;
}

/// What is a sum over all seeds, of which not one run may differ.
void add_sums(const study::Mix& all, Report& report) {
    const auto misses =
        all.exact.executed_misses + all.runs.executed_misses + all.declared_runs.executed_misses;
    const auto sets = static_cast<double>(all.equal.flows.size());
    report.add("executed_misses", "packets", double(misses), exactly(0));
    report.add("admitted_by_exact_test_only", "%",
               100 * double(all.by_exact) / double(all.admitted));
    report.add("paper_sets", "sets", sets);
    report.add("paper_sets_that_miss_nonpreemptive", "sets", double(all.paper_sets_that_miss));
    report.add("paper_sets_refused_nonpreemptive", "sets", double(all.paper_sets_refused));
    report.add("misses_of_paper_sets_not_refused", "packets", double(all.refuted), exactly(0));
    report.data()["flows_admitted"] = {
        {"paper_fixed_split", quantiles(all.fixed.flows)},
        {"paper_equal_utilisation", quantiles(all.equal.flows)},
        {"exact_preemptive", quantiles(all.exact.flows)},
        {"exact_nonpreemptive", quantiles(all.runs.flows)},
        {"exact_nonpreemptive_run_declared", quantiles(all.declared_runs.flows)}};
    report.data()["paper_packets_late_nonpreemptive"] = all.paper_misses;
}

study::Mix offer(uint64_t capacity, unsigned run, unsigned seeds) {
    study::Mix mix;
    for (unsigned seed = 0; seed < seeds; ++seed)
        study::offer_mix(capacity, run * seeds + seed, mix);
    return mix;
}

/// The same with other capacities: whether it depends on them.
void run_others(const Options& options, unsigned seeds, Report& report) {
    for (const uint64_t capacity : kOthers)
        for (unsigned r = 0; r < options.runs; ++r) {
            const study::Mix mix = offer(capacity, r, seeds);
            report.add(fmt::format("exact_to_paper_preemptive_at_{}M", capacity / 1'000'000),
                       "ratio", median_of(mix.exact.flows) / median_of(mix.equal.flows),
                       at_least(1.5));
            report.add(fmt::format("bound_to_paper_preemptive_at_{}M", capacity / 1'000'000),
                       "ratio", median_of(mix.bound) / median_of(mix.equal.flows));
            report.add("executed_misses_at_other_capacities", "packets",
                       double(mix.exact.executed_misses + mix.runs.executed_misses +
                              mix.declared_runs.executed_misses + mix.refuted),
                       exactly(0));
        }
}

void measure_mix(const Options& options, uint64_t capacity, Report& report) {
    const unsigned seeds = options.quick ? 4 : kSeedsARun;
    study::Mix all;
    for (unsigned r = 0; r < options.runs; ++r) {
        const study::Mix mix = offer(capacity, r, seeds);
        add_medians(mix, report);
        add_up(mix, all);
        std::fprintf(stderr, "admission: run %u of %u: %.0f flows, %.0f by the exact test\n", r + 1,
                     options.runs, median_of(mix.equal.flows), median_of(mix.exact.flows));
    }
    add_sums(all, report);
    report.config().update({{"capacity", capacity}, {"seeds", seeds * options.runs}});
    report.note(
        "periods log-uniform 1 to 100 ms, deadlines uniform 0.1 to 1 of them, two works "
        "log-uniform "
        "100 to 10,000 units; requests until the first refusal. Executed by earliest deadline "
        "first "
        "in virtual time, which shares no code with admission");
}

void run_mix(const Options& options, Report& report) {
    measure_mix(options, kCapacity, report);
    run_others(options, options.quick ? 4 : kSeedsARun, report);
}

void run_large(const Options& options, Report& report) { measure_mix(options, kLarge, report); }

/// The issue's own: B's run of 10 ms cannot be interrupted when A comes, which is due in 4 ms.
std::vector<admission::Request> a_and_b() {
    constexpr admission::Nanoseconds kMs = 1'000'000;
    return {{.principal = "a",
             .period = 100 * kMs,
             .deadline = 4 * kMs,
             .claims = {{.resource = 0, .work = 1}, {.resource = 1, .work = 1}}},
            {.principal = "b",
             .period = 100 * kMs,
             .deadline = 100 * kMs,
             .claims = {{.resource = 0, .work = 10}, {.resource = 1, .work = 1}}}};
}

void run_counterexample(const Options&, Report& report) {
    for (const bool exact : {false, true}) {
        admission::Admission admission({.exact = exact});
        for (const char* name : {"core 0", "port wan"})
            admission.add_resource({.name = name, .capacity = 1000});
        std::vector<sched::PathFlow> flows;
        for (const admission::Request& request : a_and_b()) {
            const admission::Decision decision = admission.reserve(request);
            if (!granted(decision)) {
                report.note("counterexample: " + std::get<admission::Refusal>(decision).text);
                continue;
            }
            const auto& holds = std::get<admission::Reservation>(decision).holds;
            flows.push_back({.cpu_work = static_cast<uint32_t>(request.claims[0].work),
                             .link_work = static_cast<uint32_t>(request.claims[1].work),
                             .cpu_deadline = static_cast<uint64_t>(holds[0].time),
                             .link_deadline = static_cast<uint64_t>(holds[1].time),
                             .due = static_cast<uint64_t>(request.deadline)});
        }
        flows.front().first_ns = 1;  // when B runs already
        const sched::PathFate fate = sched::together(sched::PathRun(flows).run(50));
        const std::string name = exact ? "counterexample_exact" : "counterexample_paper";
        report.add(name + "_admitted", "flows", double(flows.size()), exactly(exact ? 1 : 2));
        report.add(name + "_misses", "packets of 50", double(fate.late), exactly(exact ? 0 : 50));
    }
}

void add_latency(const study::Decisions& seen, const std::string& kind, Report& report) {
    const auto p99 = [](const study::Timed& timed) { return quantile_of(timed.cpu_us, 0.99); };
    std::vector<double> far = seen.exact.cpu_us;
    far.insert(far.end(), seen.refused.cpu_us.begin(), seen.refused.cpu_us.end());
    report.add(kind + "_outline_decision_p99", "us", p99(seen.quick), at_most(1000));
    report.add(kind + "_exact_decision_p99", "ms", quantile_of(far, 0.99) / 1000, at_most(100));
    report.add(kind + "_reserve_p99", "us", p99(seen.reserved));
    report.add(kind + "_refusal_with_nearest_median", "ms", median_of(seen.advised.cpu_us) / 1000);
    report.add(kind + "_refusal_with_nearest_p99", "ms", p99(seen.advised) / 1000, at_most(200));
    report.data()["decisions"][kind].push_back(
        {{"reservations", seen.reservations},
         {"by_outline", seen.quick.cpu_us.size()},
         {"by_exact_test", seen.exact.cpu_us.size()},
         {"refused", seen.refused.cpu_us.size()},
         {"undecided", seen.undecided},
         {"perhaps_a_shorter_deadline", seen.perhaps_shorter},
         {"perhaps_a_higher_rate", seen.perhaps_faster}});
}

void run_latency(const Options& options, Report& report) {
    const size_t reservations = options.quick ? 500 : kReservations;
    for (unsigned r = 0; r < options.runs; ++r)
        for (const bool preemptive : {true, false}) {
            const auto seen =
                study::time_decisions(reservations, options.quick ? 100 : 400, preemptive);
            add_latency(seen, preemptive ? "preemptive" : "nonpreemptive", report);
        }
    report.config()["reservations"] = reservations;
    report.note("decisions are timed in this thread's processor time");
}

struct Part {
    const char* name;
    void (*run)(const Options&, Report&);
    bool asked_for = false;  ///< run only then
};
constexpr Part kParts[]{{"mix", run_mix},
                        {"counterexample", run_counterexample},
                        {"latency", run_latency},
                        {"mix-100M", run_large, true}};

std::vector<std::string> parts() {
    std::vector<std::string> names;
    for (const Part& part : kParts) names.emplace_back(part.name);
    return names;
}

void run(const Options& options, Report& report) {
    for (const Part& part : kParts)
        if (options.only.empty() ? !part.asked_for : options.only == part.name)
            part.run(options, report);
}

const FigureRegistration registration{
    {"admission", "flows that each admission test admits, their misses, time of a decision", run,
     parts}};

}  // namespace
}  // namespace ravelin::perf
