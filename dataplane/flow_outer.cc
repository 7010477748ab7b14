// SPDX-License-Identifier: Apache-2.0
// What flows have beside them. FlowTable's second way in: translated flows by the outer addresses
// that answers to them carry. Chains through the flows' own slots, as many heads as flows: about
// one step a lookup, and no room of its own that could run out.
#include <atomic>

#include "dataplane/flow_table.h"

namespace ravelin {
namespace {

constexpr uint8_t kIcmp = 1, kTcp = 6;

}  // namespace

FlowKey FlowTable::outer_key(const Flow& flow) const noexcept {
    const FlowTranslation& t = translation(flow);
    const bool second = (flow.flags & kFlowOriginatorSecond) != 0;
    const IpAddress& responder = second ? flow.key.first : flow.key.second;
    const uint16_t own_port = second ? flow.key.first_port : flow.key.second_port;
    // Echo: one identifier stands for both ports.
    const uint16_t responder_port = flow.key.protocol == kIcmp ? t.source_port : own_port;
    bool swapped = false;
    return FlowKey::make(responder, IpAddress::v4(t.source), responder_port, t.source_port,
                         flow.key.protocol, flow.key.zone, swapped);
}

void FlowTable::translate(Flow& flow, const FlowTranslation& to) noexcept {
    outer_[index_of(flow)].translation = to;
    // Killed before the flag: a flow that is not translated, and not tracked yet either.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    flow.flags |= kFlowTranslated;
    outer_link(flow);
}

void FlowTable::put_proxy(Flow& flow, const FlowProxy& proxy) noexcept {
    proxies_[index_of(flow)] = proxy;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    flow.flags |= kFlowProxied;
}

bool FlowTable::valid_proxy(const Flow& flow) const noexcept {
    if ((flow.flags & kFlowProxied) == 0) return true;
    const FlowProxy& p = proxies_[index_of(flow)];
    return flow.key.protocol == kTcp && p.announced_scale <= kMaxWindowScale &&
           p.responder_scale <= kMaxWindowScale && p.originator_scale <= kMaxWindowScale;
}

Flow* FlowTable::find_outer(const FlowKey& key, uint32_t hash) const noexcept {
    for (uint32_t at = outer_head(hash); at != capacity_; at = outer_[at].next)
        if (outer_key(flows_[at]) == key) return flows_ + at;
    return nullptr;
}

void FlowTable::outer_link(const Flow& flow) noexcept {
    const uint32_t index = index_of(flow);
    if (outer_[index].translation.source == 0) return;
    uint32_t& head = outer_head(outer_key(flow).hash());
    outer_[index].next = head;
    head = index;
}

void FlowTable::outer_unlink(const Flow& flow) noexcept {
    const uint32_t index = index_of(flow);
    if (outer_[index].translation.source == 0) return;
    uint32_t* at = &outer_head(outer_key(flow).hash());
    while (*at != index && *at != capacity_) at = &outer_[*at].next;
    if (*at == index) *at = outer_[index].next;
}

bool FlowTable::adopt_translation(const Flow& flow) noexcept {
    if ((flow.flags & kFlowTranslated) == 0) return true;
    const FlowTranslation& t = translation(flow);
    if ((t.source | t.destination) == 0 || !flow.key.first.is_v4() || !flow.key.second.is_v4())
        return false;
    if (t.source != 0) {
        const FlowKey key = outer_key(flow);
        if (find_outer(key, key.hash()) != nullptr) return false;
    }
    outer_link(flow);
    return true;
}

}  // namespace ravelin
