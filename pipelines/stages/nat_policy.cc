// SPDX-License-Identifier: Apache-2.0
// Asking a NatPolicy. Building one: nat_compile.cc.
#include "pipelines/stages/nat_policy.h"

#include <algorithm>

#include "dataplane/flow.h"
#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "pipelines/stages/firewall_packet.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin::nat {
namespace {

ClassifierKey classifier_key(const Tuple& t, PortId out_port) noexcept {
    ClassifierKey key;
    key.source = IpAddress::v4(t.source);
    key.destination = IpAddress::v4(t.destination);
    if (t.ports) {
        key.source_port = t.source_port;
        key.destination_port = t.destination_port;
    }
    key.in_port = t.in_port;
    key.out_port = out_port;
    key.protocol = t.protocol;
    key.state = firewall::kStateNew;
    return key;
}

bool has_ports(uint8_t protocol) noexcept {
    return has_translated_ports(protocol) || protocol == net::kSctp;
}

}  // namespace

const CompiledRule NatPolicy::kAnyPort{.low = 1024, .high = 65535};

bool has_translated_ports(uint8_t protocol) noexcept {
    return protocol == net::kTcp || protocol == net::kUdp || protocol == net::kIcmp;
}

FlowKey Tuple::key(bool& swapped) const noexcept {
    return FlowKey::make(IpAddress::v4(source), IpAddress::v4(destination), source_port,
                         destination_port, protocol, 0, swapped);
}

Tuple tuple_of(const PacketMeta& m) noexcept {
    Tuple t{.source = m.source.v4_host(), .destination = m.destination.v4_host()};
    t.in_port = m.in_port;
    t.protocol = m.protocol;
    t.ports = m.has(PacketMeta::kPorts);
    if (t.ports) {
        t.source_port = m.source_port;
        t.destination_port = m.destination_port;
    }
    return t;
}

std::optional<Tuple> answered_by(const Packet& packet, const PacketMeta& meta) noexcept {
    const auto q = firewall::read_quoted(packet, meta);
    if (!q || !q->source.is_v4()) return std::nullopt;
    return Tuple{q->destination.v4_host(), q->source.v4_host(), q->destination_port,
                 q->source_port,           meta.in_port,        q->protocol,
                 has_ports(q->protocol)};
}

std::optional<End> NatPolicy::inner_destination(const Tuple& packet, uint32_t known,
                                                uint16_t* slot) const noexcept {
    if ((known & kRule) == 0) return std::nullopt;
    if ((known & kWhole) == 0 && packet.ports && !forwarded_[packet.destination_port])
        return std::nullopt;
    const uint32_t at = inbound_.match(classifier_key(packet, kNoPort));
    if (at == Classifier::kNoMatch) return std::nullopt;
    const CompiledRule& rule = rules_[inbound_rules_[at]];
    if (slot != nullptr) *slot = rule.slot;
    End end{rule.mapped(packet.destination), packet.destination_port};
    if (rule.low != 0 && packet.ports) {
        const auto offset = static_cast<uint16_t>(packet.destination_port - rule.first_port);
        end.port = rule.low == rule.high ? rule.low : static_cast<uint16_t>(rule.low + offset);
    }
    return end;
}

const CompiledRule* NatPolicy::source_rule(const Tuple& inner, PortId out_port) const noexcept {
    const uint32_t at = outbound_.match(classifier_key(inner, out_port));
    return at == Classifier::kNoMatch ? nullptr : &rules_[outbound_rules_[at]];
}

uint16_t NatPolicy::new_slot_of(uint16_t slot) const noexcept {
    const auto at =
        std::ranges::lower_bound(slots_, slot, {}, &std::pair<uint16_t, uint16_t>::first);
    return at != slots_.end() && at->first == slot ? at->second : CompiledRule::kNoSlot;
}

size_t NatPolicy::memory_bytes() const {
    size_t bytes = sizeof *this + inbound_.memory_bytes() + outbound_.memory_bytes() +
                   addresses_.memory_bytes() + rules_.capacity() * sizeof(CompiledRule) +
                   (inbound_rules_.capacity() + outbound_rules_.capacity() + slots_.capacity()) *
                       sizeof(uint32_t);
    for (const CompiledRule& rule : rules_) bytes += rule.pool.capacity() * sizeof(Prefix);
    return bytes;
}

const NatPolicy* policy_of(const PolicySnapshot& snapshot) noexcept {
    static const int stage = StageRegistry::get().index("nat");
    for (const PolicySnapshot::Step& step : snapshot.steps)
        if (step.stage == stage) return static_cast<const NatPolicy*>(step.policy.get());
    return nullptr;
}

}  // namespace ravelin::nat
