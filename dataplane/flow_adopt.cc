// SPDX-License-Identifier: Apache-2.0
// Laying out a FlowTable, and taking over the one a killed process left behind. Not on the path.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "dataplane/flow_table.h"

namespace ravelin {
namespace {

constexpr uint64_t kMagic = 0x776f6c666e766172;  // "ravnflow"
constexpr uint32_t kVersion = 9;
constexpr int32_t kClockSlackMs = 1000;  // last_seen may run ahead of now: cached clocks

bool valid_state(const Flow& flow) noexcept {
    if (flow.state > kLastFlowState) return false;
    if (flow.state == FlowState::none) return true;
    const bool tcp_state = flow.state < FlowState::request;
    return tcp_state == (flow.key.protocol == 6);
}

}  // namespace

FlowTable::FlowTable(void* memory, uint32_t capacity, uint32_t now_ms) noexcept
    : header_(static_cast<Header*>(memory)),
      capacity_(capacity),
      bucket_count_(home_buckets(capacity)),
      wheel_ms_(now_ms / kTickMs * kTickMs) {
    auto* at = static_cast<unsigned char*>(memory) + sizeof(Header);
    flows_ = reinterpret_cast<Flow*>(at);
    at += sizeof(Flow) * capacity;
    marks_ = reinterpret_cast<uint32_t*>(at);
    at += mark_bytes(capacity);
    outer_ = reinterpret_cast<Outer*>(at);
    at += outer_bytes(capacity);
    proxies_ = reinterpret_cast<FlowProxy*>(at);
    at += proxy_bytes(capacity);
    buckets_ = reinterpret_cast<Bucket*>(at);
    at += sizeof(Bucket) * (bucket_count_ + overflow_buckets(capacity));
    wheel_ = reinterpret_cast<Link*>(at);
    at += sizeof(Link) * (size_t{capacity} + kWheelSlots);
    unproven_ = reinterpret_cast<Link*>(at);
    at += sizeof(Link) * (size_t{capacity} + 1);
    outer_heads_ = reinterpret_cast<uint32_t*>(at);
}

size_t FlowTable::bytes_for(uint32_t capacity) noexcept {
    const size_t flows = capacity;
    const size_t buckets = size_t{home_buckets(capacity)} + overflow_buckets(capacity);
    const size_t links = flows + kWheelSlots + flows + 1;
    return whole_lines(sizeof(Header) + flows * sizeof(Flow) + mark_bytes(capacity) +
                       outer_bytes(capacity) + proxy_bytes(capacity) + buckets * sizeof(Bucket) +
                       links * sizeof(Link) + flows * sizeof(uint32_t));
}

Status FlowTable::check_memory(const void* memory, size_t bytes, uint32_t capacity) {
    if (capacity == 0 || capacity > kMaxCapacity)
        return Error{"flow table: capacity " + std::to_string(capacity) + ", expected 1 to " +
                     std::to_string(kMaxCapacity)};
    if (memory == nullptr || reinterpret_cast<uintptr_t>(memory) % 64 != 0)
        return Error{"flow table: memory is not aligned to 64 bytes"};
    if (bytes < bytes_for(capacity))
        return Error{"flow table: " + std::to_string(bytes) + " bytes, expected at least " +
                     std::to_string(bytes_for(capacity)) + " for " + std::to_string(capacity) +
                     " flows"};
    return ok_status();
}

FlowTable::Header FlowTable::make_header(uint32_t capacity, uint64_t boot_tag) noexcept {
    Header h{};
    h.magic = kMagic;
    h.version = kVersion;
    h.flow_bytes = sizeof(Flow);
    h.capacity = capacity;
    h.states = static_cast<uint32_t>(kLastFlowState);
    h.boot_tag = boot_tag;
    h.total_bytes = bytes_for(capacity);
    h.checksum = uint64_t{crc32c(&h, offsetof(Header, checksum), ~0u)} + 1;
    return h;
}

Result<FlowTable> FlowTable::create(void* memory, size_t bytes, uint32_t capacity,
                                    uint64_t boot_tag, uint32_t now_ms) {
    if (auto status = check_memory(memory, bytes, capacity); !status) return status.error();
    FlowTable table(memory, capacity, now_ms);
    // Killed half way: no valid header, hence nothing to adopt.
    std::atomic_ref(table.header_->checksum).store(0, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::fill_n(table.marks_, capacity, 0u);
    std::fill_n(table.flows_, capacity, Flow{});
    std::fill_n(table.outer_, capacity, Outer{});
    std::fill_n(table.proxies_, capacity, FlowProxy{});
    table.reset_indexes();
    for (uint32_t i = capacity; i-- > 0;) {
        table.wheel_[i].next = table.free_flow_;
        table.free_flow_ = i;
    }
    Header header = make_header(capacity, boot_tag);
    const uint64_t checksum = header.checksum;
    header.checksum = 0;
    *table.header_ = header;
    std::atomic_ref(table.header_->checksum).store(checksum, std::memory_order_release);
    return table;
}

// Empty buckets, an empty wheel, nobody unproven, no free flows.
void FlowTable::reset_indexes() noexcept {
    const uint32_t buckets = bucket_count_ + overflow_buckets(capacity_);
    std::fill_n(buckets_, buckets, Bucket{});
    free_bucket_ = 0;
    for (uint32_t i = buckets; i-- > bucket_count_;) {
        buckets_[i].next = free_bucket_;
        free_bucket_ = i;
    }
    std::fill_n(wheel_, capacity_, Link{0, 0});
    for (uint32_t head = capacity_; head < capacity_ + kWheelSlots; ++head)
        wheel_[head] = {head, head};
    std::fill_n(unproven_, capacity_, Link{0, 0});
    unproven_[capacity_] = {capacity_, capacity_};
    std::fill_n(outer_heads_, capacity_, capacity_);
    free_flow_ = capacity_;
    size_ = unproven_count_ = 0;
}

Result<FlowTable> FlowTable::adopt(void* memory, size_t bytes, uint32_t capacity, uint64_t boot_tag,
                                   uint32_t now_ms, AdoptReport& report) {
    report = {};
    if (auto status = check_memory(memory, bytes, capacity); !status) return status.error();
    const Header found = *static_cast<const Header*>(memory);
    if (found.magic != kMagic) return Error{"flow table: no table here (magic number)"};
    if (found.checksum != uint64_t{crc32c(&found, offsetof(Header, checksum), ~0u)} + 1)
        return Error{"flow table: header is damaged or was never finished"};
    if (found.version != kVersion)
        return Error{"flow table: version " + std::to_string(found.version) + ", expected " +
                     std::to_string(kVersion)};
    if (found.boot_tag != boot_tag) return Error{"flow table: from another boot"};
    if (found.capacity != capacity)
        return Error{"flow table: capacity " + std::to_string(found.capacity) + ", expected " +
                     std::to_string(capacity)};
    if (found.checksum != make_header(capacity, boot_tag).checksum)
        return Error{"flow table: another memory layout"};
    FlowTable table(memory, capacity, now_ms);
    table.reset_indexes();
    table.adopt_flows(now_ms, report);
    return table;
}

bool FlowTable::valid(const Flow& flow, uint32_t index, uint32_t now_ms) const noexcept {
    return marks_[index] == flow_mark(flow.key, index) && flow.key.spare == 0 &&
           flow.key.is_canonical() && valid_state(flow) &&
           ((flow.tcp_flags[0] | flow.tcp_flags[1]) & ~kTcpSideFlagMask) == 0 &&
           flow.window_scale[0] <= kMaxWindowScale && flow.window_scale[1] <= kMaxWindowScale &&
           flow.timeout_ms <= kMaxTimeoutMs &&
           static_cast<int32_t>(now_ms - flow.last_seen_ms) >= -kClockSlackMs;
}

void FlowTable::adopt_flows(uint32_t now_ms, AdoptReport& report) {
    std::vector<uint64_t> waiting;  // age << 32 | slot of unproven flows
    constexpr uint32_t kAhead = 16;
    for (uint32_t i = capacity_; i-- > 0;) {
        Flow& flow = flows_[i];
        const uint32_t hash = flow.key.hash();
        if (i >= kAhead) __builtin_prefetch(&home(flows_[i - kAhead].key.hash()), 1);
        uint32_t* dropped = nullptr;
        if (marks_[i] != 0) {
            if (!valid(flow, i, now_ms))
                dropped = &report.invalid;
            else if (flow.expired(now_ms))
                dropped = &report.expired;
            else if (find(flow.key, hash) != nullptr)
                dropped = &report.duplicate;
            else if (!valid_proxy(flow) || !adopt_translation(flow))
                dropped = &report.invalid;
        }
        if (marks_[i] == 0 || dropped != nullptr) {
            if (dropped != nullptr) ++*dropped;
            marks_[i] = 0;
            wheel_[i].next = free_flow_;
            free_flow_ = i;
            continue;
        }
        flow.ways = {};
        // Ids do not outlive a process: core's, until it is judged again.
        flow.principal = static_cast<uint16_t>(index(sched::kCorePrincipal));
        bucket_add(hash, i);
        arm(i);
        ++size_;
        ++report.adopted;
        // Slack keeps a flow seen ahead of `now` the youngest.
        const uint32_t age = now_ms - flow.last_seen_ms + static_cast<uint32_t>(kClockSlackMs);
        if (!flow.proven()) waiting.push_back(uint64_t{age} << 32 | i);
    }
    std::sort(waiting.begin(), waiting.end(), std::greater<>());
    for (const uint64_t w : waiting) link_last(unproven_, capacity_, static_cast<uint32_t>(w));
    unproven_count_ = static_cast<uint32_t>(waiting.size());
}

}  // namespace ravelin
