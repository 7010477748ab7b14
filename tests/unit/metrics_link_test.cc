// SPDX-License-Identifier: Apache-2.0
// The metrics of ports with a rate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "controlplane/metrics/families.h"
#include "controlplane/metrics/other_principals.h"

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

TEST(LinkMetrics, ReservationsNotKeptAreCounted) {
    Snapshot snapshot;
    EXPECT_EQ(values(snapshot, "ravelin_reservations_").at("ravelin_reservations_not_kept"), 0);
    snapshot.reservations_not_kept = 3;
    EXPECT_EQ(values(snapshot, "ravelin_reservations_").at("ravelin_reservations_not_kept"), 3);
}

/// Packets of `others` as told, when the data plane says so of it beside these names.
uint64_t told(OtherPrincipals& others, std::vector<PrincipalState> shown, uint64_t packets) {
    shown.push_back({.name = "others", .packets = packets, .flows = packets % 7});
    others.count(shown);
    EXPECT_EQ(shown.back().flows, packets % 7) << "no counter";
    return shown.back().packets;
}

TEST(OtherPrincipals, NeverFall) {
    OtherPrincipals others;
    const std::vector<PrincipalState> ab{{.name = "a"}, {.name = "b"}},
        ac{{.name = "a"}, {.name = "c"}};
    EXPECT_EQ(told(others, ab, 100), 100u);
    EXPECT_EQ(told(others, ab, 130), 130u);
    EXPECT_EQ(told(others, ac, 90), 130u) << "c has a series of its own now";
    EXPECT_EQ(told(others, ac, 95), 135u);
    EXPECT_EQ(told(others, ac, 40), 135u) << "one of them is gone, or the data plane is new";
    EXPECT_EQ(told(others, ac, 41), 136u);
    EXPECT_EQ(told(others, ab, 500), 136u) << "c is back with all it had";
    EXPECT_EQ(told(others, ab, 510), 146u);
    std::vector<PrincipalState> few{{.name = "a", .packets = 7}};
    others.count(few);
    EXPECT_EQ(few.back().packets, 7u);
    EXPECT_EQ(told(others, ab, 600), 146u);
    EXPECT_EQ(told(others, ab, 601), 147u);
}

}  // namespace
}  // namespace ravelin::metrics
