// SPDX-License-Identifier: Apache-2.0
// PolicySnapshot: everything a packet is judged by, immutable once published. Built by the control
// thread from the received configuration; a worker pins one for a whole burst.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/config/node.h"
#include "dataplane/verdict.h"

namespace ravelin {

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
    bool operator==(const PortPolicy&) const = default;
};

/// What the policy calls a rule; index = PacketMeta::rule.
struct RuleInfo {
    std::string name;
    uint32_t slot = 0;  ///< hit counter, stable over generations
    std::string action;
};

struct PolicySnapshot {
    uint64_t generation = 0;
    enum class Mode : uint8_t { kRouter, kWire } mode = Mode::kRouter;
    struct Step {
        uint16_t stage;  ///< index into the worker's stage instances
        std::shared_ptr<const StagePolicy> policy;
        config::Node config;  ///< what it was compiled from
    };
    std::vector<Step> steps;        ///< in order of execution
    std::vector<PortPolicy> ports;  ///< index = PortId
    std::vector<RuleInfo> rules;

    /// The port that owns `address`, or kNoPort.
    [[nodiscard]] PortId owner_of(const IpAddress& address) const;
};

}  // namespace ravelin
