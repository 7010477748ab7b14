// SPDX-License-Identifier: Apache-2.0
// Relaxation (requirements S39, S40, S71, S72): how the time a request has beyond what its
// resources need at least is handed out.
#pragma once
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "controlplane/admission/quantities.h"

namespace ravelin::admission {

/// One resource of a request.
struct Load {
    Work capacity = 0;      ///< units/s, without the core context's part
    Wide used = 0;          ///< by those admitted: sum of W/d in units/s, 2^-64ths
    Work work = 0;          ///< units that come at once
    Nanoseconds whole = 0;  ///< burst * period: more time than this lowers no utilisation
    Nanoseconds least = 0;  ///< it needs that long
};

/// Times in the order of `loads`, none below its `least`, together at most `time`; or none, when
/// the criterion has no such split. The sum of `least` is at most `time`.
using Relaxation =
    std::function<std::vector<Nanoseconds>(std::span<const Load> loads, Nanoseconds time)>;

/// The highest utilisation becomes as low as it can be, then the next: all end up equal unless
/// `least` or `whole` is in the way. Figure 1's algorithm 2, read as S72a says.
std::vector<Nanoseconds> equal_utilisation(std::span<const Load> loads, Nanoseconds time);
/// The same time for each, whatever the load: Figure 1's algorithm 1.
std::vector<Nanoseconds> fixed(std::span<const Load> loads, Nanoseconds time);
/// In proportion to `least`: every residual shrinks by the same factor (S72b).
std::vector<Nanoseconds> proportional(std::span<const Load> loads, Nanoseconds time);

/// By the name it has in the configuration: equal-utilisation, fixed, proportional. Empty: none.
Relaxation relaxation_named(std::string_view name);

}  // namespace ravelin::admission
