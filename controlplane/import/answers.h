// SPDX-License-Identifier: Apache-2.0
// Whether a flow that a rule opens may live as Ravelin's flows do: all its packets pass, both ways.
// In a chain they do so only if rules accept them in state ESTABLISHED.
#pragma once
#include <optional>
#include <vector>

#include "controlplane/import/flatten.h"

namespace ravelin::import {

/// Swapped ends; of ICMP types, echo's answer.
Box answer_to(const Box& box);

struct Lives {
    bool forward = false, back = false;  ///< all packets of the direction are accepted
    std::vector<Box> denied_back;        ///< but for these, which a rule before denies
    [[nodiscard]] bool both() const { return forward && back; }
};

/// Of flows that decisions[at] opens in a chain whose decisions these are, the policy last.
/// `answers`: the chain that sees the answers; null: none does.
Lives lives(const std::vector<Decision>& decisions, size_t at,
            const std::vector<Decision>* answers);
/// Whether all of `box` is accepted, whatever comes before that is not exact.
bool accepts_all(const std::vector<Decision>& decisions, const Box& box);

}  // namespace ravelin::import
