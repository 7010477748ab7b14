// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/explain.h"

#include <cstring>

namespace ravelin {

ExplainCommand::ExplainCommand(std::string frame, PortId port, size_t counter_count)
    : frame_(std::move(frame)),
      port_(port),
      scratch_(counter_count),
      scratch_rules_(limits::kMaxRules) {}

void ExplainCommand::run(Worker& worker) noexcept {
    WorkerContext context = worker.context();
    context.dry_run = true;
    context.account = nullptr;
    context.counters = WorkerCounters(scratch_.data(), scratch_rules_.data());
    context.events = &events_;
    rte_mbuf* frame = rte_pktmbuf_alloc(context.pool);
    if (frame == nullptr) return;
    char* room = rte_pktmbuf_append(frame, static_cast<uint16_t>(frame_.size()));
    if (room == nullptr) {
        rte_pktmbuf_free(frame);
        return;
    }
    std::memcpy(room, frame_.data(), frame_.size());
    PacketMeta meta;
    meta.in_port = port_;
    meta.flags = PacketMeta::kWatched;
    burst_->add(frame, meta);
    worker.pipeline().run(*burst_, context);
    meta_ = burst_->meta[0];
    verdict_ = burst_->verdicts[0];
    reason_ = verdict_ == Verdict::kDrop ? burst_->reasons[0] : DropCode{0};
    owner_ = static_cast<WorkerId>(meta_.resume);
    generation_ = context.policy->generation;
    rte_pktmbuf_free(burst_->frames[0]);
    ran_ = true;
}

void ExplainCommand::collect() {
    events_.drain(64, [this](const uint8_t* record, size_t length) {
        TraceRecord copy;
        if (length == sizeof copy)
            std::memcpy(&copy, record, sizeof copy), records_.push_back(copy);
    });
}

}  // namespace ravelin
