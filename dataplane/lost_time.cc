// SPDX-License-Identifier: Apache-2.0
#include "dataplane/lost_time.h"

#include <algorithm>
#include <ctime>
#include <utility>

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
      all_(hz_ / 1'000),
      allowances_(principals, {first_, first_, least_}) {}

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

// More than a row of runs may have, of which one in sixteen has it.
uint64_t LostTime::at_once(Allowance& own, uint64_t cycles, bool reserved) noexcept {
    if (own.runs < kRunsApart || cycles < least_) {
        own.saved -= own.interrupts;
        return std::exchange(own.interrupts, 0);
    }
    const uint64_t wanted = std::min(cycles, most_), mine = std::min(wanted, own.saved);
    const uint64_t others = reserved ? std::min({wanted - mine, spared_, most_ - own.owes}) : 0;
    own.saved -= mine;
    own.interrupts = own.runs = 0;
    own.owes += others;
    spared_ -= others;
    return mine + others;
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
    allowance.saved -= more;
    return cycles;
}

}  // namespace ravelin
