// SPDX-License-Identifier: Apache-2.0
// Packets that a CPU works on and a link sends, each of 1,000 units/s as in the founding paper's
// figure: what the real schedulers make of them in virtual time. Nothing is on the way but they.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "tests/support/sched_sim.h"
#include "tests/support/sched_table.h"

namespace ravelin::sched {

/// One reserved flow: a packet every `period_ns` from `first_ns` on. A unit takes 1 ms on either.
struct PathFlow {
    uint32_t cpu_work = 1, link_work = 10;         ///< units a packet
    uint64_t cpu_deadline = 0, link_deadline = 0;  ///< ns, the parts of the split
    uint64_t due = 0;                              ///< ns after its arrival: the deadline promised
    uint64_t period_ns = 100'000'000, first_ns = 0;
};

struct PathFate {
    uint64_t served = 0, late = 0;
    uint64_t worst_ns = 0;  ///< from arrival to the last bit
};

/// A CpuScheduler, a LinkScheduler and the flows between them; `packets` of each flow.
class PathRun {
  public:
    explicit PathRun(std::vector<PathFlow> flows)
        : flows_(std::move(flows)),
          principals_(table_of(flows_.size())),
          usage_(principals_.size()),
          link_scheduler_(principals_, usage_, link_config_, {}, {}, 0),
          link_(clock_, link_scheduler_, kUnit, link_config_,
                [this](SimPacket& p, uint64_t when) { departed(p, when); }),
          scheduler_(principals_, functions_, usage_,
                     {.functions = 1, .invocations = 64, .timers = 1, .max_run = kLongest}, {}, 0),
          cpu_(clock_, scheduler_, functions_, {.ns_per_cycle = kUnit}),
          forward_([this](SimPacket& p, FunctionContext&) { link_.send(p); }),
          fates_(flows_.size()) {
        functions_.load(kForward, &forward_, {.max_run = kLongest});
        for (size_t i = 0; i < flows_.size(); ++i) {
            const PathFlow& flow = flows_[i];
            scheduler_.reserve(id(i), {flow.cpu_work, flow.period_ns, flow.cpu_deadline}, 0);
            link_scheduler_.reserve(id(i), {flow.link_work, flow.period_ns, flow.link_deadline}, 0);
        }
    }
    std::vector<PathFate> run(unsigned packets) {
        uint64_t end = 0;
        for (size_t i = 0; i < flows_.size(); ++i)
            for (unsigned k = 0; k < packets; ++k) {
                const uint64_t at = flows_[i].first_ns + k * flows_[i].period_ns;
                clock_.at(at, [this, i] { arrive(i); });
                end = std::max(end, at);
            }
        clock_.run_until(end + 3'000 * kUnit);
        return fates_;
    }

  private:
    static constexpr uint64_t kUnit = 1'000'000;  // ns
    static constexpr uint64_t kLongest = 10;      // units: no work of a packet is more
    static constexpr FunctionRef kForward{0, 1};

    void arrive(size_t i) {
        const PathFlow& flow = flows_[i];
        packets_.push_back({.principal = id(i),
                            .cycles = flow.cpu_work,
                            .bytes = flow.link_work,
                            .arrival = clock_.now(),
                            .due = clock_.now() + flow.due});
        void* frame = &packets_.back();
        scheduler_.post({.function = kForward, .principal = id(i)}, {&frame, 1}, clock_.now());
        cpu_.kick();
    }
    void departed(const SimPacket& packet, uint64_t when) {
        PathFate& fate = fates_[index(packet.principal) - kFirstPrincipal];
        ++fate.served;
        fate.late += when > packet.due ? 1 : 0;
        fate.worst_ns = std::max(fate.worst_ns, when - packet.arrival);
    }

    const LinkScheduler::Config link_config_{
        .rate = 1000, .overhead = 0, .most_frame = kLongest, .ring_bytes = kLongest, .packets = 64};
    std::vector<PathFlow> flows_;
    VirtualClock clock_;
    PrincipalTable principals_;
    Usage usage_;
    FunctionTable functions_;
    LinkScheduler link_scheduler_;
    VirtualLink link_;
    CpuScheduler scheduler_;
    VirtualCpu cpu_;
    SimFunction forward_;
    std::vector<PathFate> fates_;
    std::deque<SimPacket> packets_;
};

/// All flows together: packets, those late, the worst.
inline PathFate together(const std::vector<PathFate>& fates) {
    PathFate all;
    for (const PathFate& fate : fates) {
        all.served += fate.served;
        all.late += fate.late;
        all.worst_ns = std::max(all.worst_ns, fate.worst_ns);
    }
    return all;
}

}  // namespace ravelin::sched
