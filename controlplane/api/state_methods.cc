// SPDX-License-Identifier: Apache-2.0
// status, ports, workers, counters, drops, rules, wait-ready.
#include <fmt/format.h>

#include "controlplane/api/json_of.h"
#include "controlplane/api/services.h"

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeout{5000};
constexpr milliseconds kReadyPoll{20};
constexpr uint64_t kReadyWait = 30'000;

void unavailable(const CallPtr& call, const std::string& why) {
    call->fail(FailureKind::kUnavailable, why);
}

constexpr const char* kPortCounters[] = {"rx_packets", "rx_bytes",     "tx_packets", "tx_bytes",
                                         "rx_missed",  "rx_no_buffer", "rx_errors"};

/// Each port with what it counts.
Json ports_of(Services& s, const model::DataplaneStatus& status) {
    const CounterReader* reader = s.counters.reader();
    Json out = Json::array();
    for (const model::PortStatus& port : status.ports()) {
        Json entry = json_of(port);
        for (const char* what : kPortCounters)
            entry[what] =
                reader == nullptr ? 0 : reader->sum(fmt::format("port.{}.{}", port.name(), what));
        out.push_back(std::move(entry));
    }
    return out;
}

Json kernel_of(const KernelSide::State& k) {
    return {{"learning", k.learning},
            {"in_kernel", k.in_kernel},
            {"in_dataplane", k.feed.in_dataplane},
            {"refused", k.feed.refused},
            {"beyond_limit", k.beyond_limit},
            {"unusable", k.feed.unusable},
            {"synced", k.feed.synced},
            {"resyncs", k.resyncs},
            {"problem", k.problem},
            {"sandbox", k.sandbox}};
}

Json status_of(Services& s, const Result<model::DataplaneStatus>& dataplane) {
    const commit::JournalState& journal = s.store.state();
    const RuleLog::Counts& log = s.rule_log.counts();
    Json out{{"generation", s.store.in_force().generation},
             {"committed", journal.current},
             {"previous", journal.previous},
             {"pending", journal.pending},
             {"settled", s.flow.settled()},
             {"ready", s.link.connected() && s.flow.settled()},
             {"started_unix_ms", s.started_unix_ms},
             {"dataplane_restarts", s.dataplane_restarts()},
             {"sandbox", s.sandbox},
             {"kernel", kernel_of(s.kernel.state())},
             {"rule_log",
              {{"written", log.written},
               {"beyond_rate", log.beyond_rate},
               {"in_rings", log.in_rings},
               {"failed", log.failed},
               {"problem", s.rule_log.problem()}}}};
    if (dataplane) {
        out["dataplane"] = json_of(*dataplane);
        out["ports"] = ports_of(s, *dataplane);
    } else {
        out["dataplane"] = nullptr;
        out["problem"] = dataplane.error().message;
    }
    return out;
}

Json counters_of(const CounterReader& reader, std::string_view prefix, bool nonzero) {
    Json out = Json::array();
    for (size_t i = 0; i < reader.size(); ++i) {
        const uint64_t sum = reader.sum(i);
        if (!reader.name(i).starts_with(prefix) || (nonzero && sum == 0)) continue;
        out.push_back({{"name", reader.name(i)},
                       {"value", sum},
                       {"help", reader.help(i)},
                       {"kind", reader.kind(i) == CounterKind::kGauge ? "gauge" : "counter"}});
    }
    return out;
}

void counters(Services& s, const CallPtr& call, std::string_view prefix, const char* key) {
    const bool nonzero = call->flag("nonzero");
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    const CounterReader* reader = s.counters.reader();
    if (reader == nullptr) return unavailable(call, s.counters.problem());
    call->result({{key, counters_of(*reader, prefix, nonzero)},
                  {"generation", s.store.in_force().generation}});
}

void rules(Services& s, const CallPtr& call) {
    Json out = Json::array();
    for (const CompiledRule& rule : rules_of(s.live.tree())) out.push_back(counted(s, rule));
    Json nat = Json::array();
    for (const CompiledNatRule& rule : nat_rules_of(s.live.tree())) nat.push_back(counted(s, rule));
    call->result({{"rules", std::move(out)},
                  {"nat", std::move(nat)},
                  {"generation", s.store.in_force().generation}});
}

void workers(Services& s, const CallPtr& call) {
    const CounterReader* reader = s.counters.reader();
    if (reader == nullptr) return unavailable(call, s.counters.problem());
    Json out = Json::array();
    for (unsigned w = 0; w < reader->header().workers; ++w) {
        Json values = Json::object();
        for (size_t i = 0; i < reader->size(); ++i)
            if (const uint64_t v = reader->value(i, w); v != 0)
                values[std::string(reader->name(i))] = v;
        out.push_back({{"worker", w}, {"counters", std::move(values)}});
    }
    call->result({{"workers", std::move(out)}});
}

void ports(Services& s, const CallPtr& call, const Result<model::DataplaneStatus>& status) {
    if (!status) return unavailable(call, status.error().message);
    call->result({{"ports", ports_of(s, *status)}});
}

/// Ready: connected, in agreement, and a policy in force.
void wait_ready(Services& s, const CallPtr& call, uint64_t until) {
    const uint64_t generation = s.store.in_force().generation;
    if (s.link.connected() && s.flow.settled() && generation != 0)
        return call->result({{"ready", true}, {"generation", generation}});
    if (unix_ms() >= until)
        return unavailable(call, !s.link.connected() ? s.link.problem()
                                 : generation == 0
                                     ? "no policy was ever applied"
                                     : "the data plane is not at the committed policy yet");
    s.loop.after(kReadyPoll, [&s, call, until] { wait_ready(s, call, until); });
}

}  // namespace

void ask_status(Services& s, std::function<void(Result<model::DataplaneStatus>)> then) {
    model::ToDataplane request;
    request.mutable_status();
    s.link.send(std::move(request), kTimeout, [then = std::move(then)](Result<model::Reply> reply) {
        if (!reply) return then(std::move(reply.error()));
        if (!reply->error().empty()) return then(Error{reply->error()});
        then(reply->status());
    });
}

void add_state_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("status", [s](const CallPtr& call) {
        ask_status(*s, [s, call](const Result<model::DataplaneStatus>& d) {
            call->result(status_of(*s, d));
        });
    });
    server.add("ports", [s](const CallPtr& call) {
        ask_status(*s, [s, call](const Result<model::DataplaneStatus>& d) { ports(*s, call, d); });
    });
    server.add("workers", [s](const CallPtr& call) { workers(*s, call); });
    server.add("counters", [s](const CallPtr& call) { counters(*s, call, "", "counters"); });
    server.add("drops", [s](const CallPtr& call) { counters(*s, call, "drop.", "drops"); });
    server.add("rules", [s](const CallPtr& call) { rules(*s, call); });
    server.add("wait-ready", [s](const CallPtr& call) {
        const uint64_t wait = call->number("timeout_ms", kReadyWait);
        if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
        wait_ready(*s, call, unix_ms() + std::min<uint64_t>(wait, 3'600'000));
    });
}

}  // namespace ravelin::control
