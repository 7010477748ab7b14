// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tests/admission/study.h"
#include "tests/support/admission_mix.h"

namespace ravelin::study {
namespace {

using admission::Admission;

constexpr int64_t kMs = 1'000'000;

double utilisation(const Admission& admission, admission::ResourceId id) {
    const double used = std::ldexp(double(admission.book(id).shares().sum()), -64);
    return 100 * used / double(admission.book(id).resource().capacity);
}

/// Flows of 1 and 10 units each 100 ms, on 1000 units/s each, until the first is refused.
nlohmann::json admitted(admission::Rules rules, uint64_t& missed) {
    Admission admission = test::equal_resources(2, 1000, true, std::move(rules));
    nlohmann::json rows = nlohmann::json::array();
    for (size_t n = 0;; ++n) {
        const admission::Request request{
            .principal = fmt::format("flow{}", n),
            .period = 100 * kMs,
            .deadline = 100 * kMs,
            .claims = {{.resource = 0, .work = 1}, {.resource = 1, .work = 10}}};
        if (!granted(admission.reserve(request))) break;
        rows.push_back({utilisation(admission, 0), utilisation(admission, 1)});
    }
    std::mt19937_64 random(1);
    const auto fates =
        test::execute(test::virtual_resources(admission),
                      test::flows_of(admission, test::Arrivals::kTogether, 5'000 * kMs, random));
    int64_t worst = 0;
    for (const test::Fate& fate : fates) worst = std::max(worst, fate.worst);
    missed += test::missed(fates);
    return {{"admitted", rows.size()},
            {"utilisation_percent", rows},
            {"worst_response_ms", double(worst) / double(kMs)}};
}

}  // namespace

nlohmann::json figure() {
    uint64_t missed = 0;
    const auto fixed = admitted({.exact = false, .relaxation = admission::fixed}, missed);
    const auto equal = admitted({.exact = false}, missed);
    const auto exact = admitted({}, missed);
    return {{"fixed_split_admitted", fixed["admitted"]},
            {"equal_utilisation_admitted", equal["admitted"]},
            {"exact_test_admitted", exact["admitted"]},
            {"executed_misses", missed},
            {"fixed_split", fixed},
            {"equal_utilisation", equal},
            {"exact_test", exact}};
}

}  // namespace ravelin::study
