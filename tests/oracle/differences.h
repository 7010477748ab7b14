// SPDX-License-Identifier: Apache-2.0
// Differences between Ravelin and Linux that are meant, each with a name and a reason in
// differences.md. A test checks that both list the same names in the same order.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "tests/oracle/runner.h"

namespace ravelin::oracle {

/// One observation in its case.
struct Judged {
    const Case& c;
    const Observation& o;
    std::span<const Observation> earlier;  ///< of the case, in order
};

struct Difference {
    std::string_view name;
    bool (*is)(const Judged& j);
};
std::span<const Difference> known_differences();

/// The first that explains the observation, or null: then it is a bug until shown otherwise.
const Difference* explain(const Judged& j);

/// "tcp syn: kernel forwarded, ravelin dropped (firewall.tcp_window), flow established": what
/// observations of one cause have in common.
std::string signature(const Observation& o);

}  // namespace ravelin::oracle
