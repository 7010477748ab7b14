// SPDX-License-Identifier: Apache-2.0
// Admission control: who has reserved what, and whether one more fits. Decides; enforces nothing.
// References (S46, S51), decided here:
// - A symbolic claim inherits the time its referent has on that resource, so what is left of its
//   deadline goes to its own claims. Nothing is added there: those who share contend, and the
//   deadlines hold while together they stay within what the referent reserved.
// - References may form chains; the root's time counts. They may not lead back to where they began,
//   not even by way of another resource: then neither split could be found before the other.
// - Who is referred to cannot be released; with force, all who refer to it, also through others,
//   are suspended: they give their own resources back and are admitted anew by resume().
// - A change of a reservation admits all who refer to it anew in the same step, or changes nothing.
// A release gives capacity back at once: call it when the data plane has no packet of the principal
// queued any more.
#pragma once
#include <map>
#include <set>

#include "controlplane/admission/request.h"
#include "dataplane/result.h"

namespace ravelin::admission {

class Admission {
  public:
    explicit Admission(Rules rules = {}) : rules_(std::move(rules)) {}

    ResourceId add_resource(Resource resource);
    /// Another capacity or envelope. Refused, and nothing changes, when not all deadlines would be
    /// kept; the error names the resource.
    Status change_resource(ResourceId id, Resource resource);

    /// What reserve() would say. At most Rules::effort.
    [[nodiscard]] Decision decide(const Request& request) const;
    Decision reserve(const Request& request);
    /// All or none, whichever order their references ask for.
    Decision reserve_all(const std::vector<Request>& requests);
    /// Enters what was granted before, with the times it was granted then (ns, one a claim), and
    /// decides nothing: it may be more than the resources can keep. Errors: wrong in itself; the
    /// principal has one already.
    Status enter_granted(const Request& request, const std::vector<Nanoseconds>& times);
    /// Whether all that is reserved there keeps its deadlines, as far as Rules::effort can show.
    [[nodiscard]] bool keeps(ResourceId id) const;
    /// Instead of the one the principal has.
    Decision change(const Request& request);
    /// Names who was suspended. Errors: no such principal; others refer to it (without `force`).
    Result<std::vector<std::string>> release(const std::string& principal, bool force = false);
    /// Of a suspended one.
    Decision resume(const std::string& principal);

    /// The nearest contracts of a request that decide() refused for rate, time or effort, as it
    /// stands; time is the whole deadline. Takes as long as three decisions at most.
    [[nodiscard]] Nearest nearest(const Request& request, const Refusal& refusal) const;
    /// Refusal and nearest contracts as an operator reads them.
    [[nodiscard]] std::string advice(const Request& request) const;

    [[nodiscard]] const Reservation* find(const std::string& principal) const;
    [[nodiscard]] std::vector<std::string> principals() const;
    [[nodiscard]] size_t size() const { return entries_.size(); }  ///< principals, suspended too
    [[nodiscard]] const std::set<std::string>& referrers(const std::string& principal) const;
    [[nodiscard]] const Book& book(ResourceId id) const { return books_[id]; }
    [[nodiscard]] size_t resources() const { return books_.size(); }

  private:
    struct Entry {
        Reservation reservation;
        std::vector<std::pair<ResourceId, DemandBound::Slot>> slots;  // of absolute claims
    };
    /// A request with its references looked up.
    struct Resolved {
        std::vector<Hold> holds;    // times of shared claims only
        std::vector<Part> parts;    // of the absolute claims
        std::vector<size_t> claim;  // of each part
        Nanoseconds time = 0;       // what shared claims leave of the deadline
    };
    [[nodiscard]] std::variant<Resolved, Refusal> resolve(const Request& request) const;
    [[nodiscard]] Rules rules_of(const Request& request) const;
    [[nodiscard]] Decision judge(const Request& request) const;
    void enter(const Reservation& reservation);
    void give_back(Entry& entry);
    void forget(const std::string& principal);
    [[nodiscard]] std::vector<std::string> all_referrers(const std::string& principal) const;

    Rules rules_;
    std::vector<Book> books_;
    std::map<std::string, Entry> entries_;
    std::map<std::string, std::set<std::string>> referrers_;
};

/// The order in which requests can be admitted: who is referred to first. Error: they refer to each
/// other in a circle, which it names.
Result<std::vector<size_t>> order_by_reference(const std::vector<Request>& requests);

}  // namespace ravelin::admission
