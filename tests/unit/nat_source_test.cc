// SPDX-License-Identifier: Apache-2.0
// Outer ports: never two flows with one outer end, all of a share used before it counts as used up,
// each worker within its own, and given back with the flow.
#include "pipelines/stages/nat_source.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "dataplane/net/headers.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::nat {
namespace {

constexpr WorkerId kWorkers = 4;

std::string yaml(const std::string& rules) {
    return fmt::format(R"(
ports: [{{name: lan, device: "null", addresses: 10.0.0.1/16}}, {{name: wan, device: "null", addresses: 192.0.2.1/24}}]
pipeline:
  - parse
  - steer
  - nat: {{rules: [{}]}}
  - route
  - firewall
  - neighbour
  - local
  - rewrite
)",
                       rules);
}

PacketMeta packet(uint32_t source, uint16_t port, uint32_t destination = 0xcb007107,
                  uint8_t protocol = net::kUdp) {
    PacketMeta m;
    m.flags = PacketMeta::kIpv4 | PacketMeta::kPorts;
    m.source = IpAddress::v4(source);
    m.destination = IpAddress::v4(destination);
    m.source_port = port;
    m.destination_port = 53;
    m.protocol = protocol;
    m.in_port = 0;
    m.out_port = 1;
    return m;
}

struct Nat {
    explicit Nat(const std::string& rules, WorkerId worker = 0, WorkerId workers = 1)
        : box(yaml(rules), 4096), context(box.context()) {
        context.worker = worker;
        context.workers = workers;
    }
    /// What the packet's flow, which is opened, is translated to.
    Choice open(const PacketMeta& m, FlowTranslation& out, Flow** flow = nullptr) {
        context.now.ns += 1000;
        const Choice choice = choose(*policy_of(*context.policy), m, context, out);
        if (choice == Choice::kNoPort || choice == Choice::kUnsupported) return choice;
        bool swapped = false;
        const FlowKey key = FlowKey::make(m.source, m.destination, m.source_port,
                                          m.destination_port, m.protocol, 0, swapped);
        Flow* made = context.flows->insert(key, key.hash(), context.now.ms);
        if (swapped) made->flags = kFlowOriginatorSecond;
        context.flows->translate(*made, out);
        if (flow != nullptr) *flow = made;
        return choice;
    }
    test::StageFixture box;
    WorkerContext context;
};

TEST(NatSource, NoOuterEndTwiceAndEachWorkerInItsShare) {
    for (WorkerId worker = 0; worker < kWorkers; ++worker) {
        Nat nat("{name: out, kind: masquerade, out: wan}", worker, kWorkers);
        std::mt19937 random(worker);
        std::set<std::pair<uint32_t, uint16_t>> used;
        unsigned kept = 0;
        for (unsigned i = 0; i < 3000; ++i) {
            const auto end = static_cast<uint32_t>(0xcb007107 + random() % 4);
            const auto port = static_cast<uint16_t>(1024 + random() % 60000);
            FlowTranslation t;
            const Choice c = nat.open(packet(0x0a000002 + i, port, end), t);
            ASSERT_TRUE(c == Choice::kKeptPort || c == Choice::kChangedPort);
            EXPECT_EQ(c == Choice::kKeptPort, t.source_port == port);
            kept += c == Choice::kKeptPort;
            ASSERT_EQ(t.source, 0xc0000201u);
            ASSERT_GE(t.source_port, 1024);
            ASSERT_EQ(NatPolicy::owner_of_port(t.source_port, kWorkers), worker);
            ASSERT_TRUE(used.insert({end, t.source_port}).second);
        }
        EXPECT_GT(kept, 500u);  // a quarter of the ports is of this worker
    }
}

TEST(NatSource, AShareIsUsedUpWholeAndComesBackWithItsFlows) {
    for (const unsigned range : {1u, 7u, 64u, 200u}) {
        SCOPED_TRACE(range);
        Nat nat(fmt::format("{{name: out, kind: masquerade, out: wan, ports: 20000-{}}}",
                            20000 + range - 1),
                1, kWorkers);
        const unsigned share = range / kWorkers + (20001 < 20000 + range && range % kWorkers > 1);
        std::vector<Flow*> flows;
        FlowTranslation t;
        Flow* flow = nullptr;
        uint32_t n = 0;
        while (nat.open(packet(0x0a000002 + n++, 5), t, &flow) != Choice::kNoPort)
            flows.push_back(flow);
        EXPECT_EQ(flows.size(), share);
        EXPECT_EQ(nat.open(packet(0x0a00ff02, 5, 0xcb007108), t) == Choice::kChangedPort,
                  share != 0);
        if (flows.empty()) continue;
        nat.context.flows->remove(*flows[flows.size() / 2]);
        EXPECT_EQ(nat.open(packet(0x0a00ff03, 5), t), Choice::kChangedPort);
        EXPECT_EQ(nat.open(packet(0x0a00ff04, 5), t), Choice::kNoPort);
    }
}

TEST(NatSource, AHostKeepsItsPoolAddressWhileItsPortsLast) {
    Nat nat("{name: out, kind: source, out: wan, address: 198.51.100.0/29, ports: 5000-5003}");
    std::set<uint32_t> all;
    for (uint32_t host = 2; host < 80; ++host) {
        FlowTranslation first, second;
        nat.open(packet(0x0a000000 + host, 5000, 0xcb007107 + host), first);
        nat.open(packet(0x0a000000 + host, 5001, 0xcb007107 + host), second);
        EXPECT_EQ(first.source, second.source);
        EXPECT_EQ(first.source & ~7u, 0xc6336400u);
        all.insert(first.source);
    }
    EXPECT_EQ(all.size(), 8u);
    std::set<uint32_t> one;
    for (uint16_t port = 1; port <= 16; ++port) {
        FlowTranslation t;
        ASSERT_EQ(nat.open(packet(0x0a000102, port), t), Choice::kChangedPort) << port;
        one.insert(t.source);
    }
    EXPECT_EQ(one.size(), kAddressTries);  // then the next ones
    FlowTranslation t;
    EXPECT_EQ(nat.open(packet(0x0a000102, 17), t), Choice::kNoPort);
}

TEST(NatSource, ForwardedPortsAreNotGivenToOthers) {
    Nat nat(
        "{name: out, kind: masquerade, out: wan, ports: 8080-8081}, "
        "{name: web, kind: destination, in: wan, to: 192.0.2.1, protocol: udp, to-ports: 8080, "
        "address: 10.0.0.9}");
    FlowTranslation t;
    EXPECT_EQ(nat.open(packet(0x0a000002, 8080), t), Choice::kChangedPort);
    EXPECT_EQ(t.source_port, 8081);
    EXPECT_EQ(nat.open(packet(0x0a000003, 8080), t), Choice::kNoPort);
    EXPECT_EQ(nat.open(packet(0x0a000003, 8080, 0xcb007107, net::kTcp), t), Choice::kKeptPort);
}

TEST(NatSource, WithoutPortsNothingIsShared) {
    Nat nat("{name: out, kind: masquerade, out: wan}");
    FlowTranslation t;
    PacketMeta gre = packet(0x0a000002, 0, 0xcb007107, 47);
    gre.flags = PacketMeta::kIpv4;
    EXPECT_EQ(nat.open(gre, t), Choice::kUnsupported);
}

}  // namespace
}  // namespace ravelin::nat
