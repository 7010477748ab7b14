// SPDX-License-Identifier: Apache-2.0
#include "dataplane/watch.h"

#include <algorithm>

#include "dataplane/engine_counters.h"

namespace ravelin {

bool WatchSpec::decode(const std::vector<uint64_t>& packed, std::vector<bpf_insn>& filter) {
    filter.clear();
    for (const uint64_t word : packed)
        filter.push_back({static_cast<u_short>(word >> 48), static_cast<u_char>(word >> 40),
                          static_cast<u_char>(word >> 32), static_cast<bpf_u_int32>(word)});
    return filter.empty() || bpf_validate(filter.data(), static_cast<int>(filter.size())) != 0;
}

// A sub-interface's frames come in by its parent and have no tags from there on, as on a VLAN
// device of Linux.
Watch::View Watch::view(const rte_mbuf* frame, PortId in_port,
                        const PolicySnapshot& policy) noexcept {
    const View whole{rte_pktmbuf_mtod(frame, const uint8_t*), rte_pktmbuf_pkt_len(frame),
                     rte_pktmbuf_data_len(frame), in_port};
    if (spec_->port == kNoPort || spec_->port == in_port) return whole;
    if (spec_->port >= policy.ports.size() || policy.ports[spec_->port].vlan.outer == 0 ||
        policy.ports[spec_->port].parent != in_port)
        return {};
    const FrameTags tags = FrameTags::read(whole.bytes, whole.contiguous);
    if (policy.vlans.find(in_port, tags.outer_tci, tags.inner_tci, tags.service) != spec_->port)
        return {};
    constexpr size_t kMacs = 12;
    View out{untagged_.data(), whole.length - tags.length, whole.contiguous - tags.length,
             spec_->port};
    out.contiguous = std::min<uint32_t>(out.contiguous, limits::kMaxFrame);
    std::copy_n(whole.bytes, kMacs, untagged_.data());
    std::copy_n(whole.bytes + kMacs + tags.length, out.contiguous - kMacs,
                untagged_.data() + kMacs);
    return out;
}

void Watch::mark(Burst& burst, WorkerContext& context) noexcept {
    for (unsigned i = 0; i < burst.count; ++i) {
        if (spec_->limit != 0 && seen_ >= spec_->limit) return;
        PacketMeta& meta = burst.meta[i];
        const View frame = view(burst.frames[i], meta.in_port, *context.policy);
        if (frame.bytes == nullptr) continue;
        if (!spec_->filter.empty() &&
            bpf_filter(spec_->filter.data(), frame.bytes, frame.length, frame.contiguous) == 0)
            continue;
        ++seen_;
        if (spec_->trace) {
            meta.flags |= PacketMeta::kWatched;
            meta.watch_id = static_cast<uint32_t>(context.worker) << 24 | (next_id_++ & 0xffffff);
            burst.watched = true;
        }
        if (spec_->capture) capture(frame, context);
    }
    if (burst.watched) record_trace(burst, TraceRecord::kReceived, context);
}

void Watch::capture(const View& frame, WorkerContext& context) const noexcept {
    CaptureRecord record;
    record.length = frame.length;
    record.captured = std::min(frame.contiguous, spec_->snap_bytes);
    record.port = frame.port;
    record.worker = context.worker;
    record.unix_ns = unix_ns();
    if (!context.events->push(&record, sizeof record, frame.bytes, record.captured))
        context.counters.add(kEventsLost);
}

void record_trace(const Burst& burst, uint16_t stage, WorkerContext& context) noexcept {
    for (unsigned i = 0; i < burst.count; ++i) {
        if (!burst.meta[i].has(PacketMeta::kWatched)) continue;
        TraceRecord record;
        record.watch_id = burst.meta[i].watch_id;
        record.unix_ns = unix_ns();
        record.generation = context.policy->generation;
        record.worker = context.worker;
        record.stage = stage;
        record.verdict = burst.verdicts[i];
        record.reason = burst.verdicts[i] == Verdict::kDrop ? burst.reasons[i] : DropCode{0};
        record.meta = burst.meta[i];
        if (!context.events->push(&record, sizeof record, nullptr, 0))
            context.counters.add(kEventsLost);
    }
}

}  // namespace ravelin
