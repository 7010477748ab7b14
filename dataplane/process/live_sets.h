// SPDX-License-Identifier: Apache-2.0
// Live sets as messages change them, for PolicyStore. Control thread.
#pragma once
#include <memory>
#include <vector>

#include "control.pb.h"
#include "dataplane/clock.h"
#include "dataplane/config/node.h"
#include "dataplane/snapshot.h"

namespace ravelin {

/// Bytes the live sets declared in `sets:` take.
uint64_t set_bytes(const config::Node& sets);

/// The time that elements expire by.
inline uint64_t set_clock_ms(const Now& now) { return now.ns / 1'000'000; }

using LiveSets = std::vector<std::shared_ptr<LiveSet>>;

/// Whether `change` can be carried out on `sets`: they exist, elements are of their type, and there
/// is room. Sets of one name are of two generations that are both held.
Status check_sets(const LiveSets& sets, const model::LiveChange& change);

/// What makes `sets` hold what a sync says: first what goes, then what comes. What stays is in its
/// set all the time. Error: what is wrong with the message.
Result<model::LiveChange> difference(const LiveSets& sets, const model::LiveChange& sync);

/// Carries out a checked change from `progress` on, until all is done (true) or a grace period is
/// needed before it goes on (false).
struct SetProgress {
    int change = 0;
    size_t element = 0;
    bool altered = false;  ///< an element came or went
};
bool alter_sets(const LiveSets& sets, const model::LiveChange& change, const Now& now,
                SetProgress& progress);

}  // namespace ravelin
