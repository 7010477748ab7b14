// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/deadline_servers.h"

#include <algorithm>
#include <utility>

namespace ravelin::sched {
namespace {

// What one run owes at most, periods: keeps the products below within 64 bits.
constexpr uint64_t kMostJobs = 1 << 20;

}  // namespace

void DeadlineServers::set(PrincipalId id, const Contract& contract, uint64_t now) noexcept {
    disarm(id);
    Server& server = servers_[index(id)];
    const bool had = server.contract.work != 0;
    server.contract = contract;
    server.used = server.budget = 0;
    server.begun = false;
    server.next = had ? std::max(server.next, server.release + contract.period_ns) : now;
    server.unheld_next = server.next;
}

void DeadlineServers::go_on(PrincipalId id, const DeadlineServers& before, uint64_t now) noexcept {
    disarm(id);
    Server& server = servers_[index(id)];
    const Server& was = before.servers_[index(id)];
    server.used = server.budget = 0;
    server.begun = false;
    server.next = was.next;
    server.unheld_next = was.unheld_next;
    if (was.contract == server.contract) {
        if (was.used == 0 || !before.ready_.holds(index(id))) return;
        server = was;
        server.begun = true;
        return;
    }
    const uint64_t last = was.next - std::min(was.contract.period_ns, was.next);
    server.next = std::max(now, was.contract.work == 0 ? 0 : last + server.contract.period_ns);
    server.unheld_next = server.next;
}

void DeadlineServers::arm(PrincipalId id, uint64_t arrival_ns, uint64_t jobs, uint64_t now,
                          uint64_t due_ns) noexcept {
    disarm(id);
    Server& server = servers_[index(id)];
    const Contract& contract = server.contract;
    server.release = std::max(server.next, arrival_ns);
    server.unheld = std::max(server.unheld_next, std::min(arrival_ns, due_ns));
    server.due = server.release + (jobs - 1) * contract.period_ns + contract.deadline_ns;
    server.used = 0;
    server.begun = false;
    server.budget = jobs * contract.work;
    if (server.release <= now) return ready_.push(index(id), server.due);
    waiting_.push(index(id), server.release);
    if (server.unheld < server.release) [[unlikely]]
        behind_.push(index(id), server.unheld);
}

void DeadlineServers::disarm(PrincipalId id) noexcept {
    ready_.remove(index(id));
    wait_no_more(index(id));
}

inline void DeadlineServers::wait_no_more(uint32_t id) noexcept {
    waiting_.remove(id);
    if (!behind_.empty()) [[unlikely]]
        behind_.remove(id);
}

// Where nothing is pending.
void DeadlineServers::make_good(uint64_t now) noexcept {
    while (!behind_.empty() && behind_.top_key() <= now) {
        const uint32_t id = behind_.top();
        Server& server = servers_[id];
        wait_no_more(id);
        server.due -= server.release - now;
        server.release = now;
        ready_.push(id, server.due);
    }
}

DeadlineServers::Turn DeadlineServers::earliest(uint64_t now) noexcept {
    while (!waiting_.empty() && waiting_.top_key() <= now) {
        const uint32_t id = waiting_.top();
        wait_no_more(id);
        ready_.push(id, servers_[id].due);
    }
    if (ready_.empty()) make_good(now);
    if (ready_.empty()) return {};
    const uint32_t id = ready_.top();
    return {PrincipalId{id}, servers_[id].release, servers_[id].due, servers_[id].budget};
}

uint64_t DeadlineServers::jobs_in_a_row(const Turn& turn, uint64_t most,
                                        uint64_t now) const noexcept {
    if (most <= 1) return 1;
    const uint64_t period = std::max<uint64_t>(contract(turn.principal).period_ns, 1);
    const uint64_t second = ready_.second_key();
    // What is left of an overrun's last job is served before that job is released.
    const uint64_t released = now < turn.release_ns ? 1 : 1 + (now - turn.release_ns) / period;
    const uint64_t before = second == UINT64_MAX        ? most
                            : second < turn.deadline_ns ? 1
                                                        : 1 + (second - turn.deadline_ns) / period;
    return std::min({most, released, before});
}

uint64_t DeadlineServers::spend(PrincipalId id, uint64_t units) noexcept {
    disarm(id);
    Server& server = servers_[index(id)];
    const auto& [work, period, deadline] = server.contract;
    if (work == 0) return 0;
    server.used += units;
    const uint64_t jobs = std::clamp<uint64_t>((server.used + work - 1) / work, 1, kMostJobs);
    server.release += (jobs - 1) * period;
    server.used -= std::min((jobs - 1) * work, server.used);
    server.next = server.release + period;
    server.unheld += (jobs - 1) * period;
    server.unheld_next = server.unheld + period;
    server.due = server.release + deadline;
    server.budget = work - std::min(server.used, work);
    return server.budget;
}

bool DeadlineServers::resume(PrincipalId id, uint64_t units) noexcept {
    Server& server = servers_[index(id)];
    if (!std::exchange(server.begun, false) || server.budget < units) return false;
    keep(id);
    return true;
}

void DeadlineServers::keep(PrincipalId id) noexcept {
    ready_.push(index(id), servers_[index(id)].due);
}

}  // namespace ravelin::sched
