// SPDX-License-Identifier: Apache-2.0
// vxlan: the receiving end of VXLAN tunnels (RFC 7348). A UDP packet to the local address of a port
// with `vxlan`, from one of its remotes and with its VNI, is opened; the frame inside then comes in
// by that port, from the first stage on: parsed, steered by its own flow, routed and judged. The
// outer packet was judged before, as one for the box itself. Router mode, behind firewall.
//
// What leaves by such a port is wrapped where it is sent (Transmitter), and the outer packet runs
// through the pipeline as one of the box's own. Tunnels in tunnels end here. When a router says
// that an outer packet was too big, what the path carries is remembered (vxlan_mtu.h), and rewrite
// tells the sender of the next inner packet that is.
//
// Config: none. Drops: as listed. Cost: a compare a packet; opening one a few dozen nanoseconds.
#include <algorithm>
#include <array>
#include <vector>

#include "dataplane/engine_counters.h"
#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "pipelines/net/decapsulate.h"
#include "pipelines/stages/vxlan_mtu.h"

namespace ravelin {
namespace {

using config::Schema;
using net::Decapsulation;

constexpr Schema kSchema{"stage vxlan", "Opens what comes by VXLAN tunnels.", {}};

enum Drop : unsigned {
    kMalformed,
    kUnknownVni,
    kUnknownRemote,
    kNoChecksum,
    kCongestion,
    kNested,
    kBadMtu
};
constexpr std::array<CounterDecl, 7> kDrops{{
    {"malformed",
     "Packets to a VXLAN port without a VXLAN header that names a VNI, or without a whole "
     "Ethernet header behind it."},
    {"unknown_vni", "VXLAN packets with a VNI that no port with their local address has."},
    {"unknown_remote", "VXLAN packets from an address that is not among the port's remotes."},
    {"no_checksum", "VXLAN packets over IPv6 without UDP checksum; zero-checksum allows them."},
    {"congestion",
     "VXLAN packets marked as having met congestion, whose inner sender could not be told (RFC "
     "6040 "
     "section 4.2)."},
    {"nested", "Tunnels in tunnels."},
    {"bad_mtu",
     "ICMP errors saying that an outer packet was too big, with an MTU that it did not exceed, "
     "below 1,280 bytes in IPv6, or about a packet that may be cut."},
}};
enum Counter : unsigned { kOpened, kToldTooBig };
constexpr std::array<CounterDecl, 2> kCounters{{
    {"opened", "VXLAN packets opened."},
    {"told_too_big", "ICMP errors that told what the path to a remote end carries."},
}};

struct VxlanPolicy final : TunnelPolicy {
    struct End {
        PortId port;
        VxlanEnd end;
    };
    std::vector<End> ends;
};

class VxlanStage final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& p = static_cast<const VxlanPolicy&>(policy);
        const auto& ends = p.ends;
        if (ends.empty()) return;
        unsigned opened = 0;
        for (unsigned i = 0; i < burst.count; ++i) {
            const PacketMeta& meta = burst.meta[i];
            if (!burst.live(i)) continue;
            if (meta.out_port != kLocalPort) {
                if (meta.has(PacketMeta::kTunnelled) && goes_round(meta, context))
                    burst.drop(i, drop(kNested));
                continue;
            }
            if (meta.has(PacketMeta::kIcmpError) && !meta.has(PacketMeta::kLocalOrigin)) {
                listen(burst, i, *p.mtus, context);
                continue;
            }
            const bool datagram = meta.protocol == net::kUdp && meta.has(PacketMeta::kPorts) &&
                                  !meta.has(PacketMeta::kFragment | PacketMeta::kLocalOrigin);
            if (datagram && is_ours(meta, ends)) opened += open(burst, i, ends, context);
        }
        if (opened != 0) context.counters.add(counter(kOpened), opened);
    }

  private:
    // An outer packet of this box whose route leads into a tunnel again.
    static bool goes_round(const PacketMeta& meta, const WorkerContext& context) {
        const auto& ports = context.policy->ports;
        return meta.has(PacketMeta::kLocalOrigin) && meta.out_port < ports.size() &&
               ports[meta.out_port].vxlan.has_value();
    }
    // Other errors about outer packets are left to who comes next: they ask nothing of a tunnel.
    void listen(Burst& burst, unsigned i, TunnelMtus& mtus, WorkerContext& context) {
        const auto told = read_too_big(burst.packet(i), burst.meta[i], context.policy->ports);
        if (!told) return;
        if (told->mtu == 0) return burst.drop(i, drop(kBadMtu));
        if (context.dry_run) return burst.consume(i);
        mtus.lower(told->local, told->remote, told->mtu, context.now);
        context.counters.add(counter(kToldTooBig));
        rte_pktmbuf_free(burst.frames[i]);
        burst.consume(i);
    }
    static bool is_ours(const PacketMeta& meta, const std::vector<VxlanPolicy::End>& ends) {
        return std::ranges::any_of(ends, [&](const VxlanPolicy::End& e) {
            return e.end.udp_port == meta.destination_port && e.end.local == meta.destination;
        });
    }
    unsigned open(Burst& burst, unsigned i, const std::vector<VxlanPolicy::End>& ends,
                  WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        if (meta.has(PacketMeta::kTunnelled)) return burst.drop(i, drop(kNested)), 0;
        const auto vni = net::vni_of(burst.packet(i), meta);
        if (!vni) return burst.drop(i, drop(kMalformed)), 0;
        const auto to = std::ranges::find_if(ends, [&](const VxlanPolicy::End& e) {
            return e.end.vni == *vni && e.end.local == meta.destination &&
                   e.end.udp_port == meta.destination_port;
        });
        if (to == ends.end()) return burst.drop(i, drop(kUnknownVni)), 0;
        if (std::ranges::find(to->end.remotes, meta.source) == to->end.remotes.end())
            return burst.drop(i, drop(kUnknownRemote)), 0;
        if (!to->end.zero_checksum && net::lacks_checksum(burst.packet(i), meta))
            return burst.drop(i, drop(kNoChecksum)), 0;
        if (context.dry_run) return burst.consume(i), 0;
        switch (net::decapsulate(burst.frames[i], meta)) {
            case Decapsulation::kMalformed:
                return burst.drop(i, drop(kMalformed)), 0;
            case Decapsulation::kCongestion:
                return burst.drop(i, drop(kCongestion)), 0;
            case Decapsulation::kDone:
                break;
        }
        const uint32_t bytes = rte_pktmbuf_pkt_len(burst.frames[i]);
        context.counters.add(port_counter(to->port, kRxPackets));
        context.counters.add(port_counter(to->port, kRxBytes), bytes);
        context.arrive(burst.frames[i], to->port);
        burst.consume(i);
        return 1;
    }
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node&, CompileContext& context) {
    if (context.snapshot.mode != PolicySnapshot::Mode::kRouter) return Error{"needs mode: router"};
    const auto stands = [&](std::string_view stage) {
        return std::ranges::any_of(context.snapshot.steps, [&](const auto& step) {
            return step.stage == StageRegistry::get().index(stage);
        });
    };
    if (!stands("route"))
        return Error{"found no route before it, expected that earlier in the pipeline"};
    if (stands("local")) return Error{"found local before it, expected that later in the pipeline"};
    auto policy = std::make_shared<VxlanPolicy>();
    const auto& ports = context.snapshot.ports;
    for (size_t p = 0; p < ports.size(); ++p)
        if (ports[p].vxlan) policy->ends.push_back({static_cast<PortId>(p), *ports[p].vxlan});
    const auto* before = static_cast<const VxlanPolicy*>(context.previous.get());
    policy->mtus =
        std::make_shared<TunnelMtus>(ports, before == nullptr ? nullptr : before->mtus.get());
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<VxlanStage>(); }

constexpr StageDecl kStage{.name = "vxlan",
                           .help = "Opens what comes by VXLAN tunnels.",
                           .schema = &kSchema,
                           .drops = kDrops,
                           .counters = kCounters,
                           .compile = compile,
                           .create = create,
                           .repeats = [](const StagePolicy&) { return true; },
                           .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
