// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tsc_clock.h"

#include <algorithm>
#include <cmath>

namespace ravelin {
namespace {

constexpr double kOne = 4294967296.0;  // 2^32
// Of what was expected, and as well: NTP slews by less, and two readings are not taken at once.
constexpr double kMayDiffer = 1.0 / 512, kMayDifferNs = 1'000;
constexpr double kNewest = 0.25;                                  // of the pace, of one span
constexpr uint64_t kSlowest = 1ULL << 33, kFastest = 1ULL << 29;  // 500 MHz and 8 GHz
constexpr uint64_t kLongestLearning = uint64_t{1} << 36;          // cycles
constexpr uint64_t kTogether = 256;                               // cycles: no more tries

}  // namespace

constinit thread_local TscClock thread_clock{[]() noexcept { return uint64_t{rte_rdtsc()}; },
                                             &Now::read};

// What took the thread's CPU away between the two was most often there for one try alone.
TscClock::Both TscClock::read_both() const noexcept {
    Both best{.doubt = UINT64_MAX};
    for (unsigned tries = 0; tries < 3 && best.doubt > kTogether; ++tries) {
        const uint64_t before = cycles_(), ns = kernel_().ns, width = cycles_() - before;
        if (width < best.doubt) best = {before + width / 2, ns, width};
    }
    return best;
}

void TscClock::ask() noexcept {
    const Both real = read_both();
    told_ns_ = std::max(told_ns_, real.ns);
    asked_again_in_ = kReadings;
    if (rate_ == 0)
        learn(real);
    else if (agrees(real))
        follow(real);
    else
        distrust(real);
}

// One that went back has passed some 2^64.
bool TscClock::agrees(const Both& real) const noexcept {
    const double pace = static_cast<double>(rate_) / kOne,
                 expected = static_cast<double>(real.cycles - known_.cycles) * pace,
                 passed = static_cast<double>(real.ns) - static_cast<double>(known_.ns);
    const double doubt = static_cast<double>(real.doubt + known_.doubt) * pace;
    return std::abs(passed - expected) <= expected * kMayDiffer + kMayDifferNs + doubt;
}

void TscClock::follow(const Both& real) noexcept {
    const uint64_t cycles = real.cycles - known_.cycles;
    if (cycles >= kAskEvery) {
        const double seen = static_cast<double>(real.ns - known_.ns) / static_cast<double>(cycles),
                     pace = static_cast<double>(rate_) / kOne;
        rate_ = static_cast<uint64_t>(std::llround((pace + (seen - pace) * kNewest) * kOne));
    }
    known_ = real;
    good_for_ = std::min(2 * good_for_, kAskEvery);
}

// From what is known on; that it counts evenly is shown in spans that grow.
void TscClock::learn(const Both& real) noexcept {
    const uint64_t cycles = real.cycles - known_.cycles;
    if (known_.ns != 0) {
        if (cycles < learn_for_) return;
        rate_ = static_cast<uint64_t>(static_cast<double>(real.ns - known_.ns) /
                                      static_cast<double>(cycles) * kOne);
        if (rate_ < kFastest || rate_ > kSlowest)
            rate_ = 0;
        else
            good_for_ = kFirstTrust;
    }
    known_ = real;
}

void TscClock::distrust(const Both& real) noexcept {
    rate_ = good_for_ = 0;
    known_ = real;
    learn_for_ = std::min(2 * learn_for_, kLongestLearning);
}

}  // namespace ravelin
