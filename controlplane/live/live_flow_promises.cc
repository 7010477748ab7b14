// SPDX-License-Identifier: Apache-2.0
// The part of LiveFlow that keeps count of what is promised of the links.
#include <fmt/format.h>

#include <algorithm>

#include "controlplane/live/live_flow.h"
#include "controlplane/loop/log.h"
#include "pipelines/model/tree_codec.h"

namespace ravelin::control {

LiveFlow::Version LiveFlow::promises_version() const {
    return {store_.in_force().generation, state_.reservations_serial()};
}

config::Node LiveFlow::granted() const {
    config::Node out = config::Node::list();
    for (const auto& [name, reservation] : state_.reservations())
        out.items().push_back(reservation);
    return out;
}

Promises& LiveFlow::promises() {
    if (promises_ && promises_of_ == promises_version()) return *promises_;
    promises_.emplace(Promises::in_force(store_.in_force().tree, granted()));
    promises_of_ = promises_version();
    tell_uncovered();
    for (const auto& [name, reservation] : state_.reservations())
        if (!promises_->holds(name)) left_out_.insert(name);
    return *promises_;
}

void LiveFlow::tell_uncovered() {
    const auto& uncovered = promises_->uncovered();
    const std::string text =
        uncovered.empty() ? ""
                          : fmt::format("{} reservations cannot be promised any more, first {}",
                                        uncovered.size(), uncovered.begin()->second);
    uncovered_ = uncovered.size();
    if (text != told_uncovered_ && !text.empty()) log_warning(text);
    told_uncovered_ = text;
}

void LiveFlow::keep_promises(const model::LiveChange& change) {
    for (const model::ReservationChange& one : change.reservations()) {
        if (!one.has_grant()) {
            promises_->remove(one.release());
        } else if (const auto node = model::decode(one.grant())) {
            // Recorded, and would not be granted now: made anew it is in the books all the same.
            if (!promises_->add(*node)) return promises_.reset();
        }
    }
    // With what was given back others may be covered again.
    if (!promises_->uncovered().empty()) return promises_.reset();
    promises_of_ = promises_version();
}

/// The data plane has all that it could take.
void LiveFlow::note_left_out() {
    left_out_.clear();
    for (const auto& [name, reservation] : state_.reservations())
        if (!promises().holds(name)) left_out_.insert(name);
}

/// Whether there is room now for what a sync had to leave out.
bool LiveFlow::lacks_promises() {
    return std::ranges::any_of(left_out_, [this](const std::string& name) {
        return state_.reservations().contains(name) && promises().holds(name);
    });
}

void LiveFlow::ask_for(const model::LiveChange& change) {
    for (const model::ReservationChange& one : change.reservations()) {
        if (!one.has_grant()) continue;
        if (auto node = model::decode(one.grant())) asked_.items().push_back(std::move(*node));
    }
}

config::Node LiveFlow::reserved() {
    config::Node out = granted();
    for (const config::Node& one : asked_.items()) out.items().push_back(one);
    return out;
}

}  // namespace ravelin::control
