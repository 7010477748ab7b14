// SPDX-License-Identifier: Apache-2.0
// NatPolicy: compiled translation rules, the same for all workers. It answers without state; what
// was chosen for a flow stands beside the flow (FlowTable::translation).
//
// Addresses: "inner" is what flow keys, routes and firewall rules see: the translated destination
// and the original source. "Outer" is what the side behind the translation sees.
#pragma once
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/flow.h"
#include "dataplane/packet.h"
#include "dataplane/snapshot.h"
#include "pipelines/stages/nat_schema.h"
#include "pipelines/tables/classifier.h"
#include "pipelines/tables/lpm.h"

namespace ravelin {
struct CompileContext;
}

namespace ravelin::nat {

/// An IPv4 packet's ends, host order; of an ICMP error: of a packet that answers the quoted one.
struct Tuple {
    uint32_t source = 0, destination = 0;
    uint16_t source_port = 0, destination_port = 0;  ///< echo: the identifier twice
    PortId in_port = kNoPort;
    uint8_t protocol = 0;
    bool ports = false;
    [[nodiscard]] FlowKey key(bool& swapped) const noexcept;
};
/// Of the packet itself.
Tuple tuple_of(const PacketMeta& meta) noexcept;
/// Of the answer to what an ICMP error quotes; nothing where it cannot be told.
std::optional<Tuple> answered_by(const Packet& packet, const PacketMeta& meta) noexcept;
/// TCP, UDP and ICMP echo: what can share an outer address.
bool has_translated_ports(uint8_t protocol) noexcept;

/// An end in host order.
struct End {
    uint32_t address = 0;
    uint16_t port = 0;
    bool operator==(const End&) const = default;
};

/// A rule as the path needs it.
struct CompiledRule {
    Kind kind = Kind::kMasquerade;
    uint32_t to = 0;         ///< of a prefix to prefix: the new bits
    uint32_t host_bits = 0;  ///< mask of those kept
    uint16_t low = 0,
             high = 0;        ///< masquerade, source: ports to choose from; destination: new port
    uint16_t first_port = 0;  ///< destination: of to-ports, where `low`..`high` follows them
    std::vector<Prefix> pool{};
    uint32_t pool_size = 0;
    /// Hit counter of packets; kNoSlot: none.
    static constexpr uint16_t kNoSlot = FlowTranslation::kNoRule;
    uint16_t slot = kNoSlot;
    [[nodiscard]] uint32_t mapped(uint32_t address) const noexcept {
        return to | (address & host_bits);
    }
};

class NatPolicy final : public StagePolicy {
  public:
    /// What is known of an address before any rule is asked.
    enum Known : uint32_t {
        kRule = 1,      ///< a destination or static rule may take packets to it
        kWhole = 2,     ///< ... whatever their ports
        kDynamic = 4,   ///< flows leave with it and a port of the worker's share
        kOwn = 8,       ///< a port's
        kHairpin = 16,  ///< of a rule with hairpin
        kPublic = 32,   ///< to be answered for in ARP: a pool's, or what rules translate
    };
    [[nodiscard]] uint32_t known(uint32_t address) const noexcept {
        const uint32_t value = addresses_.lookup_v4(address);
        return value == Lpm::kNoRoute ? 0 : value;
    }
    /// The inner destination of a packet to an address that is `known` so, if a rule has one;
    /// `slot`: where that counts.
    [[nodiscard]] std::optional<End> inner_destination(const Tuple& packet, uint32_t known,
                                                       uint16_t* slot = nullptr) const noexcept;
    /// The rule for the source of a flow with these inner ends, or null.
    [[nodiscard]] const CompiledRule* source_rule(const Tuple& inner,
                                                  PortId out_port) const noexcept;
    /// Where the rule that counts packets in `slot` counts new flows; kNoSlot: nowhere.
    [[nodiscard]] uint16_t new_slot_of(uint16_t slot) const noexcept;
    /// Ports and identifiers are shared out by remainder, so that even a small range serves all.
    static WorkerId owner_of_port(uint16_t port, WorkerId workers) noexcept {
        return static_cast<WorkerId>(port % workers);
    }
    [[nodiscard]] size_t memory_bytes() const override;

    static Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& config,
                                                              CompileContext& context);

    /// What hairpin uses where no rule says more: every port, every identifier of its share.
    static const CompiledRule kAnyPort;

  private:
    friend class Compiler;
    std::vector<CompiledRule> rules_;
    Classifier inbound_, outbound_;
    std::vector<uint32_t> inbound_rules_, outbound_rules_;  // by the classifiers' indices
    std::vector<std::pair<uint16_t, uint16_t>> slots_;      // packets, new flows; sorted
    Lpm addresses_;
    std::bitset<65536> forwarded_;  // ports that rules with to-ports name
};

/// The nat policy in force, or null. A few compares; once a burst.
const NatPolicy* policy_of(const PolicySnapshot& snapshot) noexcept;

}  // namespace ravelin::nat
