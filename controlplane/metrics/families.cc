// SPDX-License-Identifier: Apache-2.0
#include "controlplane/metrics/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>

#include "controlplane/metrics/names.h"

namespace ravelin::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

/// Families by name, filled in any order.
class Scrape {
  public:
    void counter(const std::string& family, const std::string& help, const Labels& labels,
                 double v) {
        add(family, help, MetricType::Counter, labels).counter.value = v;
    }
    void gauge(const std::string& family, const std::string& help, const Labels& labels, double v) {
        add(family, help, MetricType::Gauge, labels).gauge.value = v;
    }
    ClientMetric::Histogram& histogram(const std::string& family, const std::string& help) {
        return add(family, help, MetricType::Histogram, {}).histogram;
    }
    [[nodiscard]] std::vector<MetricFamily> take() {
        std::vector<MetricFamily> out;
        for (auto& [name, family] : families_) out.push_back(std::move(family));
        return out;
    }

  private:
    ClientMetric& add(const std::string& name, const std::string& help, MetricType type,
                      const Labels& labels) {
        MetricFamily& family = families_[name];
        if (family.name.empty()) family = {name, help, type, {}};
        ClientMetric& metric = family.metric.emplace_back();
        for (const auto& [key, value] : labels) metric.label.push_back({key, value});
        return metric;
    }
    std::map<std::string, MetricFamily> families_;
};

double as_double(uint64_t value) { return static_cast<double>(value); }

void add_counter(Scrape& scrape, const CounterReader& reader, size_t index) {
    const CounterKind kind = reader.kind(index);
    const std::string help(reader.help(index));
    const auto name = metric_name(reader.name(index), kind);
    if (!name) return;
    const auto put = [&](const Labels& labels, uint64_t value) {
        const std::string& about = name->help.empty() ? help : name->help;
        if (kind == CounterKind::kGauge)
            scrape.gauge(name->family, about, labels, as_double(value) * name->scale);
        else
            scrape.counter(name->family, about, labels, as_double(value) * name->scale);
    };
    if (!name->per_worker) return put(name->labels, reader.sum(index));
    for (unsigned w = 0; w < reader.header().workers; ++w) {
        Labels labels = name->labels;
        labels.emplace_back("worker", std::to_string(w));
        put(labels, reader.value(index, w));
    }
}

void add_segment(Scrape& scrape, const CounterReader& reader) {
    for (size_t i = 0; i < reader.size(); ++i) {
        add_counter(scrape, reader, i);
        scrape.gauge(
            "ravelin_counter_info",
            "Always 1; explains a counter of the data plane in one sentence.",
            {{"counter", std::string(reader.name(i))}, {"help", std::string(reader.help(i))}}, 1);
    }
    scrape.gauge("ravelin_workers", "Workers of the data plane.", {}, reader.header().workers);
    scrape.gauge("ravelin_dataplane_start_time_seconds",
                 "Unix time at which the data plane started.", {},
                 as_double(reader.header().started_unix_ms) / 1e3);
}

/// Since the rule took its slot; a restarted data plane counts from zero again.
uint64_t since(uint64_t now, uint64_t before) { return now >= before ? now - before : now; }

void add_rules(Scrape& scrape, const Snapshot& snapshot, const CounterReader& reader) {
    // No label for the generation: every change would begin all series anew.
    for (const RuleSlot& rule : snapshot.rules) {
        const RuleCounter now = reader.rule(rule.slot);
        const Labels labels{{"rule", rule.name}};
        scrape.counter("ravelin_rule_packets_total", "Packets a rule decided.", labels,
                       as_double(since(now.packets, rule.packets_before)));
        scrape.counter("ravelin_rule_bytes_total", "Bytes of the packets a rule decided.", labels,
                       as_double(since(now.bytes, rule.bytes_before)));
    }
}

void add_nat_rules(Scrape& scrape, const Snapshot& snapshot, const CounterReader& reader) {
    for (const auto& [passed, fresh] : snapshot.nat_rules) {
        const RuleCounter now = reader.rule(passed.slot), flows = reader.rule(fresh.slot);
        const Labels labels{{"rule", passed.name}};
        scrape.counter("ravelin_nat_rule_packets_total",
                       "Packets a rule of nat translated, of either direction.", labels,
                       as_double(since(now.packets, passed.packets_before)));
        scrape.counter("ravelin_nat_rule_bytes_total",
                       "Bytes of the packets a rule of nat translated.", labels,
                       as_double(since(now.bytes, passed.bytes_before)));
        scrape.counter("ravelin_nat_rule_translations_total",
                       "Flows a rule of nat began to translate.", labels,
                       as_double(since(flows.packets, fresh.packets_before)));
    }
}

double unix_seconds() {
    using namespace std::chrono;
    return duration<double>(system_clock::now().time_since_epoch()).count();
}

void add_state(Scrape& scrape, const Snapshot& s, const CounterReader* reader) {
    scrape.gauge("ravelin_info", "Always 1; the version of the control plane.",
                 {{"version", RAVELIN_VERSION}}, 1);
    scrape.gauge("ravelin_dataplane_up", "1 while the data plane answers the control plane.", {},
                 s.dataplane_up);
    scrape.gauge("ravelin_generation", "Policy generation in force; 0 before the first.", {},
                 as_double(s.generation));
    scrape.gauge("ravelin_confirm_remaining_seconds",
                 "Seconds until an unconfirmed change rolls back; 0: nothing to confirm.", {},
                 std::max(0.0, as_double(s.confirm_deadline_unix_ms) / 1e3 - unix_seconds()));
    scrape.gauge("ravelin_reservations_not_kept",
                 "Reservations that were granted and that their links can no longer promise.", {},
                 as_double(s.reservations_not_kept));
    scrape.counter("ravelin_log_lines_lost_total",
                   "Rule log lines lost in full rings or beyond the rate.", {},
                   as_double(s.log_lines_lost));
    const std::string uptime = "Seconds since the process started.";
    scrape.gauge("ravelin_uptime_seconds", uptime, {{"process", "controlplane"}},
                 std::max(0.0, unix_seconds() - as_double(s.started_unix_ms) / 1e3));
    if (reader != nullptr && s.dataplane_up)
        scrape.gauge(
            "ravelin_uptime_seconds", uptime, {{"process", "dataplane"}},
            std::max(0.0, unix_seconds() - as_double(reader->header().started_unix_ms) / 1e3));
}

void add_link(Scrape& scrape, const PortState& port) {
    const Labels of_port{{"port", port.name}};
    scrape.gauge("ravelin_link_rate_bits_per_second", "Rate that a port is paced at.", of_port,
                 as_double(port.rate));
    scrape.gauge("ravelin_link_queue_bytes", "Bytes that wait for a port with a rate.", of_port,
                 as_double(port.queue_bytes));
    scrape.gauge("ravelin_link_queue_packets", "Packets that wait for a port with a rate.", of_port,
                 as_double(port.queue_frames));
    for (const LinkShare& share : port.shares) {
        const Labels labels{{"port", port.name}, {"principal", share.principal}};
        const auto put = [&](const char* family, const char* help, uint64_t value) {
            scrape.counter(family, help, labels, as_double(value));
        };
        put("ravelin_link_bytes_total", "Bytes a port with a rate sent, by who pays.", share.bytes);
        put("ravelin_link_packets_total", "Packets a port with a rate sent, by who pays.",
            share.packets);
        put("ravelin_link_dropped_packets_total",
            "Packets there was no room for at a port with a rate, by who would pay.",
            share.dropped);
        put("ravelin_link_marked_packets_total",
            "Packets marked by RFC 3168 at a port with a rate, by who pays.", share.marked);
        put("ravelin_link_reserved_packets_total",
            "Packets that left a port with a rate by right of a reservation, by who pays.",
            share.reserved);
        put("ravelin_link_late_packets_total", "Of these, packets that left past their deadline.",
            share.late);
    }
}

void add_tables(Scrape& scrape, const Snapshot& s) {
    for (const PortState& port : s.ports)
        if (port.rate != 0) add_link(scrape, port);
    for (const PortState& port : s.ports)
        scrape.gauge("ravelin_port_link_up", "1 while the port's link is up.",
                     {{"port", port.name}}, port.link_up);
    for (const TableState& t : s.tables) {
        const Labels labels{{"table", t.name}};
        scrape.gauge("ravelin_table_bytes", "Memory of a table of the data plane.", labels,
                     as_double(t.bytes));
        scrape.gauge("ravelin_table_entries", "Entries in a table of the data plane.", labels,
                     as_double(t.entries));
        if (t.huge_bytes)
            scrape.gauge("ravelin_table_huge_bytes",
                         "Memory of a table of the data plane that is in huge pages.", labels,
                         as_double(*t.huge_bytes));
        if (t.capacity > 0)
            scrape.gauge("ravelin_table_capacity",
                         "Entries a table of the data plane has room for.", labels,
                         as_double(t.capacity));
    }
}

void add_principals(Scrape& scrape, const Snapshot& s) {
    for (const PrincipalState& p : s.principals) {
        const Labels labels{{"principal", p.name}};
        scrape.counter("ravelin_principal_packets_total", "Packets charged to a principal.", labels,
                       as_double(p.packets));
        scrape.counter("ravelin_principal_bytes_total",
                       "Bytes of IP packets charged to a principal.", labels, as_double(p.bytes));
        scrape.counter("ravelin_principal_drops_total",
                       "Packets charged to a principal that were dropped.", labels,
                       as_double(p.drops));
        scrape.counter("ravelin_principal_worker_seconds_total",
                       "Time of the workers charged to a principal.", labels, p.seconds);
        scrape.gauge("ravelin_principal_flows", "Flows charged to a principal.", labels,
                     as_double(p.flows));
    }
}

void add_functions(Scrape& scrape, const Snapshot& s) {
    for (const FunctionState& f : s.functions) {
        const Labels labels{{"function", f.name}};
        scrape.counter("ravelin_function_runs_total", "Runs of a function.", labels,
                       as_double(f.runs));
        scrape.counter("ravelin_function_packets_total", "Packets a function was run for.", labels,
                       as_double(f.packets));
        scrape.counter("ravelin_function_not_run_total",
                       "Packets for a function that were refused or dropped while they waited.",
                       labels, as_double(f.not_run));
        scrape.counter("ravelin_function_seconds_total", "Time of the workers a function took.",
                       labels, f.seconds);
    }
}

void add_live(Scrape& scrape, const LiveState& live) {
    auto& out = scrape.histogram("ravelin_live_change_seconds",
                                 "Live changes by the time from the data plane's receipt to the "
                                 "last worker's confirmation.");
    constexpr double kFirstBound = 62.5e-6;
    double bound = kFirstBound;
    for (size_t i = 0; i < live.latency.size(); ++i, bound *= 2) {
        out.sample_count += live.latency[i];
        const bool last = i + 1 == live.latency.size();
        out.bucket.push_back(
            {out.sample_count, last ? std::numeric_limits<double>::infinity() : bound});
    }
    out.sample_sum = as_double(live.latency_sum_ns) / 1e9;
    scrape.counter("ravelin_set_elements_expired_total",
                   "Elements that left live sets because their time was up.", {},
                   as_double(live.expired));
}

}  // namespace

std::vector<MetricFamily> families(const Snapshot& snapshot, const CounterReader* reader) {
    Scrape scrape;
    add_state(scrape, snapshot, reader);
    add_tables(scrape, snapshot);
    add_principals(scrape, snapshot);
    add_functions(scrape, snapshot);
    if (snapshot.dataplane_up) add_live(scrape, snapshot.live);
    if (reader != nullptr) {
        add_segment(scrape, *reader);
        add_rules(scrape, snapshot, *reader);
        add_nat_rules(scrape, snapshot, *reader);
    }
    return scrape.take();
}

}  // namespace ravelin::metrics
