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

bool WatchSpec::takes(const rte_mbuf* frame) const noexcept {
    if (filter.empty()) return true;
    return bpf_filter(filter.data(), rte_pktmbuf_mtod(frame, const u_char*),
                      rte_pktmbuf_pkt_len(frame), rte_pktmbuf_data_len(frame)) != 0;
}

void Watch::mark(Burst& burst, WorkerContext& context) noexcept {
    for (unsigned i = 0; i < burst.count; ++i) {
        if (spec_->limit != 0 && seen_ >= spec_->limit) return;
        PacketMeta& meta = burst.meta[i];
        rte_mbuf* frame = burst.frames[i];
        if ((spec_->port != kNoPort && spec_->port != meta.in_port) || !spec_->takes(frame))
            continue;
        ++seen_;
        if (spec_->trace) {
            meta.flags |= PacketMeta::kWatched;
            meta.watch_id = static_cast<uint32_t>(context.worker) << 24 | (next_id_++ & 0xffffff);
            burst.watched = true;
        }
        if (spec_->capture) {
            CaptureRecord record;
            record.length = rte_pktmbuf_pkt_len(frame);
            record.captured = std::min<uint32_t>(rte_pktmbuf_data_len(frame), spec_->snap_bytes);
            record.port = meta.in_port;
            record.worker = context.worker;
            record.unix_ns = unix_ns();
            if (!context.events->push(&record, sizeof record, rte_pktmbuf_mtod(frame, void*),
                                      record.captured))
                context.counters.add(kEventsLost);
        }
    }
    if (burst.watched) record_trace(burst, TraceRecord::kReceived, context);
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
