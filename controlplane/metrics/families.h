// SPDX-License-Identifier: Apache-2.0
// One scrape: the metric families of a snapshot and a counter segment.
#pragma once
#include <prometheus/metric_family.h>

#include <vector>

#include "controlplane/metrics/source.h"
#include "dataplane/counters.h"

namespace ravelin::metrics {

/// `reader` may be null: no data plane has run yet. Every family has a help sentence.
std::vector<prometheus::MetricFamily> families(const Snapshot& snapshot,
                                               const CounterReader* reader);

}  // namespace ravelin::metrics
