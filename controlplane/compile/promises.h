// SPDX-License-Identifier: Apache-2.0
// What a configuration promises of its ports with a rate and of its workers' cycles, and live
// reservations beside it: asks controlplane/admission, with these as resources.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/admission/admission.h"
#include "dataplane/config/node.h"
#include "dataplane/paced_ports.h"
#include "dataplane/reservations.h"
#include "dataplane/result.h"

namespace ravelin::control {

class Promises {
  public:
    /// Of `tree` alone, in the order of the file. Error: "reservations[1]: port wan has not ...",
    /// with the nearest contracts that would fit.
    static Result<Promises> of(const config::Node& tree);

    /// Of what is in force, granted before: entered whether it would be granted again or not.
    static Promises in_force(const config::Node& tree, const config::Node& live);

    /// Enters live ones that were granted before, a list. What the links can no longer keep is in
    /// the books all the same, for they send it; what no link could take is not.
    void restore(const config::Node& live) { restore(live, true); }
    /// Why it cannot be promised any more, by how errors call it ("live reservation NAME").
    [[nodiscard]] const std::map<std::string, std::string>& uncovered() const { return uncovered_; }
    /// Whether a link has the live one.
    [[nodiscard]] bool holds(const std::string& name) const { return live_.contains(name); }

    /// Writes into `tree`, that of of(), how deadlines of cycles and a port were split.
    void write_splits(config::Node& tree) const;
    /// One more, a node as in `reservations`; what is kept costs what it adds. Error: as above, of
    /// "live reservation NAME"; nothing changed.
    Status add(const config::Node& live);
    /// A live one. What it had is free again, to the bit. False: there is none, or others share of
    /// it.
    bool remove(const std::string& name);
    /// The live ones that share of it, also through others; who refers to another before that.
    [[nodiscard]] std::vector<std::string> sharers(const std::string& name) const;
    /// Who is referred to before who refers. Error: a circle, of whatever resources.
    static Result<std::vector<size_t>> order_of(const std::vector<const Reservation*>& all);
    /// Whether add() would.
    Status fits(const config::Node& live);
    /// The same; what it would be granted as, with its parts of the deadline.
    Result<config::Node> granted(const config::Node& live);
    /// All that the links have, as a list.
    [[nodiscard]] config::Node live() const;

  private:
    struct Link {
        admission::ResourceId resource = 0;
        LinkPlan plan;
        uint64_t aside = 0;  ///< frames that room is set aside for
    };
    struct Live {
        config::Node node;
        Reservation reservation;
    };
    /// One question to admission: about a port of the reservation (or cycles alone), or, of cycles
    /// that each worker keeps, about another kind of workers than the first.
    struct Asked {
        admission::Request request;
        size_t link = 0;
        size_t kind = 0;
        bool other_kind = false;
    };
    /// The port and the kind of workers that the split is found with.
    struct First {
        size_t link = 0, kind = 0;
    };
    struct Refused {
        Asked asked;
        admission::Refusal why;
    };
    explicit Promises(const config::Node& tree);
    Link& link_of(PortId port);
    admission::ResourceId resource_of(WorkerId worker);
    [[nodiscard]] bool is_worker(admission::ResourceId resource) const;
    [[nodiscard]] std::string part_on(const std::string& name, size_t kind) const;
    void claim_cycles(const Reservation& wanted, bool main, size_t kind,
                      admission::Request& request);
    [[nodiscard]] std::string part_of(const std::string& name, PortId port) const;
    [[nodiscard]] std::string part_with(const std::string& name, PortId port) const;
    [[nodiscard]] std::vector<Asked> requests_of(const Reservation& wanted, First first);
    [[nodiscard]] admission::Decision ask(const Reservation& wanted, Asked& asked);
    std::optional<Refused> reserve(const Reservation& wanted);
    void give_back(const Reservation& one);
    [[nodiscard]] std::vector<admission::ResourceId> resources_of(const Reservation& one);
    [[nodiscard]] std::string advice(const Reservation& wanted, const Refused& refused);
    void leave_what_fits(const Reservation& wanted, const Refused& refused,
                         admission::Nearest& nearest);
    void set_split(const std::string& name, config::Node& node) const;
    Result<Reservation> enter(const config::Node& node, const std::string& place);
    Status admit(const Reservation& wanted);
    struct Restored {
        Reservation one;
        const config::Node* node = nullptr;
        std::string why;  ///< it would not be granted again
    };
    void restore(const config::Node& list, bool live);
    std::vector<Restored> read_all(const config::Node& list, bool live);
    bool still_resolves(Reservation& one);
    admission::Nanoseconds held_by(const std::string& request, admission::ResourceId resource);
    std::vector<admission::Nanoseconds> times_of(const Reservation& one, const Asked& asked);
    std::string take_room(const Reservation& one);
    Status enter_granted(const Reservation& one);

    std::shared_ptr<const config::Node> part_;
    ReservationReader reader_;
    admission::Admission admission_;
    std::map<PortId, Link> links_;
    std::vector<WorkerId> kinds_;                        // of workers
    std::map<WorkerId, admission::ResourceId> workers_;  // by kind
    std::map<std::string, Live> live_;
    std::map<std::string, std::string> uncovered_;
};

/// What a port with a rate has promised, wire bytes/s.
struct LinkUse {
    std::string port;
    uint64_t capacity = 0, reserved = 0;
    uint64_t box = 0;  ///< beside `reserved`: what the box's own frames have before everybody else
};
std::vector<LinkUse> link_use(const config::Node& tree, const config::Node& live = {});

}  // namespace ravelin::control
