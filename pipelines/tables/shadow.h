// SPDX-License-Identifier: Apache-2.0
// Rules that can never match because one earlier rule takes all their packets.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "pipelines/tables/classifier.h"

namespace ravelin {

/// Indices into the rules: `rule` is covered in every dimension by the earlier `by`.
struct ShadowedRule {
    size_t rule, by;
    bool operator==(const ShadowedRule&) const = default;
};

/// Shadowed rules in order, each with the first rule that covers it alone. Rules covered only by
/// several others together are not found; nor are rules that match nothing by themselves. Source
/// and destination are taken to be of one family. Empty if the rules do not build. Cost: one
/// classification per rule and per earlier rule that meets it (10,000 ClassBench rules: below 1 s).
/// `partial[i]`: rule i takes only some of the packets it is written for here (a rate, a live set),
/// so it covers none; it may be covered. Empty: no rule does.
std::vector<ShadowedRule> find_shadowed(std::span<const ClassifierRule> rules,
                                        const std::vector<bool>& partial = {});

/// Whether `outer` takes every packet that `inner` takes.
bool covers(const ClassifierRule& outer, const ClassifierRule& inner);

}  // namespace ravelin
