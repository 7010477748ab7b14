// SPDX-License-Identifier: Apache-2.0
// The part of PolicyStore that changes the generation in force while it is in force.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dataplane/functions.h"
#include "dataplane/paced_ports.h"
#include "dataplane/process/policy_store.h"
#include "dataplane/process/set_check.h"
#include "dataplane/stage.h"
#include "pipelines/model/reservation_schema.h"
#include "pipelines/model/tree_codec.h"

namespace ravelin {
namespace {

constexpr uint64_t kFirstBucketNs = 62'500;
constexpr uint64_t kMergePauseNs = 200'000'000;
constexpr uint64_t kMergePatienceNs = 1'000'000'000;  // where no CPU is ever free
constexpr int kBuckets = 12;                          // the last but one ends at 64 ms

/// Of a list as `reservations`.
Status alter_promises(config::Node& list, const model::ReservationChange& change) {
    auto& all = list.items();
    if (!change.has_grant()) {
        // One that no sync could bring has nothing to give back.
        std::erase_if(all, [&](const config::Node& one) {
            return one["name"].as_text() == change.release();
        });
        return ok_status();
    }
    auto node = model::decode(change.grant());
    if (!node) return std::move(node.error());
    config::widen_texts(*node, model::kReservationSchema, StageRegistry::schema_of);
    if (Status s = config::conforms(*node, model::kReservationSchema, StageRegistry::schema_of); !s)
        return s;
    all.push_back(std::move(*node));
    return ok_status();
}

}  // namespace

uint32_t PolicyStore::next_epoch() {
    if (!epochs_)
        if (auto segment = SharedSegment::open(run_dir_ + "/epoch", 64))
            epochs_.emplace(std::move(*segment));
    static uint32_t without_file = 0;
    auto& last = epochs_ ? *static_cast<uint32_t*>(epochs_->data()) : without_file;
    return ++last;
}

LiveSets PolicyStore::held_sets() const {
    LiveSets out = current_ != nullptr ? current_->sets : LiveSets{};
    if (previous_ == nullptr) return out;
    for (const auto& set : previous_->sets)
        if (std::ranges::find(out, set) == out.end()) out.push_back(set);
    return out;
}

Status PolicyStore::replace_current(std::unique_ptr<PolicySnapshot> next) {
    if (auto s = all_answer(); !s) return s;
    if (auto s = publish(next.get()); !s) {
        limbo_.push_back(std::move(next));
        return s;
    }
    if (next->epoch != current_->epoch) judge_due_ = false;
    retired_.push_back(std::exchange(current_, std::move(next)));
    reclaim_sets();
    return ok_status();
}

void PolicyStore::reclaim_sets() {
    for (const auto& set : held_sets()) set->reclaim();
}

Status PolicyStore::judge_anew() {
    auto next = std::make_unique<PolicySnapshot>(*current_);
    next->epoch = next_epoch();
    return replace_current(std::move(next));
}

Status PolicyStore::change(const model::LiveChange& change, const Now& now, uint64_t received_ns,
                           const Paths& keep) {
    tidy();
    if (auto s = follows(change); !s) return s;
    if (auto s = change.sync() ? sync(change, now) : carry_out(change, now, keep); !s) return s;
    live_.set_serial(change.serial());
    measured(Now::read().ns - received_ns);
    return ok_status();
}

Status PolicyStore::could_change(const model::LiveChange& change, const Now& now,
                                 const Paths& keep) {
    if (auto s = follows(change); !s) return s;
    if (change.sync()) return Error{"a sync is not asked for, it is the truth"};
    const auto next = consider(change, now, keep);
    return next ? ok_status() : Status(next.error());
}

Status PolicyStore::follows(const model::LiveChange& change) const {
    if (current_ == nullptr) return Error{"no policy is in force yet"};
    if (change.generation() != current_->generation)
        return Error{fmt::format("the change is for generation {}, and {} is in force",
                                 change.generation(), current_->generation)};
    if (change.sync() || change.serial() == live_.serial() + 1) return all_answer();
    return Error{fmt::format("live change {} does not follow {}", change.serial(), live_.serial())};
}

Result<std::unique_ptr<PolicySnapshot>> PolicyStore::consider(const model::LiveChange& change,
                                                              const Now& now, const Paths& keep) {
    if (auto s = check_sets(held_sets(), change); !s) return std::move(s.error());
    if (!keep.empty() && change.sets_size() != 0 && change.rules_size() != 0)
        return Error{"sets and rules cannot be tried together; ask for one change of each"};
    // Sets are those of the generation before as well, which may come back.
    for (const PolicySnapshot* held : {current_.get(), previous_.get()})
        if (held != nullptr && !keep.empty() && change.sets_size() != 0)
            if (auto s = paths_pass_sets(*appliance_, *held, change, keep, now); !s)
                return std::move(s.error());
    // A change of sets may bring newer epochs meanwhile, which the links' snapshot knows nothing
    // of.
    if (change.reservations_size() != 0 && change.rules_size() + change.sets_size() != 0)
        return Error{"reservations change alone, without rules and sets"};
    if (change.reservations_size() != 0) return promised(change);
    if (change.rules_size() == 0) return std::unique_ptr<PolicySnapshot>();
    return edited(change, now, keep);
}

Status PolicyStore::carry_out(const model::LiveChange& change, const Now& now, const Paths& keep) {
    auto next = consider(change, now, keep);
    if (!next) return std::move(next.error());
    if (auto s = alter(held_sets(), change, now); !s) return s;
    if (*next == nullptr) return judge_due_ ? judge_anew() : ok_status();
    // Verdicts are what they were: no flow is judged again.
    if (change.reservations_size() != 0) return replace_current(std::move(*next));
    (*next)->epoch = next_epoch();
    if (auto s = replace_current(std::move(*next)); !s) return s;
    live_rules_.accept();
    rules_changed_ns_ = now.ns;
    return ok_status();
}

Status PolicyStore::sync(const model::LiveChange& change, const Now& now) {
    auto next = LiveRules::rebuilt(*current_, change.rules());
    if (!next) return std::move(next.error());
    if (auto s = sync_promises(**next, change); !s) return s;
    if (auto s = sync_sets(held_sets(), change, now); !s) return s;
    (*next)->epoch = next_epoch();
    if (auto s = replace_current(std::move(*next)); !s) return s;
    live_rules_.forget();
    synced_since_ = deadline_ns_ != 0;
    return ok_status();
}

Status PolicyStore::final() const {
    if (deadline_ns_ == 0) return ok_status();
    return Error{
        fmt::format("generation {} awaits confirmation; confirm it or roll it back "
                    "before its rules or reservations change",
                    current_->generation)};
}

Result<std::unique_ptr<PolicySnapshot>> PolicyStore::promised(
    const model::LiveChange& change) const {
    if (auto s = final(); !s) return std::move(s.error());
    auto next = std::make_unique<PolicySnapshot>(*current_);
    config::Node list = config::Node::list();
    if (current_->paced != nullptr && current_->paced->live != nullptr)
        list = *current_->paced->live;
    else if (current_->functions != nullptr && current_->functions->live != nullptr)
        list = *current_->functions->live;
    for (const model::ReservationChange& one : change.reservations())
        if (auto s = alter_promises(list, one); !s) return std::move(s.error());
    if (auto s = promise(*next, std::move(list)); !s) return std::move(s.error());
    return next;
}

Status PolicyStore::promise(PolicySnapshot& next, config::Node list) const {
    auto functions = functions_with_live(next, appliance_->port_facts(), list);
    if (!functions) return std::move(functions.error());
    auto paced = with_live(next, appliance_->port_facts(), std::move(list));
    if (!paced) return std::move(paced.error());
    next.functions = std::move(*functions);
    next.paced = std::move(*paced);
    return ok_status();
}

Status PolicyStore::sync_promises(PolicySnapshot& next, const model::LiveChange& sync) const {
    config::Node list = config::Node::list();
    for (const model::ReservationChange& one : sync.reservations())
        if (auto s = alter_promises(list, one); !s) return s;
    return promise(next, std::move(list));
}

Result<std::unique_ptr<PolicySnapshot>> PolicyStore::edited(const model::LiveChange& change,
                                                            const Now& now, const Paths& keep) {
    if (auto s = final(); !s) return std::move(s.error());
    const auto edits = static_cast<size_t>(change.rules_size());
    if (live_rules_.waiting() + edits > firewall::kMostLiveEdits)
        if (auto s = finish_merges(); !s) return std::move(s.error());
    auto next = live_rules_.edited(*current_, change.rules());
    if (!next || keep.empty()) return next;
    const auto suspects = live_rules_.suspects(*current_, change.rules());
    auto s = paths_pass_edit(*appliance_, **next, *current_, suspects, keep, now);
    return s ? std::move(next) : Result<std::unique_ptr<PolicySnapshot>>(std::move(s.error()));
}

Status PolicyStore::finish_merges() {
    while (live_rules_.waiting() != 0) {
        live_rules_.start_merge(*current_);
        live_rules_.wait();
        if (auto s = take_merged(); !s) return s;
        if (!live_rules_.problem().empty())
            return Error{"live rules cannot be merged: " + live_rules_.problem()};
    }
    return ok_status();
}

Status PolicyStore::take_merged() {
    auto merged = live_rules_.take_merged(*current_);
    if (merged == nullptr) return ok_status();
    if (auto s = replace_current(std::move(merged)); !s) return s;
    live_rules_.accept();
    live_.set_merges(live_.merges() + 1);
    return ok_status();
}

void PolicyStore::merge_rules(const Now& now) {
    if (current_ == nullptr) return;
    // A worker that hangs keeps tables that judge alike; the merge is made again.
    [[maybe_unused]] const Status taken = take_merged();
    const bool merging = live_rules_.merging();
    if (now.ns >= rules_changed_ns_ + kMergePauseNs ||
        live_rules_.waiting() >= firewall::kMostLiveEdits / 2)
        live_rules_.start_merge(*current_);
    if (!merging)
        merge_began_ns_ = now.ns;
    else if (now.ns - merge_began_ns_ > kMergePatienceNs)
        live_rules_.hurry();
    live_.set_rules_waiting(static_cast<uint32_t>(live_rules_.waiting()));
}

Status PolicyStore::sync_sets(const LiveSets& sets, const model::LiveChange& sync, const Now& now) {
    auto change = difference(sets, sync);
    if (!change) return std::move(change.error());
    return alter(sets, *change, now);
}

Status PolicyStore::alter(const LiveSets& sets, const model::LiveChange& change, const Now& now) {
    SetProgress progress;
    for (bool done = false; !done;) {
        done = alter_sets(sets, change, now, progress);
        judge_due_ |= progress.altered;
        if (!done && current_ != nullptr)
            if (auto s = judge_anew(); !s) return s;
        if (!done)
            for (const auto& set : sets) set->reclaim();  // no worker has those of no snapshot
    }
    return ok_status();
}

void PolicyStore::measured(uint64_t ns) {
    while (live_.latency_size() < kBuckets) live_.add_latency(0);
    int bucket = 0;
    for (uint64_t bound = kFirstBucketNs; bucket < kBuckets - 1 && ns > bound; bound *= 2) ++bucket;
    live_.set_latency(bucket, live_.latency(bucket) + 1);
    live_.set_latency_sum_ns(live_.latency_sum_ns() + ns);
}

void PolicyStore::expire_elements(const Now& now) {
    if (current_ == nullptr) return;
    uint32_t expired = 0;
    for (const auto& set : held_sets()) expired += set->expire(set_clock_ms(now));
    live_.set_expired(live_.expired() + expired);
    judge_due_ |= expired != 0;
    if (!judge_due_) return;
    // Where a worker hangs: again at the next turn, until what only these elements let in is shut.
    [[maybe_unused]] const Status published = judge_anew();
}

}  // namespace ravelin
