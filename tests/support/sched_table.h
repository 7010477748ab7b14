// SPDX-License-Identifier: Apache-2.0
// Tables of principals for tests.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/sched/principal.h"

namespace ravelin::sched {

inline PrincipalTable table_of(const std::vector<PrincipalSpec>& specs) {
    auto built = PrincipalTable::build(specs);
    if (!built.ok()) throw std::logic_error(built.error().message);
    return std::move(*built);
}
/// `n` principals without parents, and the id of the i-th.
inline PrincipalTable table_of(size_t n) {
    std::vector<PrincipalSpec> specs;
    for (size_t i = 0; i < n; ++i) specs.push_back({.name = "p" + std::to_string(i)});
    return table_of(specs);
}
inline PrincipalId id(size_t i) { return PrincipalId{static_cast<uint32_t>(kFirstPrincipal + i)}; }

}  // namespace ravelin::sched
