// SPDX-License-Identifier: Apache-2.0
// Which ports a policy paces, and by what. Policies that say the same of a port share its link, so
// that what waits there knows nothing of the change.
#pragma once
#include <memory>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/paced_link.h"
#include "dataplane/port_policies.h"
#include "dataplane/reservations.h"

namespace ravelin {

struct PacedPorts {
    uint64_t serial = 0;                            ///< no two have the same; never 0
    std::shared_ptr<const config::Node> config;     ///< what of it links are made of
    std::shared_ptr<const config::Node> live;       ///< reservations made since; null: none
    std::vector<std::shared_ptr<PacedLink>> links;  ///< by PortId; null: unpaced

    /// Null: the port is not paced.
    [[nodiscard]] PacedLink* link(PortId port) const {
        return port < links.size() ? links[port].get() : nullptr;
    }
};

/// Keeps links until their worker has let them go, whatever became of the policies that made them.
/// Control thread.
class LinkKeeper {
  public:
    [[nodiscard]] uint64_t next_serial() { return ++serial_; }
    std::shared_ptr<PacedLink> make(const LinkPlan& plan,
                                    const std::shared_ptr<const Principals>& principals);
    /// The workers are gone: frees all frames, before their pools go.
    void release_all();

  private:
    uint64_t serial_ = 0;
    std::vector<std::shared_ptr<PacedLink>> links_;
};

/// What links are made of: no more of a configuration is kept for as long as they are.
config::Node link_part_of(const config::Node& config);
/// Of a port with a rate, as `config` says, without its promises.
LinkPlan plan_of(const config::Node& config, size_t port);
/// Whether what waits of a reservation has room at its port, whatever others send. `aside`: frames
/// that room is set aside for already, this one's too if it has. Error: "out: ...".
Status set_aside(const config::Node& config, const LinkPlan& plan, const ReservedLink& link,
                 uint64_t& aside);

/// What `config` says, with the live reservations of `previous`; null: no port has a rate. Where
/// nothing has changed that of `previous`, which may be null, is returned itself; without
/// facts.links it is checked only. Errors: "ports[0]: rate: ...", "reservations[0]: out: ...".
Result<std::shared_ptr<const PacedPorts>> read_paced_ports(
    const config::Node& config, const PortFacts& facts, const PolicySnapshot& snapshot,
    const std::shared_ptr<const PacedPorts>& previous);

/// As `policy` has it, but for its live reservations, which are those of `live`, a list.
Result<std::shared_ptr<const PacedPorts>> with_live(const PolicySnapshot& policy,
                                                    const PortFacts& facts, config::Node live);

}  // namespace ravelin
