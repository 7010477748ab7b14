// SPDX-License-Identifier: Apache-2.0
// Where the firewall and address translation meet: flows are kept by inner addresses, and each
// remembers its outer ones.
#include "pipelines/stages/firewall_judge.h"
#include "pipelines/stages/nat_source.h"

namespace ravelin::firewall {

bool Judge::translatable(const PacketMeta& meta) const noexcept {
    // The kernel's frames leave as it made them.
    return nat_ != nullptr && meta.has(PacketMeta::kIpv4) && !meta.has(PacketMeta::kFromKernel) &&
           meta.out_port < context_.policy->ports.size();
}

// Whether the packet came to the outer address that its flow has on that side. If so, it is to
// leave with the one of the other side; without this, whoever knows inner addresses could go past
// the translation.
bool Judge::agrees_translated(Subject& s, Direction d) const noexcept {
    PacketMeta& m = *s.meta;
    const bool translated = m.has(PacketMeta::kDestinationTranslated);
    const FlowTranslation& t = *s.translation;
    const bool original = d == Direction::originator;
    const uint32_t came_to = original ? t.destination : t.source;
    if (translated != (came_to != 0)) return false;
    const uint16_t port = original ? t.destination_port : t.source_port;
    if (translated && (m.nat_destination != came_to || m.nat_destination_port != port))
        return false;
    m.nat_source = original ? t.source : t.destination;
    m.nat_source_port = original ? t.source_port : t.destination_port;
    return true;
}

Outcome Judge::translate(const Subject& s, FlowTranslation& to) noexcept {
    if (nat_ == nullptr || !s.meta->has(PacketMeta::kIpv4) || s.meta->has(PacketMeta::kFromKernel))
        return Outcome::kPass;
    switch (nat::choose(*nat_, *s.meta, context_, to)) {
        case nat::Choice::kNone:
        case nat::Choice::kTranslated:
            return Outcome::kPass;
        case nat::Choice::kKeptPort:
            ++tally_.events[kPortsKept];
            return Outcome::kPass;
        case nat::Choice::kChangedPort:
            ++tally_.events[kPortsChanged];
            return Outcome::kPass;
        case nat::Choice::kNoPort:
            return Outcome::kPortsExhausted;
        case nat::Choice::kUnsupported:
            return Outcome::kNatUnsupported;
        case nat::Choice::kDoubtful:
            break;
    }
    return Outcome::kNatMismatch;
}

// A flow judged anew counts for the rules that translate it now.
bool Judge::translates_again(const Subject& s, const Flow& flow) noexcept {
    FlowTranslation again = *s.translation;
    if (!nat::still_holds(nat_, flow, again, *context_.policy)) return false;
    if (!context_.dry_run)
        flows_.put_translation_rules(flow, again.source_rule, again.destination_rule);
    return true;
}

void Judge::count_translated(const Subject& s, const FlowTranslation& t) noexcept {
    const uint32_t bytes = s.meta->l3_total;
    if (t.source_rule != FlowTranslation::kNoRule)
        tally_.sources.hit(t.source_rule, bytes, context_.counters);
    if (t.destination_rule != FlowTranslation::kNoRule && t.destination_rule != t.source_rule)
        tally_.destinations.hit(t.destination_rule, bytes, context_.counters);
}

void Judge::count_new(const FlowTranslation& t) const noexcept {
    for (const uint16_t rule : {t.source_rule, t.destination_rule}) {
        const uint16_t slot = nat_->new_slot_of(rule);
        if (slot == nat::CompiledRule::kNoSlot) continue;
        context_.counters.hit_rule(slot, 1, 0);
        if (t.source_rule == t.destination_rule) return;
    }
}

// Rules may accept packets without a flow. One to one needs none; the rest must not leave with an
// inner address.
Outcome Judge::without_flow(Subject& s, Outcome outcome) noexcept {
    PacketMeta& m = *s.meta;
    if (outcome != Outcome::kPass || s.created || !translatable(m)) return outcome;
    FlowTranslation to;
    if (nat::choose_stateless(*nat_, m, to) == nat::Choice::kUnsupported)
        return Outcome::kNatUnsupported;
    m.nat_source = to.source;
    m.nat_source_port = to.source_port;
    if (!m.has(PacketMeta::kIcmpError)) {
        if (m.has(PacketMeta::kDestinationTranslated)) {
            nat::Tuple outer = nat::tuple_of(m);
            outer.destination = m.nat_destination;
            if (outer.ports) outer.destination_port = m.nat_destination_port;
            (void)nat_->inner_destination(outer, nat_->known(outer.destination),
                                          &to.destination_rule);
        }
        count_translated(s, to);
        return outcome;
    }
    if (const auto quoted = nat::answered_by(s.packet, m)) m.nat_source_port = quoted->source_port;
    return outcome;
}

}  // namespace ravelin::firewall
