// SPDX-License-Identifier: Apache-2.0
// NameService: the symbol table of loaded functions (S58). On the control thread; workers only ever
// see references. Who may resolve what is by prefix of both hierarchical names, first rule that
// matches; without one a principal resolves what lies under its own name. A reference once given
// stays good until its function is unloaded: it is a capability, and to take it back is to unload.
#pragma once
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/result.h"
#include "dataplane/sched/function_table.h"

namespace ravelin::sched {

struct Permission {
    std::string principal;  ///< name or a level above it; empty: everybody
    std::string function;   ///< the same of the function's name
    bool allow = true;
};

class NameService {
  public:
    explicit NameService(std::vector<Permission> permissions = {})
        : permissions_(std::move(permissions)) {}

    /// A free slot under a name. Errors: the name is taken, no slot is free.
    Result<FunctionRef> load(const std::string& name);
    /// The name means `ref` from now on; references to what it meant stay good.
    Status rebind(const std::string& name, FunctionRef ref);
    /// Ends the function: its references are stale, its names gone.
    Status unload(FunctionRef ref);
    /// Errors: no such name; not permitted (which says no more than that).
    [[nodiscard]] Result<FunctionRef> resolve(std::string_view name,
                                              std::string_view principal) const;

  private:
    [[nodiscard]] bool permitted(std::string_view name, std::string_view principal) const;
    [[nodiscard]] bool loaded(FunctionRef ref) const;
    struct Slot {
        bool used = false;
        uint32_t generation = 0;
    };
    std::vector<Permission> permissions_;
    std::map<std::string, FunctionRef, std::less<>> names_;
    std::array<Slot, kMaxFunctions> slots_{};
};

}  // namespace ravelin::sched
