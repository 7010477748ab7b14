// SPDX-License-Identifier: Apache-2.0
// The part of Daemon that tells the metrics what the control plane knows.
#include <algorithm>
#include <optional>

#include "controlplane/daemon.h"
#include "pipelines/stages/nat_schema.h"

namespace ravelin::control {
namespace {

constexpr std::chrono::milliseconds kMetricsPeriod{1000};

}  // namespace

metrics::Snapshot Daemon::metrics_now() {
    const model::DataplaneStatus& status = link_.last_status();
    metrics::Snapshot out;
    out.dataplane_up = link_.connected();
    out.generation = store_->in_force().generation;
    const commit::GenerationInfo* pending = store_->state().find(store_->state().pending);
    if (pending != nullptr) out.confirm_deadline_unix_ms = pending->confirm_deadline_ms;
    out.counters_path = counters_.path();
    out.started_unix_ms = services_.started_unix_ms;
    out.log_lines_lost = rule_log_.counts().lost();
    const auto counted = [&](const std::string& name, const std::string& as, uint32_t slot) {
        const RuleSlot* known = store_->slots().find(as);
        const bool same = known != nullptr && known->baseline_segment == status.started_unix_ms();
        return metrics::RuleSlot{name, slot, same ? known->baseline.packets : 0,
                                 same ? known->baseline.bytes : 0};
    };
    for (const CompiledRule& rule : rules_of(live_.tree()))
        out.rules.push_back(counted(rule.name, rule.builtin ? "" : rule.name, rule.slot));
    for (const CompiledNatRule& rule : nat_rules_of(live_.tree()))
        out.nat_rules.push_back(
            {counted(rule.name, nat::counted_as(rule.name), rule.slot),
             counted(rule.name, nat::new_counted_as(rule.name), rule.new_slot)});
    for (const model::PortStatus& port : status.ports()) {
        out.ports.push_back(
            {port.name(), port.link_up(), port.rate(), port.queue_bytes(), port.queue_frames()});
        for (const model::LinkShare& s : port.shares())
            out.ports.back().shares.push_back({s.principal(), s.bytes(), s.packets(), s.dropped(),
                                               s.marked(), s.reserved(), s.late()});
    }
    const double hz = std::max(1.0, static_cast<double>(status.principals().cycles_hz()));
    for (const model::PrincipalRecord& p : status.principals().principals())
        out.principals.push_back({p.name(), p.packets(), p.bytes(), p.drops(), p.flows(),
                                  static_cast<double>(p.cycles()) / hz});
    other_principals_.count(out.principals);
    for (const model::FunctionRecord& f : status.functions())
        out.functions.push_back(
            {f.name(), f.runs(), f.packets(), f.not_run(), static_cast<double>(f.cycles()) / hz});
    out.reservations_not_kept = live_.uncovered();
    const model::LiveStatus& live = status.live();
    out.live = {
        {live.latency().begin(), live.latency().end()}, live.latency_sum_ns(), live.expired()};
    for (const model::TableMemory& t : status.memory())
        out.tables.push_back(
            {t.table(), t.bytes(), t.entries(), t.capacity(),
             t.has_huge_bytes() ? std::optional<uint64_t>(t.huge_bytes()) : std::nullopt});
    return out;
}

// What principals used is asked for now and told the next time: the link keeps what a status says.
void Daemon::refresh_metrics() {
    if (link_.connected() && !live_.tree()["principals"].items().empty()) {
        model::ToDataplane request;
        request.mutable_status();
        link_.send(std::move(request), kMetricsPeriod, [](const Result<model::Reply>&) {});
    }
    metrics_.set(metrics_now());
    loop_.after(kMetricsPeriod, [this] { refresh_metrics(); });
}

}  // namespace ravelin::control
