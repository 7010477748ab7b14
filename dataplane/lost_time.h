// SPDX-License-Identifier: Apache-2.0
// LostTime: what the machine took of functions' runs, a hypervisor, another thread or an interrupt,
// so that nobody pays for it with periods of a reservation. By two measures, as no one sees all:
//   - the kernel's: time that passed without the thread having had its processor. Asked, by a
//     system call of less than a microsecond, only of a run that took 10 us more than was stated,
//     and once in 100 ms at the most beside, so that what it tells is of late;
//   - for interrupts, which the kernel counts as the thread's own: a sixteenth of what a
//     principal's runs were charged, 100 us at once and to begin with: the first may come at once.
//     What a hypervisor takes may be unknown to the kernel too: of sixteen runs one that needs more
//     may have up to 500 us that were not used. In a row of runs they would be an overrun that
//     admission knows nothing of; one long run keeps others waiting, charged or not. It hits
//     whoever is being run, several times within milliseconds, so what somebody could not save any
//     more is for all, 1 ms at the most, and such a run of who has reserved may have of that too.
//     It owes that, 500 us at the most, and pays it back with half of its own sixteenth.
//     Of all runs that took a microsecond more than was stated: a timer's interrupt takes 2 to 10,
//     which is dozens of periods to who has reserved some hundred cycles a packet;
//   - for what is shorter (a cold cache, a sibling's load; a cycle too many costs a period): a
//     256th, 10 us at once.
// So who really takes more than it stated is forgiven no more than what the machine took meanwhile,
// a sixteenth, and a 256th.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/sched/principal_id.h"

namespace ravelin {

class LostTime {
  public:
    /// ns of a processor that the calling thread has had; null: nobody knows.
    using Clock = uint64_t (*)() noexcept;
    static uint64_t thread_clock() noexcept;

    explicit LostTime(uint32_t principals);
    /// A run begins.
    void begin(uint64_t now_ns, Clock had) noexcept {
        if (had != nullptr && now_ns - looked_ns_ > kOld) [[unlikely]]
            look(now_ns, had);
    }
    /// It took so many cycles where `stated` were (0: nothing was stated): how many of them the
    /// machine took. `reserved`: by a reservation, which is paid with its periods.
    uint64_t of_run(sched::PrincipalId id, uint64_t cycles, uint64_t stated, bool reserved,
                    uint64_t now_ns, Clock had) noexcept {
        const uint64_t lost = stated == 0 || cycles <= stated
                                  ? 0
                                  : beyond(id, cycles - stated, reserved, now_ns, had);
        Allowance& own = allowances_[index(id)];
        const uint64_t earned = (cycles - lost) / kPart, paid = std::min(own.owes, earned / 2);
        const uint64_t part = earned - paid;
        own.owes -= paid;
        spared_ = std::min(spared_ + paid, all_);
        own.interrupts = std::min(own.interrupts + part, first_);
        spared_ = std::min(spared_ + own.saved + part - std::min(own.saved + part, most_), all_);
        own.saved = std::min(own.saved + part, most_);
        own.little = std::min(own.little + (cycles - lost) / kLittlePart, least_);
        ++own.runs;
        return lost;
    }
    /// Core work took so many cycles: how many of them the machine took, by what the kernel says.
    /// It is asked of 100 us and more alone, which no turn takes by itself.
    uint64_t of_core(uint64_t cycles, uint64_t now_ns, Clock had) noexcept {
        return cycles < first_ || had == nullptr ? 0 : std::min(cycles, taken(now_ns, had));
    }
    [[nodiscard]] uint64_t us_of(uint64_t cycles) const { return cycles * 10 / least_; }
    /// The thread slept, or is another one.
    void restart() noexcept { looked_ns_ = 0; }

  private:
    static constexpr uint64_t kOld = 100'000'000;  // ns
    static constexpr uint64_t kPart = 16, kLittlePart = 256, kRunsApart = 16;
    struct Allowance {
        uint64_t interrupts, saved, little;  // cycles; interrupts: of what is saved
        uint64_t owes = 0;                   // cycles, of what others spared
        uint64_t runs = kRunsApart;          // since the last that had more than interrupts
    };
    uint64_t look(uint64_t now_ns, Clock had) noexcept;
    uint64_t taken(uint64_t now_ns, Clock had) noexcept;
    uint64_t beyond(sched::PrincipalId id, uint64_t cycles, bool reserved, uint64_t now_ns,
                    Clock had) noexcept;
    uint64_t at_once(Allowance& own, uint64_t cycles, bool reserved) noexcept;

    // Cycles a second, in 1, 10, 100 and 500 us, and in a millisecond.
    uint64_t hz_, short_, least_, first_, most_, all_;
    uint64_t spared_ = 0;                  // cycles that who did not need them could not save
    uint64_t looked_ns_ = 0, had_ns_ = 0;  // when the kernel was asked last, and what it said
    std::vector<Allowance> allowances_;    // by principal
};

}  // namespace ravelin
