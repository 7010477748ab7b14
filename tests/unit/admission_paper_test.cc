// SPDX-License-Identifier: Apache-2.0
// Figure 1 of the founding paper, its tables (requirements S67 to S73) and the test itself.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/support/admission_mix.h"
#include "tests/support/paper_figure.h"

namespace ravelin::admission {
namespace {

using test::figure_request;

constexpr Nanoseconds kMs = 1'000'000;

Rules paper(Relaxation relaxation) { return {.exact = false, .relaxation = std::move(relaxation)}; }

/// Utilisations after each flow admitted.
std::vector<test::FigureRow> admit_figure(Rules rules) {
    Admission admission = test::equal_resources(2, 1000, true, std::move(rules));
    return test::fill_figure(admission);
}

TEST(Figure1, FixedSplitAdmitsFive) {
    const auto rows = admit_figure(paper(fixed));
    ASSERT_EQ(rows.size(), 5u);  // the fifth is exactly at the boundary (S72d)
    for (size_t n = 1; n <= 5; ++n) {
        EXPECT_EQ(rows[n - 1].first, n * 20);
        EXPECT_EQ(rows[n - 1].second, n * 200);
    }
}

TEST(Figure1, EqualUtilisationAdmitsNine) {
    const auto rows = admit_figure(paper(equal_utilisation));
    ASSERT_EQ(rows.size(), 9u);
    for (size_t n = 1; n <= 9; ++n) {
        EXPECT_EQ(rows[n - 1].first, n * 110);
        EXPECT_EQ(rows[n - 1].second, n * 110);
    }
}

TEST(Figure1, LeastTimesAreAsTabled) {
    // S69: the sum of d_min for each flow, in tenths of a ms; the tenth would need 1100 ms.
    Admission admission = test::equal_resources(2, 1000, true, paper(equal_utilisation));
    const std::array<Nanoseconds, 10> tabled{110, 124, 141, 164, 196, 244, 324, 478, 917, 11000};
    for (size_t n = 0; n < tabled.size(); ++n) {
        Nanoseconds sum = 0;
        for (const Work work : {1, 10})
            sum += admission.book(work == 1 ? 0 : 1)
                       .paper_least({.work = work, .period = 2000 * kMs}, kLongestTime);
        EXPECT_EQ((sum + kMs / 20) / (kMs / 10), tabled[n]) << n;
        EXPECT_EQ(granted(admission.reserve(figure_request(n))), n < 9);
    }
    const Reservation& first = *admission.find("flow0");
    EXPECT_NEAR(double(first.holds[0].time), 1e9 / 110, 2);
    EXPECT_EQ(first.holds[0].time + first.holds[1].time, 100 * kMs);
}

TEST(Figure1, AlternatingFlows) {  // S72c
    for (const auto& [relaxation, expected] :
         {std::pair<Relaxation, size_t>{fixed, 8}, {equal_utilisation, 9}}) {
        Admission admission = test::equal_resources(2, 1000, true, paper(relaxation));
        size_t n = 0;
        while (granted(
            admission.reserve(n % 2 == 0 ? figure_request(n, 1, 10) : figure_request(n, 10, 1))))
            ++n;
        EXPECT_EQ(n, expected);
    }
}

TEST(Figure1, OtherReadingsOfLoadDependent) {  // the table of S71
    for (const test::Reading& reading : test::readings()) {
        const auto rows = admit_figure(paper(reading.relaxation));
        ASSERT_EQ(rows.size(), reading.admitted) << reading.name;
        EXPECT_EQ(rows.back().first, reading.final.first) << reading.name;
        EXPECT_EQ(rows.back().second, reading.final.second) << reading.name;
    }
}

TEST(Figure1, ExactTestAdmitsNine) {
    // The tenth flow's last packet would take 10 * 10 + 1 ms: nine is all there is.
    EXPECT_EQ(admit_figure({}).size(), 9u);
}

/// 50 periods, all flows together (S73).
std::vector<test::Fate> run_figure(Admission& admission) {
    std::mt19937_64 random(1);
    return test::execute(test::virtual_resources(admission),
                         test::flows_of(admission, test::Arrivals::kTogether, 5'000 * kMs, random));
}

int64_t worst(const std::vector<test::Fate>& fates) {
    int64_t most = 0;
    for (const test::Fate& fate : fates) most = std::max(most, fate.worst);
    return most;
}

TEST(Figure1, Executed) {
    for (const auto& [relaxation, response] :
         {std::pair<Relaxation, int64_t>{equal_utilisation, 91 * kMs}, {fixed, 51 * kMs}}) {
        Admission admission = test::equal_resources(2, 1000, true, paper(relaxation));
        for (size_t n = 0; granted(admission.reserve(figure_request(n)));) ++n;
        const auto fates = run_figure(admission);
        EXPECT_EQ(test::missed(fates), 0u);
        EXPECT_EQ(worst(fates), response);
        EXPECT_EQ(fates[0].packets, 50u);
    }
}

/// Nobody's admission: packets of n flows due after the whole 100 ms, split as told.
std::vector<test::Fate> run_by_hand(size_t flows, int64_t first) {
    test::VirtualFlow flow{.visits = {{.resource = 0, .service = kMs, .due = first},
                                      {.resource = 1, .service = 10 * kMs, .due = 100 * kMs}}};
    for (int64_t at = 0; at < 5'000 * kMs; at += 100 * kMs) flow.arrivals.push_back(at);
    return test::execute({{}, {}}, std::vector<test::VirtualFlow>(flows, flow));
}

TEST(Figure1, WhatWasRefusedExecuted) {
    const auto ten = run_by_hand(10, 100 * kMs);
    EXPECT_EQ(test::missed(ten), 50u);  // one in each period
    EXPECT_EQ(worst(ten), 101 * kMs);
    // The four that the fixed split refuses would have met 100 ms: its limit is the rule.
    EXPECT_EQ(test::missed(run_by_hand(9, 100 * kMs)), 0u);
}

TEST(Paper, ReleaseRestoresResidual) {  // S42d
    Admission admission = test::equal_resources(2, 1000, true, paper(equal_utilisation));
    for (size_t n = 0; n < 4; ++n) ASSERT_TRUE(granted(admission.reserve(figure_request(n))));
    const Wide before = admission.book(0).shares().sum();
    const auto least = [&] {
        return admission.book(1).paper_least({.work = 7, .period = 90 * kMs}, kLongestTime);
    };
    const Nanoseconds least_before = least();
    for (size_t n = 4; n < 9; ++n) ASSERT_TRUE(granted(admission.reserve(figure_request(n))));
    EXPECT_GT(least(), least_before);
    for (size_t n = 4; n < 9; ++n) ASSERT_TRUE(admission.release(fmt::format("flow{}", n)).ok());
    EXPECT_EQ(admission.book(0).shares().sum(), before);
    EXPECT_EQ(least(), least_before);
}

TEST(Paper, DeadlinesBeyondThePeriodCountThePeriod) {
    // 10,000 packets/s of 600 cycles, 2 ms deadline: W/d alone would reserve 0.3 million cycles/s
    // where 6 million are used.
    Admission admission = test::equal_resources(1, 10'000'000, true, paper(equal_utilisation));
    const auto request = [](const char* name) {
        return Request{.principal = name,
                       .period = period_of(10'000),
                       .deadline = 2 * kMs,
                       .claims = {{.resource = 0, .work = 600}}};
    };
    EXPECT_TRUE(granted(admission.reserve(request("a"))));
    EXPECT_FALSE(granted(admission.reserve(request("b"))));
}

TEST(EqualUtilisation, RepairsAnImbalance) {  // S72b: which proportional does not
    const std::array loads{
        Load{.capacity = 1000,
             .used = Wide{600} << 64,
             .work = 10,
             .whole = 100 * kMs,
             .least = 25 * kMs},
        Load{.capacity = 1000, .used = Wide{0}, .work = 10, .whole = 100 * kMs, .least = 10 * kMs}};
    const auto times = equal_utilisation(loads, 80 * kMs);
    EXPECT_EQ(times[0] + times[1], 80 * kMs);
    EXPECT_NEAR(600 + 1e10 / double(times[0]), 1e10 / double(times[1]), 0.01);
}

}  // namespace
}  // namespace ravelin::admission
