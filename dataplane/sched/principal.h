// SPDX-License-Identifier: Apache-2.0
// Principal: whom work is charged to. Dense ids, so that every per-principal state is an array;
// hierarchical names ("org/web"), so that a weight or a cap of "org" holds for all below it.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/result.h"
#include "dataplane/sched/principal_id.h"

namespace ravelin::sched {

inline constexpr uint32_t kMaxWeight = 1000;  ///< 2^-14 of a virtual unit still resolves 64 B
inline constexpr unsigned kMaxDepth = 4;      ///< levels of a name; one calendar each a pick

/// What a principal may use at most, over all workers and ports. 0: no cap.
struct PrincipalCaps {
    uint64_t cycles_per_s = 0, bytes_per_s = 0;
    uint32_t flows = 0;
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
    using Held = std::function<bool(PrincipalId)>;
    /// Parents that were not named are made, with weight 1. Names of `previous` keep their ids; an
    /// id that lost its name is given away no earlier than in the build after that, and not while
    /// `held` says that something is still counted under it, so that nothing can be charged to a
    /// stranger. Errors, beginning with "principals[i]: ": a name twice, empty or too deep, a
    /// weight above kMaxWeight, too many.
    static Result<PrincipalTable> build(std::span<const PrincipalSpec> specs,
                                        const PrincipalTable* previous = nullptr,
                                        const Held& held = {});

    /// Ids are below this; some may be free.
    [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
    [[nodiscard]] const Entry& operator[](PrincipalId id) const { return entries_[index(id)]; }
    /// kNoPrincipal where there is none of that name.
    [[nodiscard]] PrincipalId find(std::string_view name) const;

  private:
    struct Before {
        const PrincipalTable* table;
        const Held& held;
        [[nodiscard]] bool holds(uint32_t id) const { return held && held(PrincipalId{id}); }
    };
    void begin(const Before& before);
    PrincipalId place(const std::string& name, const Before& before);
    PrincipalId free_id(const Before& before);
    Status add(const PrincipalSpec& spec, const Before& before);
    std::vector<Entry> entries_;
    std::unordered_map<std::string, PrincipalId> ids_;
    std::vector<PrincipalId> free_;
};

}  // namespace ravelin::sched
