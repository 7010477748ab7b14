// SPDX-License-Identifier: Apache-2.0
// FairTree: weighted max-min fair shares over the hierarchy of principals, in any unit (bytes,
// cycles), with caps. Start-time fair queueing at each level (P. Goyal, X. Guo, H. Vin, "A
// Hierarchical CPU Scheduler for Multimedia Operating Systems", 1996): a member's tag advances by
// cost / weight, the lowest is served, virtual time is the slot of what is in service. So the cost
// need not be known before, and time stands still while others (the core, the admitted) are served.
// Two members that want all the time differ by at most cost / weight of one service each, plus a
// calendar slot (at most 2/1023 of the largest such quotient; 2/63 below the top level).
// A cap is a token bucket: who is over it is parked on a timing wheel.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/sched/calendar.h"
#include "dataplane/sched/pace.h"
#include "dataplane/sched/principal.h"
#include "dataplane/sched/timing_wheel.h"

namespace ravelin::sched {

class FairTree {
  public:
    struct Shape {
        uint64_t most_cost = 0;  ///< the largest cost of one service, units
        uint64_t cap_burst = 0;  ///< units that a cap lets through at once after a pause, or what
        uint64_t cap_burst_ns = 0;  ///< its rate comes to in that time, if that is more
        uint32_t cap_divisor = 1;   ///< among how many trees a cap is divided, evenly
        uint64_t PrincipalCaps::*cap = nullptr;  ///< the cap that counts here, units/s
    };
    FairTree(const PrincipalTable& principals, const Shape& shape, uint64_t now_ns);

    /// The principal has work, from now until what follows a pick says otherwise. Without a weight
    /// it gets no share: nothing happens.
    void activate(PrincipalId id, uint64_t now) noexcept;
    /// It has none any more; noticed lazily.
    void deactivate(PrincipalId id) noexcept { nodes_[index(id)].has_work = false; }
    /// Whose turn it is, or kNoPrincipal. Charge it before the next pick.
    [[nodiscard]] PrincipalId pick(uint64_t now) noexcept;
    /// What the pick cost, in units; 0 if nothing was done after all.
    void charge(uint64_t cost, uint64_t now) noexcept;
    /// What a principal had by other right (its reservation): counts against caps only,
    /// which owe a burst for it at the most.
    void charge_caps(PrincipalId id, uint64_t cost, uint64_t now) noexcept;
    /// In the place of `before`, where `id` is the same principal: a cap that is the same goes on
    /// where it stood, so that who puts one tree in the place of another gives nobody a burst.
    void go_on(PrincipalId id, const FairTree& before) noexcept;
    /// Members whose cap allows more again come back. pick() does it too.
    void unpark(uint64_t now) noexcept;
    /// When a parked member comes back at the earliest, ns; UINT64_MAX: none is parked.
    [[nodiscard]] uint64_t next_ns() const noexcept { return wheel_.next_ns(); }
    [[nodiscard]] size_t memory_bytes() const noexcept;
    /// Something may be picked.
    [[nodiscard]] bool anything_queued() const { return groups_[0].queued != 0; }

  private:
    enum class State : uint8_t { kIdle, kQueued, kInService, kParked };
    // Nodes 0..principals-1: each one's own work. After them one for each principal with children:
    // all that is charged to it and below; its cap lies there.
    struct alignas(64) Node {
        uint64_t tag = 0;             ///< of the next service; idle: where the last one ended
        uint64_t inverse_weight = 0;  ///< 2^32 / weight; 0: no share
        uint32_t group = 0;           ///< it is a member of
        uint32_t next = Calendar::kNone;
        State state = State::kIdle;
        bool has_work = false;  ///< of a group: computed when it matters
        Pace cap;
    };
    struct Group {
        Calendar calendar;
        uint32_t queued = 0;
    };
    static constexpr unsigned kParksAPick = 64;

    void build(const PrincipalTable& principals, const Shape& shape);
    [[nodiscard]] uint32_t members_node(uint32_t group) const { return principals_ + group; }
    [[nodiscard]] uint32_t top_node(PrincipalId id) const { return tops_[index(id)]; }
    void climb(uint32_t node, uint64_t now) noexcept;
    void enqueue(uint32_t node, uint64_t now) noexcept;
    [[nodiscard]] bool may_serve(uint32_t node, uint64_t now) noexcept;
    void park(uint32_t node) noexcept;
    [[nodiscard]] uint32_t pop(Group& group) noexcept;
    [[nodiscard]] uint32_t descend(uint32_t group, uint64_t now) noexcept;
    [[nodiscard]] bool wants(uint32_t node) const noexcept;

    uint32_t principals_;
    std::vector<Node> nodes_;
    std::vector<Group> groups_;   ///< 0: the root
    std::vector<uint32_t> tops_;  ///< by principal: the node that its weight and cap belong to
    TimingWheel wheel_;
    std::array<uint32_t, kMaxDepth + 2> path_{};  ///< in service, leaf first
    unsigned depth_ = 0;
};

}  // namespace ravelin::sched
