// SPDX-License-Identifier: Apache-2.0
// PacketMaker: packets that a rule's own dimensions describe, drawn at random with a leaning
// towards the edges. Addresses a rule leaves open come from the ports' networks, so that
// reverse-path checks and routes agree with them.
#pragma once
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "dataplane/net/packet_spec.h"
#include "dataplane/snapshot.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin {

struct MadePacket {
    net::PacketSpec spec;
    PortId port = 0;  ///< it comes in by this one
};

class PacketMaker {
  public:
    /// `policy` must outlive it. The same `seed` makes the same packets.
    PacketMaker(const PolicySnapshot& policy, uint64_t seed);

    /// One packet of the rule; nothing where this draw met a contradiction (a source of the other
    /// family): draw again. Conditions beyond the classifier's are met too, but for rates.
    std::optional<MadePacket> draw(const firewall::NamedRule& rule);
    [[nodiscard]] std::vector<uint8_t> frame(const MadePacket& packet) const;
    /// In the words of `ravelin explain`.
    [[nodiscard]] std::string text(const MadePacket& packet) const;

  private:
    using Rule = firewall::NamedRule;
    [[nodiscard]] uint64_t below(uint64_t n) { return n <= 1 ? 0 : random_() % n; }
    template <typename List>
    const auto& any_of(const List& list) {
        return list[below(list.size())];
    }
    [[nodiscard]] PortId way_in(const Rule& rule, PortId out);
    [[nodiscard]] PortId way_out(const Rule& rule);
    std::optional<IpAddress> address(const std::vector<Prefix>& set, const LiveSet* live, bool v4,
                                     PortId near, bool destination);
    [[nodiscard]] IpAddress within(const Prefix& prefix);
    [[nodiscard]] std::optional<IpAddress> near(PortId port, bool v4, bool destination);
    [[nodiscard]] uint16_t port_of(const std::vector<config::PortRange>& ranges,
                                   const LiveSet* live, uint16_t usual);
    [[nodiscard]] const LiveSet* live_set(const Rule& rule, firewall::LiveField field) const;
    bool take_live_ends(const Rule& rule, net::PacketSpec& spec);
    static std::vector<uint8_t> protocols(const Rule& rule, bool v4);
    bool protocol(const Rule& rule, bool v4, net::PacketSpec& spec);
    bool icmp(const Rule& rule, bool v4, net::PacketSpec& spec);
    void tcp(const Rule& rule, net::PacketSpec& spec);
    bool conditions(const Rule& rule, bool v4, net::PacketSpec& spec);

    const PolicySnapshot& policy_;
    PacketTextDefaults defaults_;
    std::mt19937_64 random_;
};

}  // namespace ravelin
