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
constexpr double kMostCycles = 1 << 20;             // a packet: beyond it the machine slept
constexpr uint64_t kMostBurst = uint64_t{1} << 31;  // cycles; what is beyond goes to the last

// 2^16 / n: what a packet bears of a stage's fixed cost, without a division on the path.
constexpr auto kReciprocals = [] {
    std::array<uint32_t, limits::kBurst + 1> table{};
    for (uint32_t n = 1; n < table.size(); ++n) table[n] = (1 << 16) / n;
    return table;
}();

uint32_t weight_of(double cycles) {
    return static_cast<uint32_t>(std::lround(std::clamp(cycles, 0.0, kMostCycles) * kOne));
}

}  // namespace

void CycleSplit::timed(unsigned stage, uint64_t cycles, unsigned packets) noexcept {
    if (packets == 0 || stage >= kMaxStages) return;
    Line& line = lines_[stage];
    const double n = packets, c = std::min(static_cast<double>(cycles), kMostCycles * n);
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

void CycleSplit::divide(uint64_t cycles, Usage& usage) noexcept {
    std::array<uint32_t, kMaxStages + 1> leaving{};
    uint32_t alive = 0, deepest = 0;
    for (unsigned i = 0; i < count_; ++i) {
        leaving[parts_[i].stages] += parts_[i].packets;
        alive += parts_[i].packets;
        deepest = std::max(deepest, parts_[i].stages);
    }
    std::array<uint64_t, kMaxStages + 1> through;  // what a packet took that passed so many
    through[0] = 0;
    for (uint32_t stage = 0; stage < deepest; ++stage) {
        alive -= leaving[stage];
        const auto& [fixed, each] = weights_[stage];
        const uint64_t borne = uint64_t{fixed} * kReciprocals[std::min(alive, limits::kBurst)];
        through[stage + 1] = through[stage] + each + (borne >> 16);
    }
    uint64_t total = 0, charged = 0;
    for (unsigned i = 0; i < count_; ++i) total += through[parts_[i].stages] * parts_[i].packets;
    // One division a burst; rounding goes to the last.
    const uint64_t rate = total == 0 ? 0 : (std::min(cycles, kMostBurst) << 32) / total;
    for (unsigned i = 0; i + 1 < count_; ++i) {
        const uint64_t weight = through[parts_[i].stages] * parts_[i].packets;
        const uint64_t share = std::min(weight * rate >> 32, cycles - charged);
        usage.add(parts_[i].id, Use::kCycles, share);
        charged += share;
    }
    usage.add(parts_[count_ - 1].id, Use::kCycles, cycles - charged);
}

}  // namespace ravelin::sched
