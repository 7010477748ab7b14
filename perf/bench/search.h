// SPDX-License-Identifier: Apache-2.0
// The greatest load at which no more than a given share is lost, in the manner of RFC 2544 section
// 26.1 and of MLRsearch (multiple loss ratio search): trials grow longer and the interval narrower
// from phase to phase, and a bound that longer trials do not bear out is given up.
#pragma once
#include <functional>

namespace ravelin::perf {

struct SearchOptions {
    double least = 0, most = 0;  ///< load, in any unit
    double width = 0.005;        ///< of the last interval, of its upper end
    double first_seconds = 0.005, last_seconds = 0.05;
    unsigned phases = 3;
};

/// `lower` lost no more than the goal in a trial of the last phase; `upper` lost more. Both are
/// `most` where that passes, `lower` is 0 where `least` does not.
struct Throughput {
    double lower = 0, upper = 0;
    unsigned trials = 0;
};

/// `loss(load, seconds)` makes a trial; the share lost, 0 to 1.
Throughput search(double goal, const SearchOptions& options,
                  const std::function<double(double load, double seconds)>& loss);

}  // namespace ravelin::perf
