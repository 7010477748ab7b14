// SPDX-License-Identifier: Apache-2.0
// The metrics of ports with a rate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "controlplane/metrics/families.h"

namespace ravelin::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

/// "name{labels}" -> value, of families that begin so.
std::map<std::string, double> values(const Snapshot& snapshot, const std::string& prefix) {
    std::map<std::string, double> out;
    for (const auto& family : families(snapshot, nullptr))
        for (const auto& metric : family.metric) {
            if (!family.name.starts_with(prefix)) continue;
            std::string name = family.name;
            for (const auto& label : metric.label) name += " " + label.value;
            out[name] = family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                                       : metric.gauge.value;
        }
    return out;
}

TEST(LinkMetrics, OnlyPortsWithARateHaveThem) {
    Snapshot snapshot;
    snapshot.ports = {{.name = "lan", .link_up = true},
                      {.name = "wan",
                       .link_up = true,
                       .rate = 95'000'000,
                       .queue_bytes = 3000,
                       .queue_frames = 2,
                       .shares = {{.principal = "org",
                                   .bytes = 1000,
                                   .packets = 10,
                                   .dropped = 3,
                                   .marked = 4,
                                   .reserved = 6,
                                   .late = 5}}}};
    EXPECT_THAT(values(snapshot, "ravelin_link_"),
                ElementsAre(Pair("ravelin_link_bytes_total wan org", 1000),
                            Pair("ravelin_link_dropped_packets_total wan org", 3),
                            Pair("ravelin_link_late_packets_total wan org", 5),
                            Pair("ravelin_link_marked_packets_total wan org", 4),
                            Pair("ravelin_link_packets_total wan org", 10),
                            Pair("ravelin_link_queue_bytes wan", 3000),
                            Pair("ravelin_link_queue_packets wan", 2),
                            Pair("ravelin_link_rate_bits_per_second wan", 95'000'000),
                            Pair("ravelin_link_reserved_packets_total wan org", 6)));
    EXPECT_EQ(values(snapshot, "ravelin_port_link_up").size(), 2u);
}

}  // namespace
}  // namespace ravelin::metrics
