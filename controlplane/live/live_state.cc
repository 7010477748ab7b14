// SPDX-License-Identifier: Apache-2.0
#include "controlplane/live/live_state.h"

#include "pipelines/model/tree_codec.h"

namespace ravelin::control {

void LiveState::take(const model::LiveChange& change) {
    serial_ = change.serial();
    if (change.sync()) sets_.clear();
    for (const model::SetChange& set : change.sets()) take(set, change.unix_ms());
    if (change.sync() || (change.rules_size() != 0 && change.generation() != rules_generation_))
        rules_.clear();
    if (change.sync() || change.rules_size() != 0) rules_serial_ = change.serial();
    if (change.rules_size() != 0) rules_generation_ = change.generation();
    rules_.insert(rules_.end(), change.rules().begin(), change.rules().end());
    if (change.sync()) reservations_.clear();
    if (change.sync() || change.reservations_size() != 0) reservations_serial_ = change.serial();
    for (const model::ReservationChange& one : change.reservations()) take(one);
}

void LiveState::take(const model::ReservationChange& change) {
    if (!change.has_grant()) {
        reservations_.erase(change.release());
        return;
    }
    auto node = model::decode(change.grant());
    if (!node) return;  // never written
    // Written when there could be only one.
    for (const char* const member : {"out", "cpu"}) {
        const config::Node& one = (*node)[member];
        if (one.kind() != config::Node::Kind::kText) continue;
        config::Node list = config::Node::list();
        list.add(one);
        node->set(member, std::move(list));
    }
    const std::string name = (*node)["name"].as_text();
    reservations_.insert_or_assign(name, std::move(*node));
}

void LiveState::take(const model::SetChange& change, uint64_t unix_ms) {
    if (change.action() == model::SetChange::FORGET) {
        sets_.erase(change.set());
        return;
    }
    Elements& elements = sets_[change.set()];
    if (change.action() == model::SetChange::FLUSH) elements.clear();
    const std::string& bytes = change.elements();
    int i = 0;
    for (size_t at = 0; at + SetElement::kBytes <= bytes.size(); at += SetElement::kBytes, ++i) {
        std::string element = bytes.substr(at, SetElement::kBytes);
        if (change.action() == model::SetChange::REMOVE) {
            elements.erase(element);
            continue;
        }
        const uint64_t remaining = i < change.remaining_ms_size() ? change.remaining_ms(i) : 0;
        elements.insert_or_assign(std::move(element), remaining == 0 ? 0 : unix_ms + remaining);
    }
}

void LiveState::expire(uint64_t now_unix_ms) {
    for (auto& [name, elements] : sets_)
        std::erase_if(elements, [&](const auto& element) {
            return element.second != 0 && element.second <= now_unix_ms;
        });
}

const LiveState::Elements* LiveState::find(const std::string& set) const {
    const auto found = sets_.find(set);
    return found == sets_.end() ? nullptr : &found->second;
}

const std::vector<model::RuleChange>& LiveState::rules(uint64_t generation) const {
    static const std::vector<model::RuleChange> none;
    return generation == rules_generation_ ? rules_ : none;
}

model::LiveChange LiveState::whole(uint64_t generation, uint64_t now_unix_ms) const {
    model::LiveChange out;
    out.set_serial(serial_);
    out.set_generation(generation);
    out.set_sync(true);
    out.set_unix_ms(now_unix_ms);
    for (const auto& [name, elements] : sets_) {
        if (elements.empty()) continue;
        model::SetChange& change = *out.add_sets();
        change.set_set(name);
        for (const auto& [element, deadline] : elements) {
            if (deadline != 0 && deadline <= now_unix_ms) continue;
            *change.mutable_elements() += element;
            change.add_remaining_ms(deadline == 0 ? 0 : deadline - now_unix_ms);
        }
    }
    for (const model::RuleChange& rule : rules(generation)) *out.add_rules() = rule;
    for (const auto& [name, reservation] : reservations_)
        model::encode(reservation, *out.add_reservations()->mutable_grant());
    return out;
}

}  // namespace ravelin::control
