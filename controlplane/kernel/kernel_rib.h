// SPDX-License-Identifier: Apache-2.0
// KernelRib: the kernel's routes as far as they concern us, and which of several for a prefix is
// the one in force. Keeps the prefixes that changed until somebody takes them.
#pragma once
#include <map>
#include <set>
#include <vector>

#include "controlplane/kernel/route_message.h"

namespace ravelin::control {

/// What is learned.
struct RouteFilter {
    uint32_t table = 254;         ///< RT_TABLE_MAIN
    std::set<uint8_t> protocols;  ///< RTPROT_*
    bool operator==(const RouteFilter&) const = default;
};

class KernelRib {
  public:
    struct Path {
        uint32_t metric = 0;
        uint8_t protocol = 0;
        KernelRouteKind kind = KernelRouteKind::kForward;
        std::vector<KernelHop> hops;
        uint32_t round = 0;
    };

    explicit KernelRib(RouteFilter filter) : filter_(std::move(filter)) {}

    /// A notification or a part of a dump, in the order the kernel sent them.
    void take(const KernelRoute& route);
    /// A dump begins; what it and later notifications do not name is gone when it ends.
    void begin_dump() { ++round_; }
    void end_dump();

    /// The path with the lowest metric; null if there is none.
    [[nodiscard]] const Path* best(const Prefix& prefix) const;
    /// Takes up to `most` prefixes that changed since they were last taken.
    std::vector<Prefix> take_changed(size_t most);
    /// As if all had changed: for a data plane that knows none.
    void mark_all();
    [[nodiscard]] bool changed() const { return !changed_.empty(); }
    [[nodiscard]] size_t size() const { return paths_.size(); }

  private:
    using Paths = std::vector<Path>;  // by metric; hardly ever more than one
    void remove(const KernelRoute& route);
    RouteFilter filter_;
    std::map<Prefix, Paths> paths_;
    std::set<Prefix> changed_;
    uint32_t round_ = 0;
};

}  // namespace ravelin::control
