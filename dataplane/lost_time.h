// SPDX-License-Identifier: Apache-2.0
// LostTime: what the machine took of functions' runs, a hypervisor, another thread or an interrupt,
// so that nobody pays for it with periods of a reservation. By two measures, as no one sees all:
//   - the kernel's: time that passed without the thread having had its processor. Asked, by a
//     system call of less than a microsecond, only of a run that took 10 us more than was stated,
//     and once in 100 ms at the most beside, so that what it tells is of late;
//   - for interrupts, which the kernel counts as the thread's own: a sixteenth of what a
//     principal's runs were charged, 100 us at once, which are there to begin with. Of all runs
//     that took a microsecond more than was stated: a timer's interrupt takes 2 to 10, which is
//     dozens of periods to who has reserved some hundred cycles a packet.
//     What a hypervisor takes may be unknown to the kernel too, 8 ms of a run have been seen. So
//     one run in sixteen (four in a row) has more where it needs it, on credit: it is owed, 10 ms
//     at the most of who has reserved, else 500 us, and paid with half of the sixteenth, with all
//     of it while there are 100 us. In a row of runs it would be an overrun that admission knows
//     nothing of; who runs for long once keeps others waiting, charged or not, and charging it
//     takes from nobody but itself, later. So it gets no more than it would if it had saved;
//   - for what is shorter (a cold cache, a sibling's load; a cycle too many costs a period): a
//     256th, 10 us at once.
// So who really takes more than it stated is forgiven no more than what the machine took meanwhile,
// a sixteenth, and a 256th; and once 10 ms.
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
        const uint64_t earned = (cycles - lost) / kPart, half = own.owes == 0 ? earned : earned / 2;
        const uint64_t kept = std::min(half, first_ - own.interrupts);
        own.interrupts += kept;
        own.owes -= std::min(own.owes, earned - kept);
        own.little = std::min(own.little + (cycles - lost) / kLittlePart, least_);
        own.runs = std::min(own.runs + 1, kInARow * kRunsApart);
        return lost;
    }
    /// Core work took so many cycles: how many of them the machine took, by what the kernel says.
    /// It is asked of 100 us and more alone, which no turn takes by itself.
    uint64_t of_core(uint64_t cycles, uint64_t now_ns, Clock had) noexcept {
        return cycles < first_ || had == nullptr ? 0 : std::min(cycles, taken(now_ns, had));
    }
    [[nodiscard]] uint64_t us_of(uint64_t cycles) const { return cycles * 10 / least_; }
    [[nodiscard]] uint64_t ns_of(uint64_t cycles) const { return cycles * 10'000 / least_; }
    /// `id` is the same principal in `before`: it goes on owing what it owed there.
    void go_on(sched::PrincipalId id, const LostTime& before) noexcept {
        allowances_[index(id)] = before.allowances_[index(id)];
    }
    /// The thread slept, or is another one.
    void restart() noexcept { looked_ns_ = 0; }

  private:
    static constexpr uint64_t kOld = 100'000'000;  // ns
    static constexpr uint64_t kPart = 16, kLittlePart = 256, kRunsApart = 16, kInARow = 4;
    struct Allowance {
        uint64_t interrupts, little;           // cycles
        uint64_t owes = 0;                     // cycles, had on credit
        uint64_t runs = kInARow * kRunsApart;  // of which sixteen are one that may have credit
    };
    uint64_t look(uint64_t now_ns, Clock had) noexcept;
    uint64_t taken(uint64_t now_ns, Clock had) noexcept;
    uint64_t beyond(sched::PrincipalId id, uint64_t cycles, bool reserved, uint64_t now_ns,
                    Clock had) noexcept;
    uint64_t at_once(Allowance& own, uint64_t cycles, bool reserved) const noexcept;

    // Cycles a second, in 1, 10, 100 and 500 us, and in 10 ms.
    uint64_t hz_, short_, least_, first_, most_, credit_;
    uint64_t looked_ns_ = 0, had_ns_ = 0;  // when the kernel was asked last, and what it said
    std::vector<Allowance> allowances_;    // by principal
};

}  // namespace ravelin
