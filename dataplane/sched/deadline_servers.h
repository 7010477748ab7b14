// SPDX-License-Identifier: Apache-2.0
// DeadlineServers: the admitted principals of one resource, by earliest deadline, each held to what
// it reserved. The constant bandwidth server (L. Abeni, G. Buttazzo, 1998) with hard replenishment,
// for jobs of one packet: a contract is (work, period, deadline); the k-th job is released at
//     r_k = max(arrival_k, r_(k-1) + period)          and is due at   r_k + deadline,
// so what a principal gets at this priority in any window never exceeds that of a sporadic task
// with its contract, whatever it sends or costs: the demand bound that admission counts on.
//   - Work that comes early waits for its release; the fair shares may serve it before (lending).
//   - A job that needs more than `work` is that many jobs in one: due with the last of them, and
//     the next release moves by as many periods. What was not known before is paid after.
//   - What a job leaves over may be used by work already waiting then (the next function of the
//     same packet), never after a pause: late use of an early budget is what breaks EDF.
//   - What was held up on its way here is released late, and so are all behind it, a period apart:
//     for good, of who sends as reserved. So at an instant when nothing released is pending, what
//     waits may be released as if nothing had been held up, no earlier than
//         n_k = max(due_k, n_(k-1) + period)   due_k: when it was to be here at the latest
//     and what follows a period behind it. No deadline is missed by that: a stretch that ends with
//     a miss is full of work released in it, so none reaches back over such an instant. Nor is it
//     more than was reserved: n_k are releases of the contract.
// Deadlines may be shorter or longer than the period. Units of work: cycles or bytes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/sched/deadline_heap.h"
#include "dataplane/sched/principal.h"

namespace ravelin::sched {

/// What admission granted on one resource.
struct Contract {
    uint64_t work = 0;  ///< a packet's, units; 0: none
    uint64_t period_ns = 0, deadline_ns = 0;
    bool operator==(const Contract&) const = default;
};

/// How many packets may wait that came as the contract says and are not late.
constexpr uint32_t packets_waiting(const Contract& contract) {
    if (contract.work == 0) return 0;
    const uint64_t packets =
        contract.deadline_ns / (contract.period_ns != 0 ? contract.period_ns : 1) + 2;
    return packets < UINT32_MAX ? static_cast<uint32_t>(packets) : UINT32_MAX;
}

class DeadlineServers {
  public:
    /// A principal's turn: up to `jobs` jobs, released and due one period after the other.
    struct Turn {
        PrincipalId principal = kNoPrincipal;
        uint64_t release_ns = 0, deadline_ns = 0;  ///< of the first
        uint64_t budget = 0;                       ///< units of the first; of each further: work
    };
    explicit DeadlineServers(uint32_t principals)
        : servers_(principals), ready_(principals), waiting_(principals), behind_(principals) {}

    /// Grants, changes or (work 0) withdraws. The next job is released no earlier than one period
    /// of the new contract after the last release of the old: a renewal is no second budget.
    void set(PrincipalId id, const Contract& contract, uint64_t now) noexcept;
    [[nodiscard]] const Contract& contract(PrincipalId id) const {
        return servers_[index(id)].contract;
    }
    [[nodiscard]] bool admitted(PrincipalId id) const {
        return servers_[index(id)].contract.work != 0;
    }
    /// In the place of `before`, where `id` is the same principal: a contract that is the same goes
    /// on where it stood, and what it left of a begun job for work that waits is there for
    /// resume(). Of one that is not, the next job is released no earlier than now, nor than a
    /// period after the last of the old.
    void go_on(PrincipalId id, const DeadlineServers& before, uint64_t now) noexcept;
    /// Its first waiting packet came at `arrival_ns` and takes `jobs` jobs. Again on every change.
    /// `due_ns`: before it, when it was to come at the latest, had it not been held up.
    void arm(PrincipalId id, uint64_t arrival_ns, uint64_t jobs, uint64_t now,
             uint64_t due_ns = UINT64_MAX) noexcept;
    /// Nothing waits any more.
    void disarm(PrincipalId id) noexcept;
    /// Earliest deadline of those released. Principal kNoPrincipal: nobody.
    [[nodiscard]] Turn earliest(uint64_t now) noexcept;
    /// How many jobs of `turn`, at most `most`, come one after the other by deadline anyway: served
    /// in one run, nobody waits longer than for that run.
    [[nodiscard]] uint64_t jobs_in_a_row(const Turn& turn, uint64_t most,
                                         uint64_t now) const noexcept;
    /// What the turn cost. Returns what is left of the last begun job, for work that waits already:
    /// then keep() instead of arm().
    uint64_t spend(PrincipalId id, uint64_t units) noexcept;
    void keep(PrincipalId id) noexcept;
    /// In the place of arm(), of what waited when it went on: true where that may have the rest of
    /// the job begun before, which takes `units` of it.
    bool resume(PrincipalId id, uint64_t units) noexcept;
    [[nodiscard]] bool anything_ready() const { return !ready_.empty(); }
    [[nodiscard]] size_t memory_bytes() const noexcept {
        return servers_.size() * sizeof(Server) + ready_.memory_bytes() + waiting_.memory_bytes() +
               behind_.memory_bytes();
    }
    /// When the next job is released, ns; UINT64_MAX: none waits for its release.
    [[nodiscard]] uint64_t next_ns() const {
        const uint64_t first = waiting_.empty() ? UINT64_MAX : waiting_.top_key();
        return behind_.empty() || !ready_.empty() ? first : std::min(first, behind_.top_key());
    }

  private:
    struct Server {
        Contract contract;
        uint64_t release = 0;  ///< of the present or last job
        uint64_t next = 0;     ///< no release before this
        uint64_t due = 0;
        uint64_t unheld = 0, unheld_next = 0;  ///< release and next, had nothing been held up
        uint64_t used = 0, budget = 0;         ///< of the present job, units
        bool begun = false;                    ///< before it came here, and more of it waited there
    };
    void make_good(uint64_t now) noexcept;
    void wait_no_more(uint32_t id) noexcept;

    std::vector<Server> servers_;
    DeadlineHeap ready_;    ///< by deadline
    DeadlineHeap waiting_;  ///< by release
    DeadlineHeap behind_;   ///< of those, whose release is later than it would be: by that
};

}  // namespace ravelin::sched
