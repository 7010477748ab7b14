// SPDX-License-Identifier: Apache-2.0
// parse: first in every pipeline. Reads the headers of each frame once, checks every length against
// every other, and fills PacketMeta; what is no sound packet is dropped under a reason of its own.
// Ethernet with up to two VLAN tags, by which a router finds the sub-interface; ARP, IPv4 with
// options, IPv6 with its extension headers, TCP, UDP, SCTP, ICMP, ICMPv6. The layers stand in
// pipelines/net/parse_*.cc.
//
// Config: verify-checksums (also TCP's, UDP's and ICMP's; IPv4's header is always verified) and
// complete-checksums (auto, always, never). Drops: net::kParseDrops.
// Cost: one cache line of the frame, two for IPv6 with TCP. complete-checksums adds the sum of the
// addresses (some ten additions) to each TCP and UDP packet, verify-checksums one pass over it all.
#include <algorithm>
#include <vector>

#include "dataplane/engine_counters.h"
#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "pipelines/net/decapsulate.h"
#include "pipelines/net/parse.h"
#include "pipelines/net/parse_plain.h"

namespace ravelin {
namespace {

using config::Field;
using config::Schema;
using config::Type;
using net::ParseDrop;

constexpr std::array<std::string_view, 3> kCompletions{"auto", "always", "never"};
constexpr std::array kFields{
    Field{.name = "verify-checksums",
          .type = Type::kBool,
          .help = "Drop packets with a wrong TCP, UDP or ICMP checksum; hosts do so anyway.",
          .fallback = "false"},
    Field{.name = "complete-checksums",
          .type = Type::kEnum,
          .help = "Complete TCP and UDP checksums that a sender on the same machine left to its "
                  "NIC, as veth does; auto does unless the NIC vouches for them.",
          .fallback = "auto",
          .words = kCompletions},
};
constexpr Schema kSchema{"stage parse", "Reads and checks the headers of each frame.", kFields};

enum Counter : unsigned { kPulledUp, kCompleted };
constexpr std::array<CounterDecl, 2> kCounters{{
    {"pulled_up", "Chained frames whose headers were copied together."},
    {"checksums_completed",
     "TCP and UDP checksums completed for a sender that left it to its NIC."},
}};

enum class Completion : uint8_t { kAuto, kAlways, kNever };

struct ParsePolicy final : StagePolicy {
    bool verify = false;
    Completion complete = Completion::kAuto;
    std::vector<uint16_t> unsummed;  ///< UDP ports of tunnels that need no checksum (RFC 6935)
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& node,
                                                   CompileContext& context) {
    auto policy = std::make_shared<ParsePolicy>();
    for (const PortPolicy& port : context.snapshot.ports)
        if (port.vxlan && port.vxlan->zero_checksum)
            policy->unsummed.push_back(port.vxlan->udp_port);
    policy->verify = node["verify-checksums"].as_bool();
    const std::string& word = node["complete-checksums"].as_text();
    policy->complete = word == "always"  ? Completion::kAlways
                       : word == "never" ? Completion::kNever
                                         : Completion::kAuto;
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

/// Tallies of one burst, so that counters are touched once.
struct Tally {
    unsigned pulled_up = 0, completed = 0;
};

class Parse final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& parse = static_cast<const ParsePolicy&>(policy);
        Tally tally;
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!burst.live(i)) continue;
            const ParseDrop reason = one(burst, i, parse, context, tally);
            if (reason != ParseDrop::kNone) burst.drop(i, drop(static_cast<unsigned>(reason)));
        }
        if (context.dry_run) return;
        if (tally.pulled_up != 0) context.counters.add(counter(kPulledUp), tally.pulled_up);
        if (tally.completed != 0) context.counters.add(counter(kCompleted), tally.completed);
    }

  private:
    static ParseDrop one(Burst& burst, unsigned i, const ParsePolicy& policy,
                         WorkerContext& context, Tally& tally) noexcept {
        if (burst.frames[i]->nb_segs > 1) {
            rte_mbuf* whole = net::pull_up(burst.frames[i], context.pool);
            if (whole == nullptr) return ParseDrop::kNoBuffer;
            tally.pulled_up += whole != burst.frames[i];
            burst.frames[i] = whole;
        }
        PacketMeta& meta = burst.meta[i];
        forget(meta);
        const Packet packet = burst.packet(i);
        const net::ParseInput input = input_for(meta, *context.policy);
        if (!net::parse_plain(packet, meta, input)) {
            if (const ParseDrop d = net::parse_frame(packet, meta, input); d != ParseDrop::kNone)
                return d;
            if (meta.vlan_tags != 0 && input.router)
                if (!find_sub_interface(packet, meta, context)) return ParseDrop::kVlan;
            if (!meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6)) return ParseDrop::kNone;
        }
        if (input.router) trim_padding(packet, meta);
        return checksums(packet, meta, policy, tally);
    }

    // All but what the engine knows. In place: a copy of 128 bytes would wait for its own stores.
    static void forget(PacketMeta& meta) noexcept {
        const PortId in_port = meta.in_port;
        const uint32_t watch_id = meta.watch_id;
        const uint32_t flags = meta.flags & (PacketMeta::kLocalOrigin | PacketMeta::kFromKernel |
                                             PacketMeta::kWatched | PacketMeta::kTunnelled);
        meta = kFreshMeta;
        meta.in_port = in_port;
        meta.watch_id = watch_id;
        meta.flags = flags;
    }
    // From here on the frame belongs to the sub-interface; false: there is none.
    static bool find_sub_interface(const Packet& packet, PacketMeta& meta,
                                   WorkerContext& context) noexcept {
        if (meta.has(PacketMeta::kLocalOrigin)) return true;  // tags of the kernel's own
        const PortId port =
            context.policy->vlans.find(meta.in_port, meta.vlan_outer, meta.vlan_inner,
                                       packet.at<net::Ethernet>(0)->type.host() == net::kEtherQinq);
        if (port == kNoPort) return false;
        if (port == meta.in_port) return true;  // a priority
        meta.in_port = port;
        if (context.dry_run) return true;
        context.counters.add(port_counter(port, kRxPackets));
        context.counters.add(port_counter(port, kRxBytes), packet.length());
        return true;
    }
    static net::ParseInput input_for(const PacketMeta& meta,
                                     const PolicySnapshot& snapshot) noexcept {
        net::ParseInput input{.router = snapshot.mode == PolicySnapshot::Mode::kRouter};
        if (meta.in_port < snapshot.ports.size())
            input.port_mac = &snapshot.ports[meta.in_port].mac;
        return input;
    }
    // Ethernet padding would leak onto the next link, and is counted by nobody. A wire leaves it.
    static void trim_padding(const Packet& packet, const PacketMeta& meta) noexcept {
        const uint32_t end = meta.l3_offset + meta.l3_total;
        if (packet.length() == end) return;
        rte_mbuf* frame = packet.frame();
        const uint32_t extra = packet.length() - end;
        if (extra <= rte_pktmbuf_lastseg(frame)->data_len)
            rte_pktmbuf_trim(frame, static_cast<uint16_t>(extra));
    }
    static ParseDrop checksums(const Packet& packet, const PacketMeta& meta,
                               const ParsePolicy& policy, Tally& tally) noexcept {
        constexpr uint64_t kUpperMask = RTE_MBUF_F_RX_L4_CKSUM_MASK;
        const bool vouched = (packet.frame()->ol_flags & kUpperMask) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        const bool look = policy.complete == Completion::kAlways ||
                          (policy.complete == Completion::kAuto && !vouched);
        if (look && net::may_be_left_to_nic(packet, meta) && net::complete_checksum(packet, meta)) {
            ++tally.completed;
            return ParseDrop::kNone;
        }
        if (!policy.verify || vouched || net::upper_checksum_holds(packet, meta))
            return ParseDrop::kNone;
        return may_lack_checksum(packet, meta, policy) ? ParseDrop::kNone
                                                       : ParseDrop::kBadL4Checksum;
    }
    static bool may_lack_checksum(const Packet& packet, const PacketMeta& meta,
                                  const ParsePolicy& policy) noexcept {
        return meta.protocol == net::kUdp && meta.has(PacketMeta::kPorts) &&
               std::ranges::find(policy.unsummed, meta.destination_port) != policy.unsummed.end() &&
               net::lacks_checksum(packet, meta);
    }
};

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Parse>(); }

constexpr StageDecl kStage{
    .name = "parse",
    .help = "Reads and checks the headers of each frame.",
    .schema = &kSchema,
    .drops = net::kParseDrops,
    .counters = kCounters,
    .compile = compile,
    .create = create,
    .repeats =
        [](const StagePolicy& policy) { return !static_cast<const ParsePolicy&>(policy).verify; },
    .express =
        [](const StagePolicy& policy) { return !static_cast<const ParsePolicy&>(policy).verify; }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
