// SPDX-License-Identifier: Apache-2.0
// The part of LiveFlow that keeps count of what is promised of the links.
#include "controlplane/live/live_flow.h"
#include "controlplane/loop/log.h"
#include "pipelines/model/tree_codec.h"

namespace ravelin::control {

LiveFlow::Version LiveFlow::promises_version() const {
    return {store_.in_force().generation, state_.reservations_serial()};
}

Promises& LiveFlow::promises() {
    if (promises_ && promises_of_ == promises_version()) return *promises_;
    auto made = Promises::of(store_.in_force().tree);
    // Of another version, or by hand: the data plane has them all the same.
    if (!made) {
        log_error("the configuration in force: " + made.error().message);
        made = Promises::of(config::Node::map());
    }
    promises_.emplace(std::move(*made));
    for (const auto& [name, reservation] : state_.reservations())
        if (Status s = promises_->add(reservation); !s) log_error(s.error().message);
    promises_of_ = promises_version();
    return *promises_;
}

void LiveFlow::keep_promises(const model::LiveChange& change) {
    for (const model::ReservationChange& one : change.reservations()) {
        if (!one.has_grant()) {
            promises_->remove(one.release());
        } else if (const auto node = model::decode(one.grant())) {
            if (Status s = promises_->add(*node); !s) log_error(s.error().message);
        }
    }
    promises_of_ = promises_version();
}

void LiveFlow::ask_for(const model::LiveChange& change) {
    for (const model::ReservationChange& one : change.reservations()) {
        if (!one.has_grant()) continue;
        if (auto node = model::decode(one.grant())) asked_.items().push_back(std::move(*node));
    }
}

config::Node LiveFlow::reserved() {
    config::Node out = promises().live();
    for (const config::Node& one : asked_.items()) out.items().push_back(one);
    return out;
}

}  // namespace ravelin::control
