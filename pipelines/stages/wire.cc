// SPDX-License-Identifier: Apache-2.0
// wire: the end of a transparent pipeline. A frame leaves, unchanged, on the other port of its
// pair. What is no IP is judged here by its ethertype, since no rule of the firewall sees it: ARP,
// STP and LLDP pass by default, as through a cable; protocols nobody named are dropped.
//
// Config: ethertypes (arp, lldp, stp, other: accept | drop), untagged (accept | drop), vlans
// (allowed outer VLAN ids; absent: every one).
// Drops: arp, lldp, stp, ethertype, vlan, untagged. Cost: a few branches a frame, nothing more.
#include <array>
#include <bitset>

#include "dataplane/net/headers.h"
#include "dataplane/stage.h"

namespace ravelin {
namespace {

using config::Field;
using config::Schema;
using config::Type;

constexpr unsigned kVlanIds = 4096;  // 12 bits (IEEE 802.1Q); 4095 is reserved
constexpr MacAddress kBridgeGroup{{0x01, 0x80, 0xc2, 0, 0, 0}};  // IEEE 802.1D table 7-10
constexpr uint8_t kLlcSpanningTree = 0x42;

constexpr std::array<std::string_view, 2> kDecisions{"accept", "drop"};
constexpr std::array kEthertypeFields{
    Field{.name = "arp",
          .type = Type::kEnum,
          .help = "ARP; without it IPv4 hosts do not find each other.",
          .fallback = "accept",
          .words = kDecisions},
    Field{.name = "lldp",
          .type = Type::kEnum,
          .help = "Link layer discovery (0x88cc).",
          .fallback = "accept",
          .words = kDecisions},
    Field{.name = "stp",
          .type = Type::kEnum,
          .help = "Spanning tree; a bridge that does not hear it cannot see a loop.",
          .fallback = "accept",
          .words = kDecisions},
    Field{.name = "other",
          .type = Type::kEnum,
          .help = "Every other protocol that is not IP.",
          .fallback = "drop",
          .words = kDecisions},
};
constexpr Schema kEthertypeSchema{"ethertypes", "What passes beside IP.", kEthertypeFields};
constexpr std::array kFields{
    Field{.name = "ethertypes",
          .type = Type::kMap,
          .help = "What passes beside IP.",
          .fallback = "{}",
          .nested = &kEthertypeSchema},
    Field{.name = "untagged",
          .type = Type::kEnum,
          .help = "Frames without a VLAN tag.",
          .fallback = "accept",
          .words = kDecisions},
    Field{.name = "vlans",
          .type = Type::kPortSet,
          .help = "Outer VLAN ids that may pass, 0 to 4094; default: every one."},
};
constexpr Schema kSchema{"stage wire", "Sends each frame out of the other port of its pair.",
                         kFields};

enum Drop : int {
    kAccepted = -1,
    kArpDrop,
    kLldpDrop,
    kStpDrop,
    kEthertypeDrop,
    kVlanDrop,
    kUntaggedDrop
};
constexpr std::array<CounterDecl, 6> kDrops{{
    {"arp", "ARP frames, which ethertypes.arp forbids."},
    {"lldp", "LLDP frames, which ethertypes.lldp forbids."},
    {"stp", "Spanning tree frames, which ethertypes.stp forbids."},
    {"ethertype", "Frames of a protocol that is not IP and that ethertypes.other forbids."},
    {"vlan", "Frames with a VLAN id that vlans does not list."},
    {"untagged", "Frames without a VLAN tag, which untagged forbids."},
}};

struct WirePolicy final : StagePolicy {
    bool arp = true, lldp = true, stp = true, other = false, untagged = true;
    std::bitset<kVlanIds> vlans;
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& node,
                                                   CompileContext& context) {
    if (context.snapshot.mode != PolicySnapshot::Mode::kWire)
        return Error{"needs mode: wire; in mode: router packets leave by route"};
    const auto accepts = [](const config::Node& n) { return n.as_text() == "accept"; };
    const config::Node& ethertypes = node["ethertypes"];
    auto policy = std::make_shared<WirePolicy>();
    policy->arp = accepts(ethertypes["arp"]);
    policy->lldp = accepts(ethertypes["lldp"]);
    policy->stp = accepts(ethertypes["stp"]);
    policy->other = accepts(ethertypes["other"]);
    policy->untagged = accepts(node["untagged"]);
    if (!node.has("vlans")) policy->vlans.set();
    for (const config::PortRange range : node["vlans"].as_ports()) {
        if (range.high > kVlanIds - 2)
            return Error{"vlans: found " + std::to_string(range.high) +
                         ", expected ids up to 4094"};
        for (unsigned id = range.low; id <= range.high; ++id) policy->vlans.set(id);
    }
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

class Wire final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& wire = static_cast<const WirePolicy&>(policy);
        const auto& ports = context.policy->ports;
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!burst.live(i)) continue;
            PacketMeta& meta = burst.meta[i];
            if (const Drop reason = judge(burst.packet(i), meta, wire); reason != kAccepted) {
                burst.drop(i, drop(static_cast<unsigned>(reason)));
                continue;
            }
            // A frame of the box itself (a reset) leaves where it was told to.
            if (meta.has(PacketMeta::kLocalOrigin))
                meta.out_port = meta.in_port;
            else if (meta.in_port < ports.size())
                meta.out_port = ports[meta.in_port].wire_peer;
        }
    }

  private:
    static Drop judge(const Packet& packet, const PacketMeta& meta, const WirePolicy& wire) {
        if (meta.vlan_tags == 0 && !wire.untagged) return kUntaggedDrop;
        if (meta.vlan_tags != 0 && !wire.vlans[meta.vlan_outer & net::kVlanIdMask])
            return kVlanDrop;
        if (meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6)) return kAccepted;
        if (meta.has(PacketMeta::kArp)) return wire.arp ? kAccepted : kArpDrop;
        if (meta.ethertype == net::kEtherLldp) return wire.lldp ? kAccepted : kLldpDrop;
        if (is_spanning_tree(packet, meta)) return wire.stp ? kAccepted : kStpDrop;
        return wire.other ? kAccepted : kEthertypeDrop;
    }
    // An 802.3 length, then LLC with both service access points 0x42 (IEEE 802.1D section 9.3).
    static bool is_spanning_tree(const Packet& packet, const PacketMeta& meta) {
        if (meta.ethertype >= net::kEtherFirstType) return false;
        const auto* ethernet = packet.at<net::Ethernet>(0);
        const uint8_t* llc = packet.bytes(meta.l3_offset, 2);
        return ethernet != nullptr && llc != nullptr && ethernet->destination == kBridgeGroup &&
               llc[0] == kLlcSpanningTree && llc[1] == kLlcSpanningTree;
    }
};

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Wire>(); }

constexpr StageDecl kStage{.name = "wire",
                           .help = "Sends each frame out of the other port of its pair.",
                           .schema = &kSchema,
                           .drops = kDrops,
                           .counters = {},
                           .compile = compile,
                           .create = create};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
