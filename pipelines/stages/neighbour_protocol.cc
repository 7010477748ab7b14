// SPDX-License-Identifier: Apache-2.0
// Reading ARP and neighbour discovery: what is believed, what is answered.
#include "pipelines/stages/neighbour_protocol.h"

#include <cstring>
#include <optional>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"
#include "pipelines/net/icmp_error.h"
#include "pipelines/stages/nat_policy.h"
#include "pipelines/stages/neighbour.h"
#include "pipelines/stages/neighbour_messages.h"

namespace ravelin {
namespace {

using State = NeighbourState;

// A neighbour must be on the link; else a stranger could have traffic sent to a MAC of his choice.
bool on_link(const PortPolicy& port, const IpAddress& a) {
    if (!a.is_v4() && a.is_link_local()) return true;
    for (const Prefix& own : port.addresses) {
        const bool edge = own.is_v4() && own.length < 31 && (a == own.first() || a == own.last());
        if (own.contains(a) && !edge) return true;
    }
    return false;
}

// Whether `nat` has this address outside, on the port's own network: nobody else answers for it.
bool translates(const PolicySnapshot& policy, const PortPolicy& port, const IpAddress& a) {
    const nat::NatPolicy* nat = nat::policy_of(policy);
    return nat != nullptr && (nat->known(a.v4_host()) & nat::NatPolicy::kPublic) != 0 &&
           on_link(port, a);
}

bool usable(const MacAddress& mac) { return !mac.is_multicast() && mac != MacAddress{}; }

void set_and_send(uint32_t slot, const MacAddress& mac, State state, WorkerContext& context) {
    context.neighbours->set(slot, mac, state, context.now.ms);
    send_held(slot, context);
}

// The sender said by itself where it is: believed, to be verified when used (RFC 4861, 7.2.3).
void learn_stale(PortId port, const IpAddress& a, const MacAddress& mac, bool create,
                 WorkerContext& context) {
    NeighbourTable& table = *context.neighbours;
    const uint32_t slot = table.find(port, a);
    if (slot == NeighbourTable::kNoSlot) {
        if (create) table.insert(port, a, mac, State::kStale, context.now.ms);
        return;
    }
    const NeighbourView known = table.at(slot);
    if (known.state == State::kPermanent) return;
    const bool unknown = known.state == State::kIncomplete || known.state == State::kFailed;
    if (unknown || known.mac != mac) set_and_send(slot, mac, State::kStale, context);
}

// An ARP reply to a request of ours proves that both directions work.
void learn_reachable(PortId port, const IpAddress& a, const MacAddress& mac,
                     WorkerContext& context) {
    const uint32_t slot = context.neighbours->find(port, a);
    if (slot == NeighbourTable::kNoSlot) return;
    if (context.neighbours->at(slot).state != State::kPermanent)
        set_and_send(slot, mac, State::kReachable, context);
}

// RFC 4861 section 7.2.5.
void advertised(PortId port, const IpAddress& a, const MacAddress* mac, uint32_t flags,
                WorkerContext& context) {
    NeighbourTable& table = *context.neighbours;
    const uint32_t slot = table.find(port, a);
    if (slot == NeighbourTable::kNoSlot) return;
    const NeighbourView known = table.at(slot);
    if (known.state == State::kPermanent) return;
    const bool solicited = (flags & kSolicitedFlag) != 0;
    if (known.state == State::kIncomplete || known.state == State::kFailed) {
        if (mac != nullptr)
            set_and_send(slot, *mac, solicited ? State::kReachable : State::kStale, context);
        return;
    }
    const bool differs = mac != nullptr && *mac != known.mac;
    if (differs && (flags & kOverrideFlag) == 0) {
        if (known.state == State::kReachable) table.set(slot, State::kStale, context.now.ms);
        return;
    }
    const MacAddress& now = differs ? *mac : known.mac;
    if (solicited)
        table.set(slot, now, State::kReachable, context.now.ms);
    else if (differs)
        table.set(slot, now, State::kStale, context.now.ms);
}

// The link-layer option `wanted`; false if any option is malformed (RFC 4861 section 7.1).
bool read_option(const uint8_t* at, uint32_t length, uint8_t wanted,
                 std::optional<MacAddress>& mac) {
    while (length != 0) {
        const uint32_t size = length < 2 ? 0 : at[1] * 8u;
        if (size == 0 || size > length) return false;
        if (at[0] == wanted) {
            if (size != 8) return false;
            mac.emplace();
            std::memcpy(mac->bytes.data(), at + 2, 6);
            if (!usable(*mac)) return false;
        }
        at += size;
        length -= size;
    }
    return true;
}

NeighbourDrop solicited_by(const PacketMeta& meta, const IpAddress& target,
                           const std::optional<MacAddress>& mac, const MacAddress& from,
                           WorkerContext& context) {
    const PortPolicy& port = context.policy->ports[meta.in_port];
    const bool probe = meta.source.is_unspecified();  // duplicate address detection, RFC 4862 5.4.3
    if (probe && (mac.has_value() || meta.destination != solicited_node(target)))
        return NeighbourDrop::kBadNd;
    if (!owns(port, target)) return NeighbourDrop::kNotOurs;
    if (probe) {
        send_nd({kAdvertisement, kRouterFlag | kOverrideFlag, group_mac(all_nodes()), target,
                 all_nodes(), target},
                meta.in_port, context);
        return NeighbourDrop::kHandled;
    }
    if (owns(port, meta.source)) return NeighbourDrop::kConflict;
    if (!on_link(port, meta.source)) return NeighbourDrop::kOffLink;
    if (mac)
        learn_stale(meta.in_port, meta.source, *mac, true, context);
    else if (meta.destination.is_multicast())
        return NeighbourDrop::kBadNd;  // 4.3: MUST be included
    send_nd({kAdvertisement, kRouterFlag | kSolicitedFlag | kOverrideFlag, mac.value_or(from),
             target, meta.source, target},
            meta.in_port, context);
    return NeighbourDrop::kHandled;
}

NeighbourDrop answered_by(const PacketMeta& meta, const IpAddress& target, const MacAddress* mac,
                          uint32_t flags, WorkerContext& context) {
    const PortPolicy& port = context.policy->ports[meta.in_port];
    if (meta.destination.is_multicast() && (flags & kSolicitedFlag) != 0)
        return NeighbourDrop::kBadNd;
    if (owns(port, target)) return NeighbourDrop::kConflict;
    if (!on_link(port, target)) return NeighbourDrop::kOffLink;
    advertised(meta.in_port, target, mac, flags, context);
    return NeighbourDrop::kHandled;
}

}  // namespace

NeighbourDrop take_arp(const Packet& packet, const PacketMeta& meta,
                       WorkerContext& context) noexcept {
    const auto* arp = packet.at<net::Arp>(meta.l3_offset);
    if (arp == nullptr || arp->hardware.host() != 1 || arp->protocol.host() != net::kEtherIpv4 ||
        arp->hardware_length != 6 || arp->protocol_length != 4)
        return NeighbourDrop::kBadArp;
    const uint16_t operation = arp->operation.host();
    const IpAddress sender = IpAddress::v4(arp->sender_ip.host()),
                    target = IpAddress::v4(arp->target_ip.host());
    const MacAddress mac = arp->sender_mac;
    const PortPolicy& port = context.policy->ports[meta.in_port];
    if ((operation != kArpRequest && operation != kArpReply) || !usable(mac) ||
        sender.is_multicast() || sender.is_loopback())
        return NeighbourDrop::kBadArp;
    if (mac == port.mac) return NeighbourDrop::kNotOurs;  // an echo of our own
    if (owns(port, sender)) return NeighbourDrop::kConflict;
    const bool ours = owns(port, target) || translates(*context.policy, port, target);
    if (sender.is_unspecified()) {  // RFC 5227 section 2.1.1: a probe; answered, nothing learned
        if (operation != kArpRequest || !ours) return NeighbourDrop::kNotOurs;
        send_arp({kArpReply, mac, target, sender, mac}, meta.in_port, context);
        return NeighbourDrop::kHandled;
    }
    if (!on_link(port, sender)) return NeighbourDrop::kOffLink;
    if (operation == kArpReply && ours) {
        learn_reachable(meta.in_port, sender, mac, context);
        return NeighbourDrop::kHandled;
    }
    // RFC 826: who asks for us will be talked to; what is said to others only updates.
    learn_stale(meta.in_port, sender, mac, ours, context);
    if (!ours) return sender == target ? NeighbourDrop::kHandled : NeighbourDrop::kNotOurs;
    send_arp({kArpReply, mac, target, sender, mac}, meta.in_port, context);
    return NeighbourDrop::kHandled;
}

NeighbourDrop take_nd(const Packet& packet, const PacketMeta& meta,
                      WorkerContext& context) noexcept {
    const uint32_t before = meta.l4_offset - uint32_t{meta.l3_offset};
    // Hop limit 255 keeps strangers out; fragments are refused by RFC 6980 section 5.
    if (meta.ttl != 255 || meta.icmp_code != 0 || meta.has(PacketMeta::kFragment) ||
        meta.l3_total < before)
        return NeighbourDrop::kBadNd;
    const uint32_t length = meta.l3_total - before;
    const uint8_t* bytes = packet.bytes(meta.l4_offset, length);
    if (bytes == nullptr ||
        net::checksum_finish(net::checksum_add(
            net::pseudo_header_sum(meta.source, meta.destination, net::kIcmpv6, length), bytes,
            length)) != be16())
        return NeighbourDrop::kBadNd;
    if (meta.icmp_type == kRouterSolicitation || meta.icmp_type == kRouterAdvertisement)
        return NeighbourDrop::kRouterMessage;
    if (meta.icmp_type == kRedirectMessage) return NeighbourDrop::kRedirect;
    const auto* message = packet.at<net::NeighbourMessage>(meta.l4_offset);
    const auto* ethernet = packet.at<net::Ethernet>(0);
    if (message == nullptr || length < sizeof *message || ethernet == nullptr)
        return NeighbourDrop::kBadNd;
    const IpAddress target = IpAddress::v6(message->target.data());
    const bool asks = meta.icmp_type == kSolicitation;
    std::optional<MacAddress> mac;
    if (target.is_multicast() || target.is_v4() ||
        !read_option(bytes + sizeof *message, length - static_cast<uint32_t>(sizeof *message),
                     asks ? kSourceLinkLayer : kTargetLinkLayer, mac))
        return NeighbourDrop::kBadNd;
    if (asks) return solicited_by(meta, target, mac, ethernet->source, context);
    return answered_by(meta, target, mac ? &*mac : nullptr, message->flags.host(), context);
}

bool is_for_kernel(const Packet& packet, const PacketMeta& meta, NeighbourDrop what,
                   const WorkerContext& context) noexcept {
    const auto& ports = context.policy->ports;
    if (meta.in_port >= ports.size() || ports[meta.in_port].tap.empty()) return false;
    const bool handled = what == NeighbourDrop::kHandled;
    if (meta.has(PacketMeta::kArp)) {
        const auto* arp = packet.at<net::Arp>(meta.l3_offset);
        return handled && arp != nullptr && arp->operation.host() == kArpReply;
    }
    if (meta.icmp_type == kRouterSolicitation) return what == NeighbourDrop::kRouterMessage;
    return handled && meta.icmp_type == kAdvertisement;
}

}  // namespace ravelin
