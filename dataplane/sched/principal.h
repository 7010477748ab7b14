// SPDX-License-Identifier: Apache-2.0
// Principal: whom work is charged to. Dense ids, so that every per-principal state is an array;
// hierarchical names ("org/web"), so that a weight or a cap of "org" holds for all below it.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/result.h"

namespace ravelin::sched {

enum class PrincipalId : uint32_t {};
constexpr uint32_t index(PrincipalId id) { return static_cast<uint32_t>(id); }

/// Generic flows and control messages: on a CPU served before everybody (S16, S17), on a link in
/// the shares like anybody.
inline constexpr PrincipalId kCorePrincipal{0};
/// Polling that found nothing. It has no queue and is never scheduled; it only owns cycles.
inline constexpr PrincipalId kIdlePrincipal{1};
inline constexpr uint32_t kFirstPrincipal = 2;
inline constexpr PrincipalId kNoPrincipal{UINT32_MAX};

inline constexpr uint32_t kMaxPrincipals = 16384;  ///< usage takes 128 bytes each a worker
inline constexpr uint32_t kMaxWeight = 1000;       ///< 2^-14 of a virtual unit still resolves 64 B
inline constexpr unsigned kMaxDepth = 4;           ///< levels of a name; one calendar each a pick

/// What a principal may use at most, over all workers and ports. 0: no cap.
struct PrincipalCaps {
    uint64_t cycles_per_s = 0, bytes_per_s = 0;
};

struct PrincipalSpec {
    std::string name;
    uint32_t weight = 1;  ///< 0: nothing beyond its reservation
    PrincipalCaps caps = {};
};

/// Everybody, immutable once built.
class PrincipalTable {
  public:
    struct Entry {
        std::string name;  ///< empty: the id is free
        PrincipalId parent = kNoPrincipal;
        uint32_t weight = 1;
        PrincipalCaps caps;
        bool has_children = false;
    };
    /// Parents that were not named are made, with weight 1. Names of `previous` keep their ids; an
    /// id that lost its name is given away no earlier than in the build after that, so that what
    /// still waits under it cannot be charged to a stranger. Errors: a name twice, empty or too
    /// deep, a weight above kMaxWeight, too many.
    static Result<PrincipalTable> build(std::span<const PrincipalSpec> specs,
                                        const PrincipalTable* previous = nullptr);

    /// Ids are below this; some may be free.
    [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
    [[nodiscard]] const Entry& operator[](PrincipalId id) const { return entries_[index(id)]; }
    /// kNoPrincipal where there is none of that name.
    [[nodiscard]] PrincipalId find(std::string_view name) const;

  private:
    PrincipalId place(const std::string& name, const PrincipalTable* previous);
    Status add(const PrincipalSpec& spec, const PrincipalTable* previous);
    std::vector<Entry> entries_;
    std::unordered_map<std::string, PrincipalId> ids_;
    std::vector<PrincipalId> free_;
};

}  // namespace ravelin::sched
