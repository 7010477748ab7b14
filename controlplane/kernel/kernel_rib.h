// SPDX-License-Identifier: Apache-2.0
// KernelRib: the kernel's routes as far as they concern us, and which of several for a prefix is
// the one in force. Keeps the prefixes that changed until somebody takes them. Bounded: whoever may
// add routes to the kernel decides how many there are.
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

inline constexpr size_t kMaxKernelPaths = 8;  ///< metrics of a prefix; the worst are left out
inline constexpr size_t kMaxKernelHops = 64;  ///< of a path; as in the configuration

class KernelRib {
  public:
    struct Path {
        uint32_t metric = 0;
        uint8_t protocol = 0;
        KernelRouteKind kind = KernelRouteKind::kForward;
        std::vector<KernelHop> hops;
        uint32_t round = 0;
    };

    /// `limit`: most prefixes; those beyond it are left out and counted.
    KernelRib(RouteFilter filter, size_t limit) : filter_(std::move(filter)), limit_(limit) {}

    /// Where there are more, the last ones go.
    void set_limit(size_t limit);
    /// A notification or a part of a dump, in the order the kernel sent them.
    void take(const KernelRoute& route);
    /// A dump begins; what it and later notifications do not name is gone when it ends.
    void begin_dump();
    void end_dump();

    /// The path with the lowest metric; null if there is none.
    [[nodiscard]] const Path* best(const Prefix& prefix) const;
    /// Takes up to `most` prefixes that changed since they were last taken, first those that are
    /// gone: a full table has no room for others before.
    std::vector<Prefix> take_changed(size_t most);
    /// As if all had changed: for a data plane that knows none.
    void mark_all();
    [[nodiscard]] bool changed() const { return !gone_.empty() || !changed_.empty(); }
    /// So much changed that nobody took: only all of it together tells, by mark_all().
    [[nodiscard]] bool lost_track() const { return lost_track_; }
    [[nodiscard]] size_t size() const { return paths_.size(); }
    [[nodiscard]] size_t limit() const { return limit_; }
    /// Prefixes, paths and lists of next hops left out or cut since the last dump began.
    [[nodiscard]] uint64_t beyond_limit() const { return beyond_; }
    /// There is room by now for what was left out: a dump would name it.
    [[nodiscard]] bool wants_dump() const {
        return short_ || (refused_ && paths_.size() < limit_ - limit_ / 16);
    }

  private:
    using Paths = std::vector<Path>;  // by metric; hardly ever more than one
    void add(const KernelRoute& route);
    void remove(const KernelRoute& route);
    void note(const Prefix& prefix);
    [[nodiscard]] Path path_of(const KernelRoute& route, const Path* before);
    bool insert(Paths& paths, Path path);
    RouteFilter filter_;
    size_t limit_;
    std::map<Prefix, Paths> paths_;
    std::set<Prefix> gone_, changed_;  // without a path, and with one
    uint32_t round_ = 0;
    uint64_t beyond_ = 0;
    // Since the last dump began: prefixes were refused; a path or next hop was cut; and where that
    // was, something went since.
    bool refused_ = false, cut_ = false, short_ = false;
    bool lost_track_ = false;
};

}  // namespace ravelin::control
