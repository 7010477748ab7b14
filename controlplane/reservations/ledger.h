// SPDX-License-Identifier: Apache-2.0
// Ledger: what the box can promise under one configuration, and what it has promised. Asks
// controlplane/admission; nothing is granted that the data plane does not keep: a link needs a
// port with a rate, whose owner paces and orders what leaves; cycles are not reserved at all until
// workers run functions under a scheduler. A library yet: nothing calls it until ports pace what
// they send.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "controlplane/admission/admission.h"
#include "dataplane/config/node.h"
#include "pipelines/model/reservation.h"

namespace ravelin::control {

/// What admission knows of the machine beside the configuration.
struct Machine {
    /// Bytes/s of ports by name, where measured or said by the driver; the least counts.
    std::map<std::string, admission::Work> links = {};
    /// Longest time that a worker does not look at its ports, as measured.
    admission::Nanoseconds wake = 0;
};

class Ledger {
  public:
    Ledger() = default;
    /// The resources of `tree`, nothing reserved.
    Ledger(const config::Node& tree, const Machine& machine);

    /// Whether `reservation` fits, and as granted; nothing is entered. The error is one line: what
    /// binds, and the nearest contracts that would fit.
    [[nodiscard]] Result<config::Node> decide(const config::Node& reservation) const;
    /// Enters what was granted, with its times.
    Status enter(const config::Node& granted);
    /// Names of those suspended, who shared it; only with `force` may there be any.
    Result<std::vector<std::string>> release(const std::string& principal, bool force);
    /// Whether all entered keep their deadlines: for those that were granted under other rates.
    [[nodiscard]] Status holds() const;

    [[nodiscard]] bool has(const std::string& principal) const {
        return admission_.find(principal) != nullptr;
    }
    [[nodiscard]] size_t size() const { return admission_.size(); }
    /// Units/s in use of those there are, of a port's link.
    struct Use {
        std::string resource;
        admission::Work capacity = 0, used = 0;  ///< bytes/s on the wire
    };
    [[nodiscard]] std::vector<Use> use() const;

  private:
    struct Link {
        std::string scheduler;  ///< the port whose frames are ordered: itself or its root
        unsigned tags = 0;      ///< that packets leave with
        std::string fault;      ///< why nothing can be reserved there; empty: something can
    };
    [[nodiscard]] Result<model::Reservation> read(const config::Node& reservation) const;
    [[nodiscard]] Result<admission::Request> request_of(const model::Reservation& contract) const;
    void add_links(const config::Node& tree, const Machine& machine);

    admission::Admission admission_;
    std::map<std::string, Link> ports_;
    std::map<std::string, admission::ResourceId> links_;  // by scheduler
    std::map<std::string, bool> principals_;
    bool names_principals_ = false;
};

/// Grants the reservations of `tree` in their order, beside `live` ones, and writes their times
/// into it. Those that `before` has alike keep their times. Error: "reservations[2]: ...".
Result<Ledger> admit_all(config::Node& tree, const config::Node& before,
                         const std::vector<config::Node>& live, const Machine& machine);

}  // namespace ravelin::control
