// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/rounds.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "perf/bench/report.h"

namespace ravelin::perf {

bool is_good(const Round& round) {
    if (std::abs(round.io_after / round.io_before - 1) > kIoMayChange) return false;
    return round.testpmd <= 0 || std::abs(round.io() / round.testpmd - 1) <= kTestpmdMayDiffer;
}

unsigned Rounds::taken() const {
    return static_cast<unsigned>(kept.size()) + (good ? discarded : 0);
}

std::vector<Rounds> good_of(std::vector<Rounds> runs) {
    if (std::ranges::any_of(runs, &Rounds::good))
        std::erase_if(runs, [](const Rounds& r) { return !r.good; });
    return runs;
}

double Rounds::median(const std::function<double(const Round&)>& what) const {
    std::vector<double> values;
    std::ranges::transform(kept, std::back_inserter(values), what);
    return median_of(std::move(values));
}

Rounds take_rounds(unsigned wanted, unsigned most, const std::function<Round()>& take) {
    Rounds out;
    std::vector<Round> others;
    while (out.kept.size() < wanted && out.kept.size() + others.size() < most) {
        const Round round = take();
        (is_good(round) ? out.kept : others).push_back(round);
    }
    out.discarded = static_cast<unsigned>(others.size());
    out.good = !out.kept.empty();
    if (!out.good) out.kept = std::move(others);
    return out;
}

}  // namespace ravelin::perf
