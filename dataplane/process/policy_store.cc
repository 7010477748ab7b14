// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/policy_store.h"

#include <fmt/format.h>
#include <rte_pause.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "dataplane/stage.h"
#include "pipelines/model/schema.h"

namespace ravelin {
namespace {

// A worker is between two bursts within microseconds; a virtual machine may take it off its CPU for
// a while. Longer than this it is stuck, and its memory may not be touched again.
constexpr std::chrono::seconds kGrace{10};
// About 20 us: a busy worker is through by then, if it has its CPU. No sched_yield(): where others
// want this CPU it gives it away for milliseconds.
constexpr unsigned kEagerLooks = 500;
constexpr std::chrono::microseconds kBetweenLooks{20};
constexpr uint64_t kUnknownSerial = UINT64_MAX;  // no control plane has that one

uint64_t available_bytes() {
    uint64_t kilobytes = 0;
    if (FILE* f = std::fopen("/proc/meminfo", "re")) {
        char line[128];
        while (std::fgets(line, sizeof line, f) != nullptr)
            if (std::sscanf(line, "MemAvailable: %lu kB", &kilobytes) == 1) break;
        std::fclose(f);
    }
    return kilobytes << 10;
}

uint64_t blob_bytes(const config::Node& node) {
    uint64_t bytes = node.as_text().size() + sizeof node;
    for (const config::Node& item : node.items()) bytes += blob_bytes(item);
    for (const auto& [name, member] : node.members()) bytes += name.size() + blob_bytes(member);
    return bytes;
}

/// A generous estimate, not a measurement: running out of memory half-way must not kill the
/// packets. 160 MiB covers the largest root tables; the rest grows with the configuration.
Status memory_suffices(const config::Node& config) {
    const auto workers = static_cast<uint64_t>(config["workers"]["count"].as_integer());
    const uint64_t accounts =
        config["principals"].items().empty() ? 0 : workers * Account::memory_bytes();
    // Queues of each principal and function, and what waits in them.
    const uint64_t functions = config["functions"].items().size(),
                   frames = static_cast<uint64_t>(config["workers"]["buffers"].as_integer()) / 4,
                   queues = config["principals"].items().size() * (functions * 64 + 512),
                   invocations = functions == 0 ? 0 : workers * (queues + frames * 304);
    const uint64_t needed = 20 * blob_bytes(config) + set_bytes(config["sets"]) + accounts +
                            invocations + (160u << 20),
                   there = available_bytes();
    if (there == 0 || needed <= there) return ok_status();
    return Error{fmt::format("policy: needs up to {} MiB while it is built, {} MiB are available",
                             needed >> 20, there >> 20)};
}

}  // namespace

Status PolicyStore::apply(uint64_t generation, config::Node given, uint32_t confirm_ms,
                          const Now& now, const model::LiveChange* live, const Paths& keep) {
    tidy();
    config::widen_texts(given, model::kConfigSchema, StageRegistry::schema_of);
    const auto whole = std::make_shared<const config::Node>(std::move(given));
    const config::Node& config = *whole;
    if (deadline_ns_ != 0)
        return Error{
            fmt::format("generation {} awaits confirmation; confirm it or roll it back first",
                        current_->generation)};
    if (auto s = config::conforms(config, model::kConfigSchema, StageRegistry::schema_of); !s)
        return s;
    if (auto s = memory_suffices(config); !s) return s;
    const bool boots = appliance_ == nullptr;
    if (boots) {
        auto box = Appliance::boot(config, run_dir_, clock_, open_tap_);
        if (!box) return std::move(box.error());
        appliance_ = std::move(*box);
    } else if (auto s = appliance_->accepts(config); !s) {
        return s;
    }
    // What waits for confirmation may go back to tables that have all live rules.
    if (Status s = boots || confirm_ms == 0 ? ok_status() : finish_merges(); !s) return s;
    auto policy = build(generation, whole, now, live);
    Status usable = policy ? paths_pass(*appliance_, **policy, current_.get(), keep, now)
                           : Status(std::move(policy.error()));
    if (!usable) {
        if (boots) appliance_.reset();
        return usable;
    }
    if (boots) {
        current_ = std::move(*policy);
        appliance_->slot.store(current_.get());
        if (confine_) sandbox_ = confine_(config);
        appliance_->start();
    } else if (auto s = succeed(std::move(*policy), confirm_ms, now); !s) {
        return s;
    }
    judge_due_ = false;
    if (live != nullptr) live_.set_serial(live->serial());
    return ok_status();
}

Status PolicyStore::succeed(std::unique_ptr<PolicySnapshot> next, uint32_t confirm_ms,
                            const Now& now) {
    if (auto s = all_answer(); !s) return s;
    if (auto s = publish(next.get()); !s) {
        limbo_.push_back(std::move(next));
        return s;
    }
    live_rules_.forget();
    previous_ = std::exchange(current_, std::move(next));
    synced_since_ = false;
    reclaim_sets();
    rolled_back_from_ = 0;
    if (confirm_ms != 0)
        deadline_ns_ = now.ns + uint64_t{confirm_ms} * 1'000'000;
    else
        retired_.push_back(std::move(previous_));
    return ok_status();
}

Result<std::unique_ptr<PolicySnapshot>> PolicyStore::build(
    uint64_t generation, std::shared_ptr<const config::Node> config, const Now& now,
    const model::LiveChange* live) {
    auto policy =
        build_policy(generation, std::move(config), appliance_->port_facts(), current_.get());
    if (policy && live != nullptr && !live->rules().empty())
        policy = LiveRules::rebuilt(**policy, live->rules());
    if (!policy) return policy;
    if (const Principals* principals = (*policy)->principals.get(); principals != nullptr)
        appliance_->keep_accounts(*principals,
                                  current_ == nullptr ? nullptr : current_->principals.get());
    (*policy)->epoch = (*policy)->first_epoch = next_epoch();
    if (live == nullptr) return policy;
    if (auto s = sync_promises(**policy, *live); !s) return std::move(s.error());
    if (auto s = sync_sets((*policy)->sets, *live, now); !s) return std::move(s.error());
    return policy;
}

Status PolicyStore::all_answer() const {
    for (const auto& worker : appliance_->workers())
        if (worker->stuck()) return Error{fmt::format("worker {} does not answer", worker->id())};
    return ok_status();
}

Status PolicyStore::publish(const PolicySnapshot* policy) {
    const PolicySnapshot* before = appliance_->slot.load();
    appliance_->slot.store(policy, std::memory_order_seq_cst);
    for (const auto& worker : appliance_->workers()) worker->wake_if_asleep();
    const auto give_up = std::chrono::steady_clock::now() + kGrace;
    unsigned looks = 0;
    for (const auto& worker : appliance_->workers())
        while (!worker->has_left_all_but(policy)) {
            if (std::chrono::steady_clock::now() > give_up) {
                appliance_->slot.store(before, std::memory_order_seq_cst);
                worker->give_up();
                return Error{fmt::format("worker {} did not leave generation {}; it stays in force",
                                         worker->id(), before->generation)};
            }
            if (++looks < kEagerLooks)
                rte_pause();
            else
                std::this_thread::sleep_for(kBetweenLooks);
        }
    return ok_status();
}

Status PolicyStore::confirm(uint64_t generation) {
    if (deadline_ns_ == 0 || current_->generation != generation)
        return Error{fmt::format("generation {} does not await confirmation", generation)};
    deadline_ns_ = 0;
    retired_.push_back(std::move(previous_));
    return ok_status();
}

Status PolicyStore::roll_back(const Now& now, const Paths& keep) {
    if (deadline_ns_ == 0) return Error{"no generation awaits confirmation"};
    if (auto s = paths_pass(*appliance_, *previous_, current_.get(), keep, now); !s) return s;
    // Sets may have changed since it was in force, so what was judged by it is judged again.
    auto again = std::make_unique<PolicySnapshot>(*previous_);
    again->epoch = again->first_epoch = next_epoch();
    const uint64_t from = current_->generation;
    if (auto s = replace_current(std::move(again)); !s) return s;
    live_rules_.forget();
    rolled_back_from_ = from;
    deadline_ns_ = 0;
    // Rules and reservations are those of before the sync, so another one has to come.
    if (std::exchange(synced_since_, false)) live_.set_serial(kUnknownSerial);
    retired_.push_back(std::move(previous_));
    return ok_status();
}

bool PolicyStore::expire(const Now& now) {
    return deadline_ns_ != 0 && now.ns >= deadline_ns_ && roll_back().ok();
}

uint32_t PolicyStore::confirm_remaining_ms(const Now& now) const {
    if (deadline_ns_ == 0) return 0;
    return now.ns >= deadline_ns_ ? 1
                                  : static_cast<uint32_t>((deadline_ns_ - now.ns) / 1'000'000 + 1);
}

}  // namespace ravelin
