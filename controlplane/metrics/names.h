// SPDX-License-Identifier: Apache-2.0
// From the data plane's counter names to Prometheus' metric names:
//
//   drop.parse.truncated   ravelin_drop_packets_total{stage="parse",reason="truncated"}
//   port.lan.rx_packets    ravelin_port_rx_packets_total{port="lan"}
//   worker.busy_ns         ravelin_worker_busy_seconds_total{worker="0"}
//   flows.entries          ravelin_flows_entries{worker="0"}
//   route.looked_up        ravelin_stage_events_total{stage="route",event="looked_up"}
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/counters.h"

namespace ravelin::metrics {

struct MetricName {
    std::string family;
    std::string help;  ///< of the family; empty: the counter's own sentence
    std::vector<std::pair<std::string, std::string>> labels;
    bool per_worker = false;  ///< one series a worker; otherwise their sum
    double scale = 1;         ///< nanoseconds become seconds
};

/// Nothing for a counter that means nothing outside (pipeline.none).
std::optional<MetricName> metric_name(std::string_view counter, CounterKind kind);

}  // namespace ravelin::metrics
