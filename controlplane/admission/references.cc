// SPDX-License-Identifier: Apache-2.0
// References between reservations: looked up, ordered, withdrawn, changed.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "controlplane/admission/admission.h"
#include "controlplane/admission/wording.h"

namespace ravelin::admission {
namespace {

Refusal reference_refused(std::string text) {
    return {.kind = Refusal::Kind::kReference, .text = std::move(text)};
}

const Hold* hold_on(const Reservation& reservation, ResourceId resource) {
    for (const Hold& hold : reservation.holds)
        if (hold.resource == resource) return &hold;
    return nullptr;
}

std::vector<std::string> referents(const Request& request) {
    std::vector<std::string> names;
    for (const Claim& claim : request.claims)
        if (!claim.shared_with.empty()) names.push_back(claim.shared_with);
    return names;
}

/// Depth first; `path` is what leads to where it is.
class Order {
  public:
    explicit Order(const std::vector<Request>& requests) : requests_(requests) {
        state_.resize(requests.size(), State::kNew);
        for (size_t i = 0; i < requests.size(); ++i) index_.emplace(requests[i].principal, i);
    }
    Result<std::vector<size_t>> run() {
        for (size_t i = 0; i < requests_.size(); ++i)
            if (!visit(i)) return Error{"they refer to each other in a circle: " + circle_};
        return std::move(order_);
    }

  private:
    enum class State : uint8_t { kNew, kOnPath, kDone };
    struct Step {
        size_t request;
        std::vector<std::string> left;
    };
    bool visit(size_t first);
    bool closes_circle(const std::vector<Step>& path, size_t at);

    const std::vector<Request>& requests_;
    std::unordered_map<std::string, size_t> index_;
    std::vector<State> state_;
    std::vector<size_t> order_;
    std::string circle_;
};

bool Order::closes_circle(const std::vector<Step>& path, size_t at) {
    if (state_[at] != State::kOnPath) return false;
    auto from = std::find_if(path.begin(), path.end(), [&](auto& s) { return s.request == at; });
    for (; from != path.end(); ++from) circle_ += requests_[from->request].principal + " -> ";
    circle_ += requests_[at].principal;
    return true;
}

/// Not by recursion: chains may be long.
bool Order::visit(size_t first) {
    if (state_[first] != State::kNew) return true;
    std::vector<Step> path{{first, referents(requests_[first])}};
    state_[first] = State::kOnPath;
    while (!path.empty()) {
        if (path.back().left.empty()) {
            state_[path.back().request] = State::kDone;
            order_.push_back(path.back().request);
            path.pop_back();
            continue;
        }
        const auto next = index_.find(path.back().left.back());
        path.back().left.pop_back();
        if (next == index_.end()) continue;  // reserved before, or nowhere: resolve() says
        if (closes_circle(path, next->second)) return false;
        if (state_[next->second] == State::kDone) continue;
        state_[next->second] = State::kOnPath;
        path.push_back({next->second, referents(requests_[next->second])});
    }
    return true;
}

}  // namespace

Result<std::vector<size_t>> order_by_reference(const std::vector<Request>& requests) {
    return Order(requests).run();
}

std::variant<Admission::Resolved, Refusal> Admission::resolve(const Request& request) const {
    if (std::string wrong = fault_of(request, books_); !wrong.empty())
        return Refusal{.kind = Refusal::Kind::kInvalid, .text = std::move(wrong)};
    Resolved resolved{.holds = {}, .parts = {}, .claim = {}, .time = request.deadline};
    for (size_t i = 0; i < request.claims.size(); ++i) {
        const Claim& claim = request.claims[i];
        resolved.holds.push_back(
            {.resource = claim.resource, .shared = !claim.shared_with.empty()});
        if (claim.shared_with.empty()) {
            resolved.claim.push_back(i);
            resolved.parts.push_back(
                {&books_[claim.resource],
                 {.work = claim.work, .burst = request.burst, .period = request.period}});
            continue;
        }
        const Reservation* referent = find(claim.shared_with);
        const std::string& where = books_[claim.resource].resource().name;
        if (referent == nullptr)
            return reference_refused(
                fmt::format("{}: {} has no reservation to share", where, claim.shared_with));
        if (referent->suspended)
            return reference_refused(fmt::format("{}: {} is suspended", where, claim.shared_with));
        const Hold* hold = hold_on(*referent, claim.resource);
        if (hold == nullptr)
            return reference_refused(
                fmt::format("{}: {} has nothing reserved there", where, claim.shared_with));
        resolved.holds.back().time = hold->time;
        resolved.time -= hold->time;
    }
    if (resolved.time < 0 || (resolved.time == 0 && !resolved.parts.empty()))
        return Refusal{.kind = Refusal::Kind::kTime,
                       .text = fmt::format("shared reservations take {} of the deadline of {}",
                                           time_text(request.deadline - resolved.time),
                                           time_text(request.deadline))};
    return resolved;
}

const std::set<std::string>& Admission::referrers(const std::string& principal) const {
    static const std::set<std::string> kNobody;
    const auto found = referrers_.find(principal);
    return found == referrers_.end() ? kNobody : found->second;
}

/// Also through others; who is referred to before who refers.
std::vector<std::string> Admission::all_referrers(const std::string& principal) const {
    std::vector<Request> reached;
    std::set<std::string> seen;
    std::vector<std::string> open{principal};
    while (!open.empty()) {
        const std::string at = std::move(open.back());
        open.pop_back();
        for (const std::string& name : referrers(at)) {
            if (!seen.insert(name).second) continue;
            reached.push_back(find(name)->request);
            open.push_back(name);
        }
    }
    std::vector<std::string> names;
    const auto order = order_by_reference(reached);
    for (const size_t i : *order) names.push_back(reached[i].principal);
    return names;
}

Result<std::vector<std::string>> Admission::release(const std::string& principal, bool force) {
    if (find(principal) == nullptr) return Error{principal + " has no reservation"};
    std::vector<std::string> suspended;
    for (const std::string& name : all_referrers(principal))
        if (!entries_.at(name).reservation.suspended) suspended.push_back(name);
    if (!suspended.empty() && !force)
        return Error{fmt::format("{} is shared by {}: release these first, or force", principal,
                                 fmt::join(suspended, ", "))};
    for (const std::string& name : suspended) {
        give_back(entries_.at(name));
        entries_.at(name).reservation.suspended = true;
    }
    forget(principal);
    return suspended;
}

Decision Admission::resume(const std::string& principal) {
    const Reservation* reservation = find(principal);
    if (reservation == nullptr || !reservation->suspended)
        return Refusal{.text = principal + " is not suspended"};
    Decision decision = judge(reservation->request);
    if (granted(decision)) enter(std::get<Reservation>(decision));
    return decision;
}

Decision Admission::change(const Request& request) {
    const Reservation* before = find(request.principal);
    if (before == nullptr) return Refusal{.text = request.principal + " has no reservation"};
    Admission trial = *this;
    std::vector<Request> again{request};
    for (const std::string& name : all_referrers(request.principal)) {
        if (find(name)->suspended) continue;
        again.push_back(find(name)->request);
        trial.give_back(trial.entries_.at(name));
    }
    const auto order = order_by_reference(again);
    if (!order) return reference_refused(order.error().message);
    trial.forget(request.principal);
    Decision changed;
    for (const Request& each : again) {
        Decision decision = trial.judge(each);
        if (!granted(decision)) {
            Refusal& refusal = std::get<Refusal>(decision);
            if (each.principal != request.principal)
                refusal.text = fmt::format("{}, which shares it: {}", each.principal, refusal.text);
            return decision;
        }
        trial.enter(std::get<Reservation>(decision));
        if (each.principal == request.principal) changed = std::move(decision);
    }
    *this = std::move(trial);
    return changed;
}

}  // namespace ravelin::admission
