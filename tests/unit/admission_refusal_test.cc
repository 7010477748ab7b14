// SPDX-License-Identifier: Apache-2.0
// A refusal says what binds and the nearest contract that would fit; requests wrong in themselves.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/admission/wording.h"
#include "tests/support/admission_mix.h"

namespace ravelin::admission {
namespace {
using testing::HasSubstr;

constexpr Nanoseconds kMs = 1'000'000;

Request example() {
    return {.principal = "p",
            .period = 100 * kMs,
            .deadline = 100 * kMs,
            .claims = {{.resource = 0, .work = 1}, {.resource = 1, .work = 10}}};
}

bool fits(const Admission& admission, const Request& request) {
    return granted(admission.decide(request));
}

Nearest nearest_of(const Admission& admission, const Request& request) {
    return admission.nearest(request, std::get<Refusal>(admission.decide(request)));
}

struct Found {
    int times = 0, periods = 0, works = 0;
};

/// Each is the nearest: it fits, and one step less does not; or there is none.
void expect_nearest(const Admission& admission, const Request& request, Found& found) {
    const Refusal refusal = std::get<Refusal>(admission.decide(request));
    const Nearest nearest = admission.nearest(request, refusal);
    EXPECT_FALSE(nearest.cut_short());
    Request other = request;
    if (nearest.time) {
        ++found.times;
        other.deadline = *nearest.time;
        EXPECT_TRUE(fits(admission, other));
        --other.deadline;
        EXPECT_FALSE(fits(admission, other));
    } else {
        other.deadline = kLongestTime;
        EXPECT_FALSE(fits(admission, other));
    }
    other = request;
    if (nearest.period) {
        ++found.periods;
        other.period = *nearest.period;
        EXPECT_TRUE(fits(admission, other));
        --other.period;
        EXPECT_FALSE(fits(admission, other));
    } else {
        other.period = kLongestTime / other.burst;
        EXPECT_FALSE(fits(admission, other));
    }
    other = request;
    if (nearest.work) {
        ++found.works;
        other.claims[refusal.binding].work = *nearest.work;
        EXPECT_TRUE(fits(admission, other));
        ++other.claims[refusal.binding].work;
        EXPECT_FALSE(fits(admission, other));
    } else {
        other.claims[refusal.binding].work = 1;
        EXPECT_FALSE(fits(admission, other));
    }
}

TEST(Nearest, FitsAndNothingNearerDoes) {
    for (const bool exact : {true, false})
        for (const char* relaxation : {"equal-utilisation", "fixed", "proportional"}) {
            Found found;
            for (uint64_t seed = 0; seed < 12; ++seed) {
                std::mt19937_64 random(seed);
                Admission admission = test::equal_resources(
                    2, 10'000'000, seed % 2 == 0,
                    {.exact = exact, .relaxation = relaxation_named(relaxation)});
                for (size_t i = 0; i < 40; ++i) {
                    const Request request = test::mixed_request(random, i, 2);
                    if (!granted(admission.reserve(request)))
                        expect_nearest(admission, request, found);
                }
            }
            EXPECT_GT(found.times, 50) << relaxation << exact;
            EXPECT_GT(found.works, 50) << relaxation << exact;
        }
}

/// 300 reservations on links nearly full, of which the exact test may look at few: what is named
/// fits all the same, and says that it may not be the nearest.
TEST(Nearest, FitsThoughTheEffortRunsOut) {
    std::mt19937_64 random(7);
    Admission admission = test::equal_resources(2, 300 * 450'000, false);
    for (size_t i = 0; i < 600; ++i)
        static_cast<void>(admission.reserve(test::mixed_request(random, i, 2)));
    // A few walks; a whole search takes 40. Asked again, there is no more.
    Admission brief = test::equal_resources(2, 300 * 450'000, false, {.effort = 300 * 300});
    for (const std::string& name : admission.principals()) {
        const Reservation& held = *admission.find(name);
        std::vector<Nanoseconds> times;
        for (const auto& hold : held.holds) times.push_back(hold.time);
        ASSERT_TRUE(brief.enter_granted(held.request, times).ok());
    }
    unsigned named = 0, cut_short = 0;
    for (size_t i = 0; i < 200; ++i) {
        Request request = test::mixed_request(random, i, 2);
        request.principal = "newcomer";
        const Decision decision = brief.decide(request);
        if (granted(decision)) continue;
        const Refusal& refusal = std::get<Refusal>(decision);
        const Nearest found = brief.nearest(request, refusal);
        cut_short += found.cut_short() ? 1 : 0;
        const auto try_it = [&](auto change) {
            Request other = request;
            change(other);
            EXPECT_TRUE(fits(brief, other));
            ++named;
        };
        if (found.time) try_it([&](Request& r) { r.deadline = *found.time; });
        if (found.period) try_it([&](Request& r) { r.period = *found.period; });
        if (found.work) try_it([&](Request& r) { r.claims[refusal.binding].work = *found.work; });
    }
    EXPECT_GT(named, 100u);
    EXPECT_GT(cut_short, 50u);
}

TEST(Refusal, SaysWhatBindsAndWhatWouldFit) {
    Admission admission = test::equal_resources(2, 1000, true);
    for (int i = 0; i < 9; ++i) {
        Request request = example();
        request.principal = fmt::format("p{}", i);
        ASSERT_TRUE(fits(admission, request));
        ASSERT_TRUE(granted(admission.reserve(request)));
    }
    const Refusal refusal = std::get<Refusal>(admission.decide(example()));
    EXPECT_EQ(refusal.kind, Refusal::Kind::kTime);
    EXPECT_EQ(refusal.binding, 1u);
    EXPECT_EQ(refusal.text,
              "r1 binds: r0 needs 10 ms, r1 needs 100 ms; 100 ms of the deadline may be split");
    EXPECT_THAT(admission.advice(example()), HasSubstr("; with a deadline of 110 ms it would fit"));
}

TEST(Refusal, ForRateIsToldApart) {
    Admission admission = test::equal_resources(2, 1000, true);
    Request request = example();
    request.claims[1].work = 101;
    const Decision refused = admission.decide(request);
    EXPECT_EQ(std::get<Refusal>(refused).kind, Refusal::Kind::kRate);
    EXPECT_EQ(std::get<Refusal>(refused).text, "r1 has not 101 units every 100 ms to spare");
    const Nearest nearest = nearest_of(admission, request);
    EXPECT_FALSE(nearest.time.has_value());
    EXPECT_EQ(nearest.work, 99u);  // and 1 ms for the other
    request.claims[1].work = 60;
    request.deadline = 40 * kMs;
    EXPECT_FALSE(nearest_of(admission, request).period.has_value());
    EXPECT_EQ(nearest_of(admission, request).time, 61 * kMs);
}

TEST(Refusal, WithNothingThatWouldFit) {
    // The wake-up alone takes longer than the deadline.
    Admission admission;
    admission.add_resource({.name = "core 1", .capacity = 1'000'000, .wake = 3 * kMs});
    Request request{.principal = "p",
                    .period = 100 * kMs,
                    .deadline = 2 * kMs,
                    .claims = {{.resource = 0, .work = 10}}};
    EXPECT_THAT(admission.advice(request), HasSubstr("with a deadline of 3.01 ms it would fit"));
    admission.add_resource({.name = "core 2", .capacity = 1'000, .core = {.rate = 1'000}});
    request.claims[0].resource = 1;
    EXPECT_THAT(admission.advice(request), HasSubstr("neither a longer deadline"));
}

TEST(Refusal, WhenTheEffortIsSpentNothingIsAdmitted) {
    Admission admission = test::equal_resources(1, 1000, true, {.effort = 0});
    Request request{.principal = "p",
                    .period = 100 * kMs,
                    .deadline = 10 * kMs,
                    .claims = {{.resource = 0, .work = 10}}};
    ASSERT_TRUE(granted(admission.reserve(request)));  // the outline alone sees that
    request.principal = "q";
    EXPECT_EQ(std::get<Refusal>(admission.decide(request)).kind, Refusal::Kind::kUndecided);
    EXPECT_THAT(admission.advice(request), HasSubstr(", perhaps with a shorter one"));
}

TEST(Request, WrongInItselfIsRefused) {
    Admission admission = test::equal_resources(2, 1000, true);
    const auto told = [&](auto change) {
        Request request = example();
        change(request);
        const Decision decision = admission.decide(request);
        EXPECT_FALSE(granted(decision));
        return granted(decision) ? "" : std::get<Refusal>(decision).text;
    };
    EXPECT_EQ(told([](Request& r) { r.principal.clear(); }), "no principal is named");
    EXPECT_EQ(told([](Request& r) { r.claims.clear(); }), "nothing is claimed");
    EXPECT_EQ(told([](Request& r) { r.claims[1].resource = 0; }),
              "r0 is claimed twice: add the work up in one claim");
    EXPECT_EQ(told([](Request& r) { r.claims[1].resource = 7; }), "there is no resource 7");
    EXPECT_EQ(told([](Request& r) { r.claims[0].work = 0; }),
              "r0: work of 0 units; from 1 to 2^40 in one burst");
    EXPECT_EQ(told([](Request& r) {
                  r.claims[0].work = kMostWork;
                  r.burst = 2;
              }),
              "r0: work of 1099511627776 units; from 1 to 2^40 in one burst");
    EXPECT_EQ(told([](Request& r) { r.burst = 0; }), "burst of 0 packets; from 1 to 65536");
    EXPECT_EQ(told([](Request& r) { r.deadline = 0; }),
              "deadline of 0 ns; from 1 ns to 4398.046511104 s");
    EXPECT_EQ(told([](Request& r) { r.deadline = kLongestTime + 1; }),
              "deadline of 4398.046511105 s; from 1 ns to 4398.046511104 s");
    EXPECT_EQ(told([](Request& r) { r.period = -5; }),
              "one packet in -5 ns; from 1 ns to 4398.046511104 s in one burst");
    ASSERT_TRUE(granted(admission.reserve(example())));
    EXPECT_EQ(told([](Request&) {}), "p has a reservation already");
}

TEST(Request, AtTheLimitsIsDecidedAsAnyOther) {
    for (const bool preemptive : {true, false}) {
        Admission admission = test::equal_resources(1, kMostWork, preemptive);
        Request request{.principal = "p",
                        .period = 1,
                        .deadline = kLongestTime,
                        .claims = {{.resource = 0, .work = kMostWork}}};
        EXPECT_EQ(std::get<Refusal>(admission.decide(request)).kind, Refusal::Kind::kRate);
        request.period = kSecond;
        request.deadline = kSecond - 1;
        EXPECT_FALSE(granted(admission.decide(request)));
        request.deadline = kSecond;  // all there is, to the last unit and ns
        ASSERT_TRUE(granted(admission.reserve(request)));
        request = {.principal = "q",
                   .period = kLongestTime,
                   .deadline = kLongestTime,
                   .claims = {{.resource = 0, .work = 1}}};
        EXPECT_EQ(std::get<Refusal>(admission.decide(request)).kind, Refusal::Kind::kRate);
    }
}

TEST(TimeText, IsExact) {
    EXPECT_EQ(time_text(0), "0 ns");
    EXPECT_EQ(time_text(999), "999 ns");
    EXPECT_EQ(time_text(1'000), "1 us");
    EXPECT_EQ(time_text(1'050), "1.05 us");
    EXPECT_EQ(time_text(2'500'000), "2.5 ms");
    EXPECT_EQ(time_text(1'000'000'001), "1.000000001 s");
}

}  // namespace
}  // namespace ravelin::admission
