// SPDX-License-Identifier: Apache-2.0
// PolicySnapshot: everything a packet is judged by, immutable once published. Built by the control
// thread from the received configuration; a worker pins one for a whole burst.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/config/node.h"
#include "dataplane/live_set.h"
#include "dataplane/principals.h"
#include "dataplane/verdict.h"
#include "dataplane/vlan.h"
#include "dataplane/vxlan.h"

namespace ravelin {

struct Functions;
struct PacedPorts;

/// A stage's compiled configuration: tables, limits. Immutable, shared by all workers and, where
/// its configuration did not change, by successive generations.
class StagePolicy {
  public:
    virtual ~StagePolicy() = default;
    /// Bytes of the tables it holds, for `status`.
    [[nodiscard]] virtual size_t memory_bytes() const { return 0; }
};

/// Which received packets a router takes for forged by their source (RFC 3704).
enum class ReversePath : uint8_t {
    kOff,
    kStrict,  ///< no route to the source leads out of the port that received it
    kLoose,   ///< no route leads to the source at all
};

/// A port as policy sees it: names, addresses. The device behind it is Port's.
struct PortPolicy {
    std::string name;
    MacAddress mac;
    uint32_t mtu = 1500;            ///< bytes of L3
    std::vector<Prefix> addresses;  ///< interface addresses, host bits kept
    ReversePath rpf = ReversePath::kOff;
    PortId wire_peer = kNoPort;  ///< wire mode: where its frames leave
    std::string tap;             ///< the kernel's name of it; empty: the kernel has none
    /// What carries a port without a device: of a sub-interface the port with its tags, of a tunnel
    /// end the one with its local address.
    PortId parent = kNoPort;
    Vlan vlan;                      ///< of a sub-interface
    std::optional<VxlanEnd> vxlan;  ///< of a tunnel end
    bool operator==(const PortPolicy&) const = default;
};

/// What the policy calls a rule.
struct RuleInfo {
    std::string name;
    uint32_t slot = 0;  ///< hit counter = PacketMeta::rule, stable over generations
    std::string action;
};

/// All of a policy's rules. A live change adds to them without a copy of what stood there.
class RuleNames {
  public:
    RuleNames() = default;
    explicit RuleNames(std::vector<RuleInfo> rules);
    /// One more, in place of the one of its slot.
    void put(RuleInfo rule);
    /// Null: none.
    [[nodiscard]] const RuleInfo* find(uint32_t slot) const;
    [[nodiscard]] const RuleInfo* find(std::string_view name) const;
    [[nodiscard]] size_t size() const;
    /// In order of their slots, those put since at the end.
    [[nodiscard]] std::vector<RuleInfo> all() const;

  private:
    [[nodiscard]] const RuleInfo* find_added(uint32_t slot) const;
    std::shared_ptr<const std::vector<RuleInfo>> shared_;  // by slot
    std::vector<RuleInfo> added_;
};

/// Copied for every live change: what is large in it is shared.
struct PolicySnapshot {
    uint64_t generation = 0;
    /// What a flow remembers of its judgement: differs wherever a verdict may differ. A new
    /// generation and a live change have a new one; a merge of live rules does not.
    uint32_t epoch = 0;
    /// Epoch of this generation's first snapshot.
    uint32_t first_epoch = 0;
    enum class Mode : uint8_t { kRouter, kWire } mode = Mode::kRouter;
    struct Step {
        uint16_t stage;  ///< index into the worker's stage instances
        std::shared_ptr<const StagePolicy> policy;
        std::shared_ptr<const config::Node> config;  ///< what it was compiled from
        std::shared_ptr<const config::Node> given;   ///< the same without live changes
    };
    std::vector<Step> steps;        ///< in order of execution
    std::vector<PortPolicy> ports;  ///< index = PortId
    VlanMap vlans;                  ///< tags of received frames -> sub-interface
    RuleNames rules;
    /// Whom packets are charged to; null: none are declared.
    std::shared_ptr<const Principals> principals;
    /// What sends at the rate of a port (dataplane/paced_ports.h); null: no port has one.
    std::shared_ptr<const PacedPorts> paced;
    /// What the principals' packets are given to (dataplane/functions.h); null: none are declared.
    std::shared_ptr<const Functions> functions;
    /// Live sets by name. Their elements are shared with every snapshot that declares them alike.
    std::vector<std::shared_ptr<LiveSet>> sets;

    /// Null where there is none.
    [[nodiscard]] LiveSet* find_set(std::string_view name) const;
    /// The port that owns `address`, or kNoPort.
    [[nodiscard]] PortId owner_of(const IpAddress& address) const;
};

}  // namespace ravelin
