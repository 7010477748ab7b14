// SPDX-License-Identifier: Apache-2.0
// RoutePolicy over a full Internet table that comes by `to: {file: ...}`, as an operator loads it;
// looked up by each worker of the box.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "pipelines/stages/route.h"
#include "tests/support/box_test.h"
#include "tests/support/data.h"

namespace ravelin::test {
namespace {

constexpr const char* kTable = "routes/bgp-full-v4-901899-v6-160147.txt.gz";

const RoutePolicy& routes_of(const PolicySnapshot& policy) {
    return static_cast<const RoutePolicy&>(*policy.steps.back().policy);
}

class RouteTable : public BoxTest {
  protected:
    template <typename Look>
    void on_each_worker(Look&& look) {
        box_->on_workers([&](WorkerContext& context, Pipeline&) {
            SCOPED_TRACE("worker " + std::to_string(context.worker));
            look(routes_of(*context.policy));
        });
    }
};

std::string config_with(const std::string& routes) {
    return "ports: [{name: lan, device: 'null', addresses: [10.0.0.1/24, '2001:db8::1/64']},"
           " {name: wan, device: 'null', addresses: 192.0.2.1/24}]\n"
           "pipeline: [parse: {}, route: {routes: [" +
           routes + "]}]\n";
}

TEST_F(RouteTable, ListsAndLooksUp) {
    start(config_with("{to: 0.0.0.0/0, via: 192.0.2.9}, {to: 8.0.0.0/8, kind: blackhole}"));
    on_each_worker([](const RoutePolicy& routes) {
        EXPECT_EQ(routes.list(1000).size(), routes.size());
        EXPECT_EQ(routes.list(3).size(), 3u);
        EXPECT_EQ(routes.lookup(IpAddress::v4(0x08080808)).prefix.to_string(), "8.0.0.0/8");
        EXPECT_EQ(routes.lookup(IpAddress::v4(0x09080808)).hop.gateway.to_string(), "192.0.2.9");
        EXPECT_EQ(routes.lookup(IpAddress::v4(0x0a000001)).hop.kind, RouteKind::kLocal);
        EXPECT_EQ(routes.lookup(IpAddress::v4(0x0a0000ff)).hop.kind, RouteKind::kBroadcast);
        EXPECT_EQ(routes.lookup(*IpAddress::parse("2001:db9::1")).hop.kind, RouteKind::kNone);
    });
}

TEST_F(RouteTable, KeepsItsTablesWhereNothingChanged) {
    const std::string yaml = config_with("{to: 0.0.0.0/0, via: 192.0.2.9}");
    start(yaml);
    const RoutePolicy* before = &routes_of(box_->policy());
    box_->apply(yaml);
    on_each_worker([&](const RoutePolicy& routes) { EXPECT_EQ(&routes, before); });
}

TEST_F(RouteTable, HoldsTheFullInternetTable) {
    const auto path = data_path(kTable);
    if (!path) GTEST_SKIP() << "no " << kTable << " on this machine";
    const std::vector<std::string> lines = read_lines(*path);
    const std::string plain = testing::TempDir() + "ravelin-routes.txt";
    std::ofstream out(plain);
    std::vector<Prefix> v4;
    for (const std::string& line : lines) {
        const auto prefix = Prefix::parse(line.substr(0, line.find_first_of(" \t")));
        if (!prefix || !prefix->is_v4()) continue;
        v4.push_back(*prefix);
        out << prefix->to_string() << "\n";
    }
    out.close();
    ASSERT_GT(v4.size(), 900'000u);
    start(config_with("{to: {file: " + plain + "}, via: 192.0.2.9}"));
    on_each_worker([&](const RoutePolicy& routes) {
        EXPECT_GE(routes.size(), 900'000u);
        for (size_t i = 0; i < v4.size(); i += 97) {
            if (Prefix::parse("10.0.0.0/24")->contains(v4[i].address)) continue;
            const NextHop hop = routes.lookup(v4[i].last()).hop;
            EXPECT_EQ(hop.port, 1) << v4[i].to_string();
            EXPECT_TRUE(v4[i].contains(routes.lookup(v4[i].last()).prefix.address) ||
                        routes.lookup(v4[i].last()).prefix.contains(v4[i].address));
        }
        EXPECT_EQ(routes.lookup(IpAddress::v4(0xf0000001)).hop.kind, RouteKind::kNone);
    });
    RecordProperty("memory_bytes", static_cast<int>(routes_of(box_->policy()).memory_bytes()));
    std::remove(plain.c_str());
}

}  // namespace
}  // namespace ravelin::test
