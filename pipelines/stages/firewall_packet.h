// SPDX-License-Identifier: Apache-2.0
// What the firewall reads from a packet: its flow's key, its TCP segment, and the packet that an
// ICMP error quotes. Nothing here changes anything.
#pragma once
#include <optional>

#include "dataplane/flow.h"
#include "dataplane/net/headers.h"
#include "dataplane/packet.h"
#include "dataplane/tcp_tracker.h"
#include "pipelines/tables/classifier.h"

namespace ravelin::firewall {

/// In place of what CutTrees say of a packet.
inline constexpr uint32_t kNotAsked = Classifier::kNoMatch - 1;

/// One IP packet on its way through the firewall.
struct Subject {
    Packet packet;
    PacketMeta* meta;
    FlowKey key{};  ///< of its own flow; of an ICMP error: the quoted packet's
    uint32_t hash = 0;
    bool swapped = false;
    const FlowTranslation* translation = nullptr;  ///< of its flow, if it is translated
    FlowProxy* proxy = nullptr;                    ///< of its flow, if the SYN proxy opened it
    bool created = false;                          ///< it has opened a flow
    uint32_t first = kNotAsked;                    ///< RuleKey::first of it as a new packet
};

/// Equal addresses on two wires or in two VLANs are two flows. Router mode: 0, since the answer may
/// come in by another port; wire mode: mixed from VLAN ids and the pair, 0 for the first, untagged.
uint16_t zone_of(const PacketMeta& meta, PortId peer) noexcept;

/// Makes the key of a packet by its own addresses and returns its hash; `swapped` as
/// FlowKey::make tells it.
inline uint32_t key_of(const PacketMeta& m, uint16_t zone, FlowKey& key, bool& swapped) noexcept {
    const bool ports = m.has(PacketMeta::kPorts | PacketMeta::kEcho);
    FlowKey::make(key, m.source, m.destination, ports ? m.source_port : uint16_t{0},
                  ports ? m.destination_port : uint16_t{0}, m.protocol, zone, swapped);
    // Steering hashes without zone, and a fragment perhaps before its ports were known.
    const bool same = m.has(PacketMeta::kHashed) && zone == 0 && !m.has(PacketMeta::kFragment);
    return same ? m.hash : key.hash();
}

/// Fills in what a SYN's options say. False if they are cut short.
bool read_syn_options(const Packet& packet, const PacketMeta& meta, TcpSegment& segment) noexcept;
/// The TCP header at l4_offset, with the options the tracker needs. False if it is cut short.
inline bool read_segment(const Packet& packet, const PacketMeta& meta,
                         TcpSegment& segment) noexcept {
    const auto* tcp = packet.at<net::Tcp>(meta.l4_offset);
    if (tcp == nullptr || tcp->header_length() < sizeof(net::Tcp)) return false;
    segment.seq = tcp->sequence.host();
    segment.ack = tcp->acknowledgement.host();
    segment.payload_len = meta.payload_length;
    segment.window = tcp->window.host();
    segment.flags = tcp->flags;
    return !segment.has(kTcpSyn) ||
           read_syn_options(packet, meta, segment);  // only there they matter
}

/// The packet that an ICMP error is about, as far as errors must quote it (RFC 792, RFC 4443).
struct Quoted {
    IpAddress source, destination;
    uint16_t source_port = 0, destination_port = 0;
    uint32_t sequence = 0;   ///< TCP
    uint32_t l4_offset = 0;  ///< of its transport header, in the frame
    uint8_t protocol = 0;
};
/// Nothing if it is no IP packet of the error's family, a later fragment, or cut within the first
/// 8 bytes of its payload.
std::optional<Quoted> read_quoted(const Packet& packet, const PacketMeta& meta) noexcept;
/// Fills key, hash and swapped with those of the quoted packet.
void find_key(Subject& subject, const Quoted& quoted, uint16_t zone) noexcept;

/// Whether the flow has such a packet under way from `direction`. For TCP the sequence number must
/// be one that is not acknowledged for more than a window (RFC 5927 section 4.1): whoever forges
/// an error without seeing the connection has to guess it.
bool has_under_way(const Flow& flow, Direction direction, const Quoted& quoted) noexcept;

/// What rules match a packet by: the classifier's dimensions, and the packet for the rest.
struct RuleKey : ClassifierKey {
    /// Null: the first packet of a flow, of which no more is known than the flow remembers.
    const PacketMeta* packet = nullptr;
    uint32_t first = kNotAsked;  ///< what trees say of it, where they were asked
};
RuleKey classifier_key(const PacketMeta& meta, uint8_t state) noexcept;
/// The same for the first packet of a flow, as far as the flow remembers it.
RuleKey classifier_key(const Flow& flow) noexcept;

}  // namespace ravelin::firewall
