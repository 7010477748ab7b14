// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/spare_pipeline.h"

#include <cstring>

namespace ravelin {

WorkerContext Appliance::spare_context(const Now& now) const {
    WorkerContext context;
    context.workers = static_cast<WorkerId>(workers_.size());
    context.now = now;
    context.neighbours = neighbours_.get();
    context.pool = pools_.front();
    context.kernel = kernel_.get();
    context.learned = learned_.get();
    context.dry_run = true;
    return context;
}

SparePipeline::SparePipeline(const Appliance& box)
    : box_(box),
      pipeline_(StageRegistry::get().instantiate(0, 1)),
      memory_(std::aligned_alloc(64, (FlowTable::bytes_for(kFlows) + 63) / 64 * 64)),
      counters_(box.specs().size()),
      hits_(limits::kMaxRules) {}

Result<std::unique_ptr<SparePipeline>> SparePipeline::make(const Appliance& box) {
    std::unique_ptr<SparePipeline> spare(new SparePipeline(box));
    if (spare->memory_ == nullptr) return Error{"no memory for a spare pipeline"};
    auto flows = FlowTable::create(spare->memory_.get(), FlowTable::bytes_for(kFlows), kFlows,
                                   /*boot_tag=*/0);
    if (!flows) return std::move(flows.error());
    spare->flows_ = std::make_unique<FlowTable>(std::move(*flows));
    return spare;
}

Result<Tried> SparePipeline::run(const PolicySnapshot& policy, std::span<const uint8_t> frame,
                                 PortId port, const Now& now) {
    WorkerContext context = box_.spare_context(now);
    context.policy = &policy;
    context.counters = WorkerCounters(counters_.data(), hits_.data());
    context.events = &events_;
    context.flows = flows_.get();
    rte_mbuf* mbuf = rte_pktmbuf_alloc(context.pool);
    if (mbuf == nullptr) return Error{"no packet buffer is free"};
    char* room = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
    if (room == nullptr) {
        rte_pktmbuf_free(mbuf);
        return Error{"a made packet is longer than a buffer"};
    }
    std::memcpy(room, frame.data(), frame.size());
    PacketMeta meta;
    meta.in_port = port;
    burst_->add(mbuf, meta);
    pipeline_.run(*burst_, context);
    Tried tried{burst_->verdicts[0], 0, burst_->meta[0]};
    if (tried.verdict == Verdict::kDrop) tried.reason = burst_->reasons[0];
    rte_pktmbuf_free(burst_->frames[0]);
    burst_->count = 0;
    burst_->changed = burst_->watched = false;
    return tried;
}

}  // namespace ravelin
