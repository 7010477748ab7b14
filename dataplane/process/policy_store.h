// SPDX-License-Identifier: Apache-2.0
// PolicyStore: the generations this process holds. At most two, plus one under construction: the
// one in force and, while the one in force awaits confirmation, the one before it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control.pb.h"
#include "dataplane/process/appliance.h"
#include "dataplane/process/live_rules.h"
#include "dataplane/process/live_sets.h"
#include "dataplane/process/path_check.h"

namespace ravelin {

class PolicyStore {
  public:
    /// `clock`: what the workers read the time from.
    explicit PolicyStore(std::string run_dir, Clock clock = &Now::read,
                         TapOpener open_tap = &ravelin::open_tap)
        : run_dir_(std::move(run_dir)), clock_(clock), open_tap_(open_tap) {}

    /// Called once, when everything is open and before the first worker runs; returns what
    /// sandbox() tells from then on.
    void before_workers(std::function<std::string(const config::Node& booted)> confine) {
        confine_ = std::move(confine);
    }
    [[nodiscard]] const std::string& sandbox() const { return sandbox_; }

    /// Builds `config` as `generation` and swaps it in; every worker has left the old one when
    /// this returns. The first call boots the appliance. `confirm_ms` > 0: rolled back by
    /// expire() unless confirmed in time. On any error the old generation stays, whole.
    /// `live`: what is in force with it from the first packet on, or null. Refused where it would
    /// cut a path of `keep`.
    Status apply(uint64_t generation, config::Node config, uint32_t confirm_ms, const Now& now,
                 const model::LiveChange* live = nullptr, const Paths& keep = {});
    /// Changes sets, rules and reservations of the generation in force; all workers judge by it
    /// when this returns. All or nothing, but for a worker that hangs. `received_ns`: when it was
    /// asked. Refused where it would cut a path of `keep`: for who has not asked could_change().
    Status change(const model::LiveChange& change, const Now& now, uint64_t received_ns,
                  const Paths& keep = {});
    /// Whether change() would do it. Nothing changes but that merges may be finished to make room.
    Status could_change(const model::LiveChange& change, const Now& now, const Paths& keep);
    /// Puts merged live rules in force, and begins to merge others once changes pause or fill half
    /// of their room: a merge takes the time of a compilation, and its CPU from the next change.
    void merge_rules(const Now& now);
    /// Frees what is in force no more: takes milliseconds, so after the answer.
    void tidy() { retired_.clear(); }
    /// Removes set elements whose time is up.
    void expire_elements(const Now& now);
    /// Changes in force and how long they took.
    [[nodiscard]] const model::LiveStatus& live() const { return live_; }
    /// Makes the provisional generation final.
    Status confirm(uint64_t generation);
    /// Back to the generation before, while the one in force is provisional. Refused where that
    /// would cut a path of `keep`.
    Status roll_back(const Now& now = {}, const Paths& keep = {});
    /// Rolls back if the deadline has passed; true if it did.
    bool expire(const Now& now);

    [[nodiscard]] const PolicySnapshot* current() const { return current_.get(); }
    [[nodiscard]] const PolicySnapshot* previous() const { return previous_.get(); }
    [[nodiscard]] Appliance* appliance() const { return appliance_.get(); }
    [[nodiscard]] uint32_t confirm_remaining_ms(const Now& now) const;
    [[nodiscard]] uint64_t rolled_back_from() const { return rolled_back_from_; }

  private:
    /// Error: a worker is known to stand still. Asked before anything is published.
    [[nodiscard]] Status all_answer() const;
    Status publish(const PolicySnapshot* policy);
    /// Publishes `next` in place of the one in force, which it keeps while `next` is provisional.
    Status succeed(std::unique_ptr<PolicySnapshot> next, uint32_t confirm_ms, const Now& now);
    /// The policy with its live sets as `live` says; nothing sees it yet.
    Result<std::unique_ptr<PolicySnapshot>> build(uint64_t generation,
                                                  std::shared_ptr<const config::Node> config,
                                                  const Now& now, const model::LiveChange* live);
    Status replace_current(std::unique_ptr<PolicySnapshot> next);
    Status carry_out(const model::LiveChange& change, const Now& now, const Paths& keep);
    Status judge_anew();
    /// The policy that a change of reservations makes.
    Result<std::unique_ptr<PolicySnapshot>> promised(const model::LiveChange& change) const;
    /// `next` with the reservations of a sync and no others.
    Status sync_promises(PolicySnapshot& next, const model::LiveChange& sync) const;
    /// The live reservations of `next` are those of `list`.
    Status promise(PolicySnapshot& next, config::Node list) const;
    [[nodiscard]] Status final() const;
    Status sync(const model::LiveChange& change, const Now& now);
    [[nodiscard]] Status follows(const model::LiveChange& change) const;
    /// The policy that a change of rules or of reservations makes; null where it changes sets
    /// alone.
    Result<std::unique_ptr<PolicySnapshot>> consider(const model::LiveChange& change,
                                                     const Now& now, const Paths& keep);
    Result<std::unique_ptr<PolicySnapshot>> edited(const model::LiveChange& change, const Now& now,
                                                   const Paths& keep);
    Status finish_merges();
    Status take_merged();
    void reclaim_sets();
    void measured(uint64_t ns);
    uint32_t next_epoch();
    Status sync_sets(const LiveSets& sets, const model::LiveChange& sync, const Now& now);
    Status alter(const LiveSets& sets, const model::LiveChange& change, const Now& now);
    [[nodiscard]] LiveSets held_sets() const;
    std::string run_dir_;
    std::function<std::string(const config::Node&)> confine_;
    std::string sandbox_;  // empty: not asked for
    Clock clock_;
    TapOpener open_tap_;
    std::unique_ptr<PolicySnapshot> current_, previous_;
    std::vector<std::unique_ptr<PolicySnapshot>> limbo_;    // a worker may still hold these
    std::vector<std::unique_ptr<PolicySnapshot>> retired_;  // nobody does
    std::unique_ptr<Appliance> appliance_;                  // destroyed first: workers use policies
    uint64_t deadline_ns_ = 0;                              // 0: nothing to confirm
    uint64_t rolled_back_from_ = 0;
    std::optional<SharedSegment> epochs_;  // outlives the process, as the flows do that store them
    model::LiveStatus live_;
    LiveRules live_rules_;
    bool synced_since_ = false;  // while confirmation is awaited: previous_ knows nothing of it
    bool judge_due_ = false;     // sets changed, and flows are not told to be judged anew
    uint64_t rules_changed_ns_ = 0, merge_began_ns_ = 0;
};

}  // namespace ravelin
