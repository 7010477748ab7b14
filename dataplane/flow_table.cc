// SPDX-License-Identifier: Apache-2.0
// The path side of FlowTable: lookup, insert, removal, expiry. Building it: flow_adopt.cc.
#include "dataplane/flow_table.h"

#include <algorithm>
#include <atomic>
#include <bit>

namespace ravelin {
unsigned FlowTable::Bucket::used() const noexcept {
    return static_cast<unsigned>(std::countr_zero(matching(0) | 1u << kBucketSlots));
}

void FlowTable::forget_some_ways() noexcept {
    constexpr uint32_t kCalls = 1u << 15;
    for (uint32_t n = capacity_ / kCalls + 1; n != 0; --n) {
        flows_[forgotten_].ways = {};
        if (++forgotten_ == capacity_) forgotten_ = 0;
    }
}

void FlowTable::find_burst(const FlowKey* keys, const uint32_t* hashes, Flow** out,
                           unsigned n) const noexcept {
    for (unsigned done = 0; done < n; done += kBurst) {
        const unsigned count = n - done < kBurst ? n - done : kBurst;
        for (unsigned i = 0; i < count; ++i) prefetch_bucket(hashes[done + i]);
        for (unsigned i = 0; i < count; ++i) {
            Flow* likely = candidate(hashes[done + i]);
            out[done + i] = likely;
            if (likely == nullptr) continue;
            __builtin_prefetch(likely, 1);
            __builtin_prefetch(&likely->tcp, 1);
        }
        for (unsigned i = 0; i < count; ++i) {
            const Flow* likely = out[done + i];
            if (likely == nullptr || !(likely->key == keys[done + i])) [[unlikely]]
                out[done + i] = find(keys[done + i], hashes[done + i]);
        }
    }
}

Flow* FlowTable::insert(const FlowKey& key, uint32_t hash, uint32_t now_ms) noexcept {
    if (free_flow_ == capacity_) {
        if (!shed()) {
            ++stats_.refused_full;
            return nullptr;
        }
    }
    const uint32_t index = free_flow_;
    free_flow_ = wheel_[index].next;
    Flow& flow = flows_[index];
    flow = Flow{};
    flow.key = key;
    flow.last_seen_ms = now_ms;
    flow.timeout_ms = kInitialTimeoutMs;
    // Killed before this line: a free flow. After: a whole one.
    std::atomic_ref(marks_[index]).store(flow_mark(key, index), std::memory_order_release);
    bucket_add(hash, index);
    arm(index);
    link_last(unproven_, capacity_, index);
    ++unproven_count_;
    ++size_;
    ++stats_.inserted;
    return &flow;
}

void FlowTable::remove(Flow& flow) noexcept {
    const uint32_t index = index_of(flow);
    if ((flow.flags & kFlowTranslated) != 0) outer_unlink(flow);
    if ((flow.flags & (kFlowCounted | kFlowBudgeted)) != 0)
        uncount(flow, kFlowCounted | kFlowBudgeted);
    if (sched::PrincipalId{flow.principal} != sched::kCorePrincipal)
        charge_to(flow, sched::kCorePrincipal);
    std::atomic_ref(marks_[index]).store(0, std::memory_order_relaxed);
    // SIGKILL falls between two instructions, so keeping the compiler in order is enough: nothing
    // of the slot's next owner is written before the mark is gone.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    bucket_remove(flow.key.hash(), index);
    unlink(wheel_, index);
    if (!flow.proven()) {
        unlink(unproven_, index);
        --unproven_count_;
    }
    wheel_[index].next = free_flow_;
    free_flow_ = index;
    --size_;
}

void FlowTable::prove(Flow& flow) noexcept {
    if (flow.proven()) return;
    if ((flow.flags & kFlowBudgeted) != 0) uncount(flow, kFlowBudgeted);
    flow.flags |= kFlowProven;
    unlink(unproven_, index_of(flow));
    --unproven_count_;
}

bool FlowTable::shed() noexcept {
    Flow* oldest = oldest_unproven();
    if (oldest == nullptr) return false;
    remove(*oldest);
    ++stats_.shed_unproven;
    return true;
}

Flow* FlowTable::oldest_unproven() const noexcept {
    const uint32_t oldest = unproven_[capacity_].next;
    return oldest == capacity_ ? nullptr : flows_ + oldest;
}

unsigned FlowTable::expire(uint32_t now_ms, unsigned budget) noexcept {
    unsigned count = 0;
    while (Flow* flow = next_expired(now_ms, budget)) {
        remove(*flow);
        ++stats_.expired;
        ++count;
    }
    return count;
}

Flow* FlowTable::next_expired(uint32_t now_ms, unsigned& budget) noexcept {
    // After a long pause every slot is due once, not once per lap.
    constexpr uint32_t kHorizon = kTickMs * (kWheelSlots - 1);
    if (static_cast<int32_t>(now_ms - wheel_ms_) > static_cast<int32_t>(kHorizon + kTickMs))
        wheel_ms_ = (now_ms - kHorizon) / kTickMs * kTickMs;
    for (; budget > 0; --budget) {
        const uint32_t head = capacity_ + wheel_ms_ / kTickMs % kWheelSlots;
        const uint32_t index = wheel_[head].next;
        if (index == head) {
            if (static_cast<int32_t>(now_ms - wheel_ms_) < static_cast<int32_t>(kTickMs))
                return nullptr;
            wheel_ms_ += kTickMs;
            continue;
        }
        if (flows_[index].expired(now_ms)) {
            --budget;
            return flows_ + index;
        }
        rearm(flows_[index]);  // touched since it was armed: its deadline lies in a later slot
    }
    return nullptr;
}

void FlowTable::bucket_add(uint32_t hash, uint32_t index) noexcept {
    Bucket* bucket = &home(hash);
    while (bucket->next != 0) bucket = buckets_ + bucket->next;
    unsigned slot = bucket->used();
    if (slot == kBucketSlots) {
        // There always is one: see the head of flow_table.h.
        bucket->next = free_bucket_;
        bucket = buckets_ + free_bucket_;
        free_bucket_ = bucket->next;
        *bucket = Bucket{};
        slot = 0;
    }
    bucket->tags[slot] = tag_of(hash);
    bucket->flow[slot] = index;
}

// The last slot of the chain fills the hole, so chains stay dense.
void FlowTable::bucket_remove(uint32_t hash, uint32_t index) noexcept {
    const uint8_t tag = tag_of(hash);
    Bucket* hole = nullptr;
    unsigned hole_slot = 0;
    Bucket* before = nullptr;
    Bucket* last = &home(hash);
    for (;; before = last, last = buckets_ + last->next) {
        for (unsigned m = hole == nullptr ? last->matching(tag) : 0; m != 0; m &= m - 1) {
            const auto slot = static_cast<unsigned>(std::countr_zero(m));
            if (last->flow[slot] != index) continue;
            hole = last;
            hole_slot = slot;
        }
        if (last->next == 0) break;
    }
    if (hole == nullptr) return;
    const unsigned tail = last->used() - 1;
    hole->tags[hole_slot] = last->tags[tail];
    hole->flow[hole_slot] = last->flow[tail];
    last->tags[tail] = 0;
    if (tail != 0 || before == nullptr) return;
    before->next = 0;
    last->next = free_bucket_;
    free_bucket_ = static_cast<uint32_t>(last - buckets_);
}

// Into the first slot whose time is at or after the deadline, at most one lap ahead.
void FlowTable::arm(uint32_t index) noexcept {
    const Flow& flow = flows_[index];
    const uint32_t deadline = flow.last_seen_ms + flow.timeout_ms + (kTickMs - 1);
    constexpr int32_t kFarthest = kWheelSlots - 1;
    auto ticks = static_cast<int32_t>(deadline - wheel_ms_) / static_cast<int32_t>(kTickMs);
    if (ticks < 1) ticks = 1;
    if (ticks > kFarthest) ticks = kFarthest;
    const uint32_t slot = (wheel_ms_ / kTickMs + static_cast<uint32_t>(ticks)) % kWheelSlots;
    link_last(wheel_, capacity_ + slot, index);
}

void FlowTable::rearm(Flow& flow) noexcept {
    unlink(wheel_, index_of(flow));
    arm(index_of(flow));
}

void FlowTable::link_last(Link* links, uint32_t head, uint32_t at) noexcept {
    const uint32_t last = links[head].previous;
    links[at] = {head, last};
    links[last].next = at;
    links[head].previous = at;
}

void FlowTable::unlink(Link* links, uint32_t at) noexcept {
    const Link link = links[at];
    links[link.previous].next = link.next;
    links[link.next].previous = link.previous;
}

}  // namespace ravelin
