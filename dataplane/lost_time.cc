// SPDX-License-Identifier: Apache-2.0
#include "dataplane/lost_time.h"

#include <algorithm>
#include <ctime>

#include "dataplane/sched/pace.h"
#include "dataplane/tsc.h"

namespace ravelin {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;  // ns

}  // namespace

uint64_t LostTime::thread_clock() noexcept {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<uint64_t>(t.tv_sec) * kSecond + static_cast<uint64_t>(t.tv_nsec);
}

LostTime::LostTime(uint32_t principals)
    : hz_(tsc_hz()),
      short_(hz_ / 1'000'000),
      least_(hz_ / 100'000),
      first_(hz_ / 10'000),
      most_(hz_ / 2'000),
      credit_(hz_ / 100),
      allowances_(principals, {first_, least_}) {}

// Since the last look, ns that passed without it; none where that is long ago.
uint64_t LostTime::look(uint64_t now_ns, Clock had) noexcept {
    const uint64_t had_ns = had(), passed = now_ns - looked_ns_, own = had_ns - had_ns_;
    const bool late = looked_ns_ == 0 || had_ns < had_ns_;
    looked_ns_ = now_ns;
    had_ns_ = had_ns;
    return late || passed < own ? 0 : passed - own;
}

// The same in cycles.
uint64_t LostTime::taken(uint64_t now_ns, Clock had) noexcept {
    return static_cast<uint64_t>(sched::Wide{look(now_ns, had)} * hz_ / kSecond);
}

// More than interrupts: on credit. What is left for these is for the next runs, as far as it does.
uint64_t LostTime::at_once(Allowance& own, uint64_t cycles, bool reserved) const noexcept {
    const bool may = own.runs >= kRunsApart && cycles >= least_;
    const uint64_t credit = reserved ? credit_ : most_;
    const uint64_t lent = may ? std::min(cycles, credit - std::min(own.owes, credit)) : 0;
    if (lent != 0) own.runs -= kRunsApart;
    own.owes += lent;
    const uint64_t rest = std::min(cycles - lent, own.interrupts);
    own.interrupts -= rest;
    return lent + rest;
}

uint64_t LostTime::beyond(sched::PrincipalId id, uint64_t cycles, bool reserved, uint64_t now_ns,
                          Clock had) noexcept {
    Allowance& allowance = allowances_[index(id)];
    if (cycles < short_) {
        const uint64_t little = std::min(cycles, allowance.little);
        allowance.little -= little;
        return little;
    }
    const bool asks = had != nullptr && cycles >= least_;
    const uint64_t lost = asks ? std::min(cycles, taken(now_ns, had)) : 0;
    const uint64_t more = cycles - lost;
    if (more > allowance.interrupts) return lost + at_once(allowance, more, reserved);
    allowance.interrupts -= more;
    return cycles;
}

}  // namespace ravelin
