// SPDX-License-Identifier: Apache-2.0
// What an Admission granted on one core (resource 0) and on links, kept by the real schedulers in
// virtual time beside floods on all of them. Who shares another's reservation there is served as
// that one is: its packets carry the referent's name to that scheduler.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/admission/admission.h"
#include "tests/support/sched_sim.h"
#include "tests/support/sched_table.h"

namespace ravelin::sched {

class GrantedBox {
  public:
    static constexpr uint64_t kMaxRun = 20'000;       ///< cycles of a flood's run
    static constexpr uint64_t kMostWork = 1'000'000;  ///< cycles that one packet may take in a run
    static constexpr uint32_t kLongest = 1'514;       ///< units of a frame on a link
    static constexpr const char* kFlood = "flood";    ///< reserves nothing, wants everything

    /// Principals: all of `admission`, and more who may come later. None has a weight but the
    /// flood: they have what was granted and no more.
    GrantedBox(const admission::Admission& admission, std::vector<std::string> more = {})
        : admission_(&admission), principals_(table_of(specs(admission, more))) {
        const auto& core = admission.book(0).resource();
        cpu_scheduler_ = std::make_unique<CpuScheduler>(
            principals_, functions_, cpu_usage_,
            CpuScheduler::Config{.functions = 1, .invocations = 1024, .max_run = kMaxRun},
            Release{drop, this}, 0);
        cpu_ = std::make_unique<VirtualCpu>(
            clock_, *cpu_scheduler_, functions_,
            VirtualCpu::Setup{.ns_per_cycle = 1'000'000'000 / core.capacity});
        functions_.load(kWork, &worked_, {.max_run = kMostWork});
        for (admission::ResourceId id = 1; id < admission.resources(); ++id)
            links_.push_back(std::make_unique<Link>(*this, admission.book(id).resource().capacity));
        apply();
    }

    /// What is granted now, in the place of what was.
    void apply() {
        for (uint32_t i = kFirstPrincipal; i < principals_.size(); ++i) {
            const std::string& name = principals_[PrincipalId{i}].name;
            std::map<admission::ResourceId, Contract> granted;
            if (const auto* found = admission_->find(name); found != nullptr && !found->suspended)
                for (size_t c = 0; c < found->request.claims.size(); ++c)
                    if (const auto& claim = found->request.claims[c]; claim.shared_with.empty())
                        granted[claim.resource] = {claim.work,
                                                   static_cast<uint64_t>(found->request.period),
                                                   static_cast<uint64_t>(found->holds[c].time)};
            cpu_scheduler_->reserve(PrincipalId{i}, granted[0], clock_.now());
            for (size_t l = 0; l < links_.size(); ++l)
                links_[l]->scheduler.reserve(PrincipalId{i},
                                             granted[static_cast<admission::ResourceId>(l + 1)],
                                             clock_.now());
        }
    }

    /// A packet of `principal` now: over its claims in their order, with `works` units at each.
    /// `copies`: principals whose first claim is what this one's first stop did.
    struct Copy {
        std::string principal;
        std::vector<uint32_t> works;
    };
    void packet(const std::string& principal, std::vector<uint32_t> works,
                std::vector<Copy> copies = {}) {
        Trip& trip = begin(principal, std::move(works));
        trip.copies = std::move(copies);
        visit(trip);
    }
    void packets(const std::string& principal, const std::vector<uint32_t>& works, uint64_t first,
                 uint64_t period, uint64_t end) {
        for (uint64_t t = first; t < end; t += period)
            at(t, [=, this] { packet(principal, works); });
    }
    void at(uint64_t when, std::function<void()> what) { clock_.at(when, std::move(what)); }
    void run_until(uint64_t end) { clock_.run_until(end); }

    /// The flood takes what it can of everything, until `end`.
    void flood(uint64_t end) {
        packet_of_flood(0, kMaxRun);
        const uint64_t each = kMaxRun * 1'000'000'000 / admission_->book(0).resource().capacity;
        for (uint64_t t = each; t < end; t += each)
            at(t, [this] {
                packet_of_flood(0, kMaxRun);
                for (size_t l = 0; l < links_.size(); ++l)
                    while (links_[l]->scheduler.depth(principals_.find(kFlood)) < 4)
                        packet_of_flood(static_cast<admission::ResourceId>(l + 1), kLongest);
            });
    }

    struct Fate {
        uint64_t done = 0, late = 0, worst_ns = 0;
        uint64_t lost = 0;  ///< no room, or its deadline passed before the core came to it
    };
    [[nodiscard]] const Fate& fate(const std::string& name) { return fates_[name]; }
    /// Of whom the core or link counts it there.
    [[nodiscard]] uint64_t used(admission::ResourceId at, const std::string& name, Use use) const {
        const PrincipalId id = principals_.find(name);
        return at == 0 ? cpu_usage_.get(id, use) : links_[at - 1]->usage.get(id, use);
    }

  private:
    static constexpr FunctionRef kWork{0, 1};
    struct Trip : SimPacket {
        std::string who;
        std::vector<uint32_t> works;
        std::vector<admission::ResourceId> where;
        std::vector<Copy> copies;
        size_t stop = 0;
    };
    struct Link {
        Link(GrantedBox& box, uint64_t rate)
            : config{.rate = rate, .overhead = 0, .most_frame = kLongest, .ring_bytes = kLongest},
              usage(box.principals_.size()),
              scheduler(box.principals_, usage, config, {}, {}, 0),
              link(box.clock_, scheduler, 1'000'000'000 / rate, config,
                   [&box](SimPacket& p, uint64_t) { box.next(static_cast<Trip&>(p)); }) {}
        LinkScheduler::Config config;
        Usage usage;
        LinkScheduler scheduler;
        VirtualLink link;
    };

    static std::vector<PrincipalSpec> specs(const admission::Admission& admission,
                                            const std::vector<std::string>& more) {
        std::vector<PrincipalSpec> out{{.name = kFlood}};
        for (const std::string& name : admission.principals())
            out.push_back({.name = name, .weight = 0});
        for (const std::string& name : more) out.push_back({.name = name, .weight = 0});
        return out;
    }
    /// Who is served for `who` there: the end of the chain of references.
    [[nodiscard]] PrincipalId served_as(std::string who, admission::ResourceId where) const {
        for (;;) {
            const auto* found = admission_->find(who);
            if (found == nullptr) return principals_.find(who);
            const auto& claims = found->request.claims;
            const auto claim = std::find_if(claims.begin(), claims.end(),
                                            [&](const auto& c) { return c.resource == where; });
            if (claim == claims.end() || claim->shared_with.empty()) return principals_.find(who);
            who = claim->shared_with;
        }
    }
    static void drop(void* box, void* const* frames, unsigned n, PrincipalId, Refusal) noexcept {
        for (unsigned i = 0; i < n; ++i) {
            const auto& trip = static_cast<const Trip&>(*static_cast<SimPacket*>(frames[i]));
            ++static_cast<GrantedBox*>(box)->fates_[trip.who].lost;
        }
    }
    Trip& begin(const std::string& who, std::vector<uint32_t> works) {
        Trip& trip = trips_.emplace_back();
        const auto& request = admission_->find(who)->request;
        trip.who = who;
        trip.works = std::move(works);
        for (const auto& claim : request.claims) trip.where.push_back(claim.resource);
        trip.arrival = clock_.now();
        trip.due = clock_.now() + static_cast<uint64_t>(request.deadline);
        return trip;
    }
    void packet_of_flood(admission::ResourceId where, uint32_t work) {
        Trip& trip = trips_.emplace_back();
        trip.who = kFlood;
        trip.works = {work};
        trip.where = {where};
        visit(trip);
    }
    void visit(Trip& trip) {
        const admission::ResourceId where = trip.where[trip.stop];
        trip.principal = served_as(trip.who, where);
        Refusal refusal = Refusal::kNone;
        if (where == 0) {
            trip.cycles = trip.works[trip.stop];
            void* frame = static_cast<SimPacket*>(&trip);
            refusal = cpu_scheduler_->post(
                {.function = kWork, .principal = trip.principal, .deadline_ns = trip.due},
                {&frame, 1}, clock_.now());
            cpu_->kick();
        } else {
            trip.bytes = trip.works[trip.stop];
            refusal = links_[where - 1]->link.send(trip);
        }
        if (refusal != Refusal::kNone) ++fates_[trip.who].lost;
    }
    /// A stop is done: the next, or the end.
    void next(Trip& trip) {
        if (++trip.stop == 1)
            for (const Copy& copy : trip.copies) {
                Trip& made = begin(copy.principal, copy.works);
                made.due += trip.arrival - made.arrival;
                made.arrival = trip.arrival;
                made.stop = 1;
                visit(made);
            }
        if (trip.stop < trip.where.size()) return visit(trip);
        Fate& fate = fates_[trip.who];
        ++fate.done;
        fate.late += clock_.now() > trip.due ? 1 : 0;
        fate.worst_ns = std::max(fate.worst_ns, clock_.now() - trip.arrival);
    }

    const admission::Admission* admission_;
    VirtualClock clock_;
    PrincipalTable principals_;
    Usage cpu_usage_{principals_.size()};
    FunctionTable functions_;
    SimFunction worked_{[this](SimPacket& p, FunctionContext&) { next(static_cast<Trip&>(p)); }};
    std::unique_ptr<CpuScheduler> cpu_scheduler_;
    std::unique_ptr<VirtualCpu> cpu_;
    std::vector<std::unique_ptr<Link>> links_;
    std::deque<Trip> trips_;
    std::map<std::string, Fate> fates_;
};

}  // namespace ravelin::sched
