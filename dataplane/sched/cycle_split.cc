// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/cycle_split.h"

#include <algorithm>
#include <cmath>

namespace ravelin::sched {
namespace {

// Samples that a mean reaches back: half a second of a worker at 1 Mpps, and a line that 30 % of
// noise moves by 2 %.
constexpr double kMemory = 256;
constexpr double kOne = 256;
// Beyond so many times what it is reckoned to take, a stage was interrupted: the worker lost its
// CPU. A sample that is cut still lets it become dearer, step by step.
constexpr double kInterrupted = 4;
// The first samples may have fetched code and touched pages for the first time, which takes up to
// a thousand times as long and would be in the mean for thousands of bursts: what they say is
// forgotten once one says less than half of it.
constexpr uint32_t kCold = 32;
constexpr double kMostCycles = 1 << 20;             // a packet: beyond it the machine slept
constexpr uint64_t kMostBurst = uint64_t{1} << 31;  // cycles; what is beyond goes to the last

// 2^16 / n: what a packet bears of a stage's fixed cost, without a division on the path.
constexpr auto kReciprocals = [] {
    std::array<uint32_t, limits::kBurst + 1> table{};
    for (uint32_t n = 1; n < table.size(); ++n) table[n] = (1 << 16) / n;
    return table;
}();

uint32_t share_of(uint32_t packets) { return kReciprocals[std::min(packets, limits::kBurst)]; }

uint32_t weight_of(double cycles) {
    return static_cast<uint32_t>(std::lround(std::clamp(cycles, 0.0, kMostCycles) * kOne));
}

}  // namespace

void CycleSplit::timed(unsigned stage, uint64_t cycles, unsigned packets) noexcept {
    if (packets == 0 || stage >= kMaxStages) return;
    Line& line = lines_[stage];
    const double n = packets;
    double c = std::min(static_cast<double>(cycles), kMostCycles * n);
    if (line.samples >= kTrusted)
        c = std::min(c, kInterrupted * static_cast<double>(reckoned(stage, packets) + 1));
    if (line.seen < kCold) {
        ++line.seen;
        if (2 * c < static_cast<double>(reckoned(stage, packets))) line = Line{.seen = line.seen};
    }
    line.samples = std::min(line.samples + 1, kMemory);
    const double part = 1 / line.samples;
    line.n += (n - line.n) * part;
    line.c += (c - line.c) * part;
    line.nn += (n * n - line.nn) * part;
    line.nc += (n * c - line.nc) * part;
    const double variance = line.nn - line.n * line.n;
    // Bursts of one size tell no fixed cost from the rest, and it does not matter.
    const double slope =
        variance < 1 ? line.c / line.n
                     : std::clamp((line.nc - line.n * line.c) / variance, 0.0, line.c / line.n);
    weights_[stage] = {weight_of(line.c - slope * line.n), std::max(weight_of(slope), 1u)};
}

// through[s]: what a packet takes of all stages before s.
void CycleSplit::reckon(Reckoned& through) const noexcept {
    std::array<uint32_t, kMaxStages + 1> change{};  // of packets at a stage, from the one before
    uint32_t alive = 0, deepest = 0;
    for (unsigned i = 0; i < count_; ++i) {
        change[parts_[i].first] += parts_[i].packets;
        change[parts_[i].end] -= parts_[i].packets;
        deepest = std::max<uint32_t>(deepest, parts_[i].end);
        if (parts_[i].beside == kNone) continue;
        change[parts_[i].beside] += parts_[i].packets;
        change[parts_[i].beside + 1] -= parts_[i].packets;
        deepest = std::max<uint32_t>(deepest, parts_[i].beside + 1);
    }
    through[kNone] = through[kNone + 1] = 0;
    through[0] = 0;
    for (uint32_t stage = 0; stage < deepest; ++stage) {
        alive += change[stage];
        const auto& [fixed, each] = weights_[stage];
        through[stage + 1] = through[stage] + each + (uint64_t{fixed} * share_of(alive) >> 16);
    }
}

// One division a burst; rounding goes to the last.
void CycleSplit::divide(uint64_t cycles, Usage& usage, PrincipalId other, uint64_t own) noexcept {
    Reckoned through;
    uint64_t total = own * static_cast<uint64_t>(kOne), charged = 0;
    reckon(through);
    for (unsigned i = 0; i < count_; ++i) total += cost_of(parts_[i], through);
    const uint64_t rate = total == 0 ? 0 : (std::min(cycles, kMostBurst) << 32) / total;
    const auto charge = [&](PrincipalId id, uint64_t cost) {
        const uint64_t share = std::min(cost * rate >> 32, cycles - charged);
        usage.add(id, Use::kCycles, share);
        charged += share;
    };
    charge(other, own * static_cast<uint64_t>(kOne));
    for (unsigned i = 0; i + 1 < count_; ++i) charge(parts_[i].id, cost_of(parts_[i], through));
    usage.add(parts_[count_ - 1].id, Use::kCycles, cycles - charged);
}

}  // namespace ravelin::sched
