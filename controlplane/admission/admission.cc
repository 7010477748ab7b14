// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/admission.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/admission/wording.h"

namespace ravelin::admission {

ResourceId Admission::add_resource(Resource resource) {
    books_.emplace_back(std::move(resource));
    return static_cast<ResourceId>(books_.size() - 1);
}

Status Admission::change_resource(ResourceId id, Resource resource) {
    Book changed = books_[id].with(std::move(resource));
    Effort effort{rules_.effort};
    if (changed.bound().fits(changed.supply(), effort) != DemandBound::Answer::kFits)
        return Error{fmt::format("{}: not all reservations would keep their deadlines",
                                 changed.resource().name)};
    books_[id] = std::move(changed);
    return ok_status();
}

Rules Admission::rules_of(const Request& request) const {
    Rules rules = rules_;
    if (request.relaxation) rules.relaxation = request.relaxation;
    return rules;
}

Decision Admission::judge(const Request& request) const {
    auto resolved = resolve(request);
    if (auto* refusal = std::get_if<Refusal>(&resolved)) return std::move(*refusal);
    auto& [holds, parts, claim, time] = std::get<Resolved>(resolved);
    Reservation reservation{.request = request, .holds = std::move(holds)};
    if (parts.empty()) return reservation;
    Effort effort{rules_.effort};
    const Choice choice = choose(parts, time, rules_of(request), effort);
    if (!choice.fits()) return refusal_of(request, parts, claim, time, choice);
    for (size_t i = 0; i < parts.size(); ++i) reservation.holds[claim[i]].time = choice.times[i];
    reservation.by = choice.by;
    return reservation;
}

Decision Admission::decide(const Request& request) const {
    if (entries_.contains(request.principal))
        return Refusal{.text = fmt::format("{} has a reservation already", request.principal)};
    return judge(request);
}

Decision Admission::reserve(const Request& request) {
    Decision decision = decide(request);
    if (granted(decision)) enter(std::get<Reservation>(decision));
    return decision;
}

Decision Admission::reserve_all(const std::vector<Request>& requests) {
    const auto order = order_by_reference(requests);
    if (!order) return Refusal{.kind = Refusal::Kind::kReference, .text = order.error().message};
    Admission trial = *this;
    Decision last = Refusal{.text = "nothing was asked for"};
    for (const size_t i : *order) {
        last = trial.reserve(requests[i]);
        if (!granted(last)) return last;
    }
    *this = std::move(trial);
    return last;
}

Status Admission::enter_granted(const Request& request, const std::vector<Nanoseconds>& times) {
    if (entries_.contains(request.principal))
        return Error{fmt::format("{} has a reservation already", request.principal)};
    auto resolved = resolve(request);
    if (auto* refusal = std::get_if<Refusal>(&resolved)) return Error{std::move(refusal->text)};
    Reservation reservation{.request = request,
                            .holds = std::move(std::get<Resolved>(resolved).holds)};
    for (size_t i = 0; i < times.size(); ++i) reservation.holds[i].time = times[i];
    enter(reservation);
    return ok_status();
}

bool Admission::keeps(ResourceId id) const {
    Effort effort{rules_.effort};
    return books_[id].keeps(effort);
}

void Admission::enter(const Reservation& reservation) {
    const Request& request = reservation.request;
    Entry entry{.reservation = reservation, .slots = {}};
    for (size_t i = 0; i < request.claims.size(); ++i) {
        const Claim& claim = request.claims[i];
        if (!claim.shared_with.empty()) {
            referrers_[claim.shared_with].insert(request.principal);
            continue;
        }
        entry.slots.emplace_back(
            claim.resource, books_[claim.resource].add({.work = claim.work,
                                                        .burst = request.burst,
                                                        .period = request.period,
                                                        .deadline = reservation.holds[i].time}));
    }
    entries_.insert_or_assign(request.principal, std::move(entry));
}

void Admission::give_back(Entry& entry) {
    for (const auto& [resource, slot] : entry.slots) books_[resource].remove(slot);
    entry.slots.clear();
    entry.reservation.holds.clear();
}

/// Who is still referred to keeps that mark: whoever comes back under the name is meant.
void Admission::forget(const std::string& principal) {
    const auto entry = entries_.find(principal);
    give_back(entry->second);
    for (const Claim& claim : entry->second.reservation.request.claims) {
        const auto others = referrers_.find(claim.shared_with);
        if (others == referrers_.end()) continue;
        others->second.erase(principal);
        if (others->second.empty()) referrers_.erase(others);
    }
    entries_.erase(entry);
}

Nearest Admission::nearest(const Request& request, const Refusal& refusal) const {
    const auto resolved = resolve(request);
    const auto* known = std::get_if<Resolved>(&resolved);
    if (known == nullptr || known->parts.empty()) return {};
    const auto binding = std::ranges::find(known->claim, refusal.binding) - known->claim.begin();
    Nearest found = admission::nearest(known->parts, known->time, static_cast<size_t>(binding),
                                       rules_of(request));
    if (found.time) *found.time += request.deadline - known->time;
    return found;
}

std::string Admission::advice(const Request& request) const {
    const Decision decision = judge(request);
    if (granted(decision)) return "it fits";
    const Refusal& refusal = std::get<Refusal>(decision);
    if (refusal.kind == Refusal::Kind::kInvalid || refusal.kind == Refusal::Kind::kReference)
        return refusal.text;
    const Claim& binding = request.claims[refusal.binding];
    return refusal.text + nearest_text(nearest(request, refusal), request,
                                       books_[binding.resource].resource().name);
}

const Reservation* Admission::find(const std::string& principal) const {
    const auto entry = entries_.find(principal);
    return entry == entries_.end() ? nullptr : &entry->second.reservation;
}

std::vector<std::string> Admission::principals() const {
    std::vector<std::string> names;
    names.reserve(entries_.size());
    for (const auto& [principal, entry] : entries_) names.push_back(principal);
    return names;
}

}  // namespace ravelin::admission
