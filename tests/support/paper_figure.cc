// SPDX-License-Identifier: Apache-2.0
#include "tests/support/paper_figure.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>

namespace ravelin::test {
namespace {

using admission::Load;
using admission::Nanoseconds;
using admission::Relaxation;

constexpr Nanoseconds kMs = 1'000'000;

/// Hands out what is beyond `least` in proportion to a weight of each resource; `half`: the time
/// it would have with an equal part of the slack.
Relaxation slack_by(std::function<double(const Load&, double half)> weight) {
    return [weight = std::move(weight)](std::span<const Load> loads, Nanoseconds time) {
        for (const Load& load : loads) time -= load.least;
        const double each = double(time) / double(loads.size());
        double sum = 0;
        for (const Load& load : loads) sum += weight(load, double(load.least) + each);
        std::vector<Nanoseconds> times;
        for (const Load& load : loads) {
            const double mine = weight(load, double(load.least) + each);
            const double part = sum > 0 ? mine / sum : 1.0 / double(loads.size());
            times.push_back(load.least + static_cast<Nanoseconds>(double(time) * part));
        }
        return times;
    };
}

double used(const Load& load) { return std::ldexp(double(load.used), -64); }

}  // namespace

admission::Request figure_request(size_t number, admission::Work first, admission::Work second) {
    return {.principal = fmt::format("flow{}", number),
            .period = 100 * kMs,
            .deadline = 100 * kMs,
            .claims = {{.resource = 0, .work = first}, {.resource = 1, .work = second}}};
}

uint64_t utilisation(const admission::Admission& admission, admission::ResourceId id) {
    using admission::Wide;
    const Wide unit = Wide{admission.book(id).resource().capacity} << 64;
    return static_cast<uint64_t>((admission.book(id).shares().sum() * 1000 + unit / 2) / unit);
}

std::vector<FigureRow> fill_figure(admission::Admission& admission) {
    std::vector<FigureRow> rows;
    while (granted(admission.reserve(figure_request(rows.size()))))
        rows.push_back({utilisation(admission, 0), utilisation(admission, 1)});
    return rows;
}

std::vector<Reading> readings() {
    const auto one = [](const Load&, double) { return 1.0; };
    const auto present = [](const Load& load, double) { return used(load); };
    const auto residual = [](const Load& load, double) {
        return 1 / (double(load.capacity) - used(load));
    };
    const auto would_be = [](const Load& load, double half) {
        return used(load) + double(load.work) * 1e9 / half;
    };
    return {{"fixed_split", admission::fixed, 5, {100, 1000}},
            {"half_the_slack", slack_by(one), 6, {184, 974}},
            {"slack_by_present_load", slack_by(present), 7, {373, 926}},
            {"slack_by_residual", slack_by(residual), 7, {614, 990}},
            {"slack_by_would_be_load", slack_by(would_be), 8, {542, 989}},
            {"equal_utilisation", admission::equal_utilisation, 9, {990, 990}},
            {"proportional", admission::proportional, 9, {990, 990}}};
}

}  // namespace ravelin::test
