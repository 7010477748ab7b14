// SPDX-License-Identifier: Apache-2.0
// fig1: Figure 1 of the founding paper (requirements S67 to S73). Two resources of 1,000 units/s;
// flows of a packet in 100 ms that takes 1 unit of the first and 10 of the second and is due within
// 100 ms. How many each way to split the deadline admits, then what becomes of those admitted: by
// the data plane's schedulers alone, by the running data plane with emulated capacities, and by a
// worker on its own thread with real cycles and bytes.
#include <fmt/format.h>

#include "perf/figures/fig1.h"
#include "tests/support/admission_mix.h"
#include "tests/support/paper_figure.h"

namespace ravelin::perf {
namespace {

using admission::Admission;

constexpr uint64_t kMs = 1'000'000;

/// Flows until the first refusal.
struct Filled {
    Admission admission;
    std::vector<test::FigureRow> rows;
};

Filled fill(bool preemptive, admission::Rules rules) {
    Filled filled{test::equal_resources(2, 1000, preemptive, std::move(rules)), {}};
    filled.rows = test::fill_figure(filled.admission);
    return filled;
}

double percent(uint64_t tenths) { return static_cast<double>(tenths) / 10; }

nlohmann::json curve_of(const std::vector<test::FigureRow>& rows, bool second) {
    nlohmann::json points = nlohmann::json::array();
    for (size_t n = 0; n < rows.size(); ++n)
        points.push_back({n + 1, percent(second ? rows[n].second : rows[n].first)});
    return points;
}

/// The flows as the schedulers are told of them.
std::vector<sched::PathFlow> flows_of(const Admission& admission) {
    std::vector<sched::PathFlow> flows;
    for (const std::string& principal : admission.principals()) {
        const admission::Reservation& granted = *admission.find(principal);
        flows.push_back({.cpu_deadline = static_cast<uint64_t>(granted.holds[0].time),
                         .link_deadline = static_cast<uint64_t>(granted.holds[1].time),
                         .due = static_cast<uint64_t>(granted.request.deadline)});
    }
    return flows;
}

/// Nobody's admission: `count` flows with that split.
std::vector<sched::PathFlow> by_hand(size_t count, uint64_t cpu_deadline) {
    return std::vector<sched::PathFlow>(count, {.cpu_deadline = cpu_deadline,
                                                .link_deadline = 100 * kMs - cpu_deadline,
                                                .due = 100 * kMs});
}

/// By the schedulers alone; a packet that does not come out at all is late.
uint64_t execute(const FlowSet& set, Report& report) {
    sched::PathFate fate = sched::together(sched::PathRun(set.flows).run(kPackets));
    fate.late += kPackets * set.flows.size() - fate.served;
    report.add(set.name + "_worst_response", "ms",
               static_cast<double>(fate.worst_ns) / double(kMs));
    return fate.late;
}

/// The table of S71.
void add_readings(Report& report) {
    for (const test::Reading& reading : test::readings()) {
        const Filled filled = fill(true, {.exact = false, .relaxation = reading.relaxation});
        const test::FigureRow last = filled.rows.empty() ? test::FigureRow{} : filled.rows.back();
        const std::string name = reading.name;
        report.add(name + "_admitted", "flows", static_cast<double>(filled.rows.size()),
                   exactly(static_cast<double>(reading.admitted)));
        report.add(name + "_utilisation_of_first", "%", percent(last.first),
                   exactly(percent(reading.final.first)));
        report.add(name + "_utilisation_of_second", "%", percent(last.second),
                   exactly(percent(reading.final.second)));
    }
}

/// S69: the least time each flow finds, in ms; the one after the last is refused.
nlohmann::json least_times() {
    Admission admission = test::equal_resources(2, 1000, true, {.exact = false});
    nlohmann::json times = nlohmann::json::array();
    for (size_t n = 0;; ++n) {
        admission::Nanoseconds sum = 0;
        for (const admission::Claim& claim : test::figure_request(n).claims)
            sum += admission.book(claim.resource)
                       .paper_least({.work = claim.work, .period = 100 * admission::kSecond},
                                    admission::kLongestTime);
        times.push_back(static_cast<double>(sum) / double(kMs));
        if (!granted(admission.reserve(test::figure_request(n)))) return times;
    }
}

/// What the figure admits, each by its own way to split.
struct Admitted {
    Filled fixed = fill(true, {.exact = false, .relaxation = admission::fixed});
    Filled equal = fill(true, {.exact = false});
    Filled exact = fill(true, {});
    Filled runs = fill(false, {});
    [[nodiscard]] std::vector<FlowSet> sets() const {
        return {{"fixed_split", flows_of(fixed.admission)},
                {"equal_utilisation", flows_of(equal.admission)},
                {"exact_test", flows_of(exact.admission)},
                {"exact_test_nonpreemptive", flows_of(runs.admission)}};
    }
};

void add_curves(const Admitted& all, Report& report) {
    report.data() = {{"curves",
                      {{"fixed split, 1 unit", curve_of(all.fixed.rows, false)},
                       {"fixed split, 10 units", curve_of(all.fixed.rows, true)},
                       {"equal utilisation, 1 unit", curve_of(all.equal.rows, false)},
                       {"equal utilisation, 10 units", curve_of(all.equal.rows, true)},
                       {"exact test, 1 unit", curve_of(all.exact.rows, false)},
                       {"exact test, 10 units", curve_of(all.exact.rows, true)}}},
                     {"least_times_ms", least_times()}};
}

void add_notes(Report& report) {
    report.note(fmt::format(
        "executed first in virtual time by the data plane's CpuScheduler and LinkScheduler alone, "
        "on an emulated core and wire of 1,000 units/s, {} packets a flow, all together every 100 "
        "ms",
        kPackets));
    report.note("nine is what any split can admit (S70); a tenth flow misses once a period");
    report.note("nothing up to here is random: one run tells all");
}

uint64_t run_on_schedulers(const Admitted& all, const FlowSet& nine, const FlowSet& ten,
                           Report& report) {
    add_readings(report);
    report.add("exact_test_admitted", "flows", double(all.exact.rows.size()), at_least(9));
    report.add("exact_test_nonpreemptive_admitted", "flows", double(all.runs.rows.size()));
    uint64_t late = 0;
    for (const FlowSet& set : all.sets()) late += execute(set, report);
    report.add("misses_of_nine_with_the_fixed_split", "packets", double(execute(nine, report)),
               exactly(0));
    report.add("misses_of_ten", "packets", double(execute(ten, report)), exactly(kPackets));
    add_curves(all, report);
    add_notes(report);
    return late;
}

void run(const Options& options, Report& report) {
    const auto wanted = [&](const char* part) {
        return options.only.empty() || options.only == part;
    };
    const Admitted all;
    const FlowSet nine{"nine_with_the_fixed_split", by_hand(9, 50 * kMs)},
        ten{"ten", by_hand(10, 9'090'909), at_least(kPackets)};
    uint64_t late = 0;
    if (wanted("schedulers")) late += run_on_schedulers(all, nine, ten, report);
    const FlowSet granted = granted_by_control_plane();
    if (wanted("data-plane")) {
        std::vector<FlowSet> sets = all.sets();
        sets.insert(sets.end(), {granted, nine, ten});
        late += run_on_data_plane(sets, report);
        report.add("control_plane_admitted", "flows", double(granted.flows.size()));
    }
    if (options.only != "real") report.add("executed_misses", "packets", double(late), exactly(0));
    if (!wanted("real")) return;
    std::vector<FlowSet> sets = all.sets();
    sets.back() = granted;  // in place of what runs by the schedulers alone
    sets.push_back(ten);
    run_on_thread(sets, options, report);
}

std::vector<std::string> parts() { return {"schedulers", "data-plane", "real"}; }

const FigureRegistration registration{
    {"fig1", "Figure 1 of the founding paper: flows admitted, and executed", run, parts}};

}  // namespace
}  // namespace ravelin::perf
