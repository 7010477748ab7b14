// SPDX-License-Identifier: Apache-2.0
// What the metrics endpoint asks the control plane at each scrape. Plain data.
#pragma once
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ravelin::metrics {

/// A rule of the policy in force and where the data plane counts its hits.
struct RuleSlot {
    std::string name;
    uint32_t slot = 0;
    uint64_t packets_before = 0;  ///< what the slot had counted when the rule took it
    uint64_t bytes_before = 0;
};

/// A rule of `nat`: its packets, and flows that it began to translate.
struct NatRuleSlots {
    RuleSlot passed, fresh;
};

/// What one principal had of a port with a rate.
struct LinkShare {
    std::string principal;
    uint64_t bytes = 0, packets = 0, dropped = 0, marked = 0, reserved = 0, late = 0;
};

struct PortState {
    std::string name;
    bool link_up = false;
    uint64_t rate = 0;  ///< bit/s; 0: it has none, and the rest is empty
    uint64_t queue_bytes = 0, queue_frames = 0;
    std::vector<LinkShare> shares = {};
};

/// Memory of one table of the data plane.
struct TableState {
    std::string name;
    uint64_t bytes = 0;
    uint64_t entries = 0;
    uint64_t capacity = 0;                              ///< 0: grows
    std::optional<uint64_t> huge_bytes = std::nullopt;  ///< in huge pages, where that is known
};

/// Live changes by how long they took in the data plane.
struct LiveState {
    std::vector<uint64_t> latency;  ///< [0]: at most 62.5 us, each next twice that, last: more
    uint64_t latency_sum_ns = 0;
    uint64_t expired = 0;  ///< set elements
};

/// What is charged to a principal.
struct PrincipalState {
    std::string name;
    uint64_t packets = 0, bytes = 0, drops = 0, flows = 0;
    double seconds = 0;  ///< of the workers
};

/// What a function took, over all workers.
struct FunctionState {
    std::string name;
    uint64_t runs = 0, packets = 0, not_run = 0;
    double seconds = 0;
};

struct Snapshot {
    bool dataplane_up = false;
    uint64_t generation = 0;  ///< in force; 0: none
    uint64_t confirm_deadline_unix_ms =
        0;                         ///< when an unconfirmed change rolls back; 0: nothing to confirm
    std::string counters_path;     ///< empty: not known yet
    uint64_t started_unix_ms = 0;  ///< the control plane
    uint64_t log_lines_lost = 0;   ///< rule log lines lost, in rings or beyond the rate
    std::vector<RuleSlot> rules;
    std::vector<NatRuleSlots> nat_rules;
    std::vector<PortState> ports;            ///< may stay empty
    std::vector<TableState> tables;          ///< may stay empty
    std::vector<PrincipalState> principals;  ///< may stay empty
    std::vector<FunctionState> functions;    ///< may stay empty
    uint64_t reservations_not_kept = 0;      ///< granted, and not to be promised any more
    LiveState live;
};

/// `snapshot` is called from the endpoint's threads, one call at a time.
struct MetricsSource {
    std::function<Snapshot()> snapshot;
};

/// The control plane's thread sets it, the endpoint's threads read it. Outlives the endpoint.
class SharedSnapshot {
  public:
    void set(Snapshot snapshot) {
        const std::lock_guard lock(mutex_);
        snapshot_ = std::move(snapshot);
    }
    [[nodiscard]] Snapshot get() const {
        const std::lock_guard lock(mutex_);
        return snapshot_;
    }
    [[nodiscard]] MetricsSource source() const {
        return {.snapshot = [this] { return get(); }};
    }

  private:
    mutable std::mutex mutex_;
    Snapshot snapshot_;
};

}  // namespace ravelin::metrics
