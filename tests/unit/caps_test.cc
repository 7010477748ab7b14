// SPDX-License-Identifier: Apache-2.0
// Caps on bandwidth, where packets do not take the pipeline and where they do: one bucket for all.
#include "dataplane/caps.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "dataplane/account.h"
#include "dataplane/net/packet_text.h"
#include "dataplane/paced_ports.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr unsigned kBurst = 32, kASecond = 8;  // packets of 1,000 bytes: 32 KiB, 64 Kbit/s

std::string config(const char* rule) {
    return fmt::format(R"(
ports: [{{name: lan, device: 'null', addresses: 10.0.0.254/8}}, {{name: wan, device: 'null', addresses: 192.0.2.254/24}}]
principals: [{{name: org, caps: {{bandwidth: 64Kbit}}}}, {{name: org/one, prefixes: 10.1.0.0/16}}, {{name: org/two, prefixes: 10.2.0.0/16}}]
pipeline:
  - parse
  - route
  - firewall: {{rules: [{}]}}
  - classify
  - neighbour: {{static: [{{port: wan, address: 192.0.2.1, mac: "02:00:00:00:02:01"}}, {{port: lan, address: 10.1.0.1, mac: "02:00:00:00:01:01"}}]}}
  - local
  - rewrite
)",
                       rule);
}

class CapsTest : public ::testing::TestWithParam<const char*> {
  protected:
    CapsTest() : box_(config(GetParam())) {
        for (const PortPolicy& port : box_.policy().ports)
            defaults_.port_macs.push_back({port.name, port.mac});
        defaults_.port = "lan";
        box_.settle();
        for (const char* host : {"10.1.0.1", "10.2.0.1", "172.16.0.1"}) {  // proven, and on a way
            box_.receive("lan", {frame(fmt::format("udp {}:1 > 192.0.2.1:9", host))});
            box_.receive("wan", {frame(fmt::format("in=wan udp 192.0.2.1:9 > {}:1", host))});
            box_.receive("lan", {frame(fmt::format("udp {}:1 > 192.0.2.1:9", host))});
        }
        (void)box_.sent();
        for (const char* name : {"core", "org/one", "org/two"}) taught_[name] = packets(name);
    }
    /// The same box under another cap.
    void change_cap(const std::string& cap) {
        std::string yaml = config(GetParam());
        yaml.replace(yaml.find("64Kbit"), 6, cap);
        box_.apply(yaml);
        (void)box_.sent();
    }
    Bytes frame(const std::string& text) { return parse_packet_text(text, defaults_)->frame; }
    /// How many of so many packets of 1,000 bytes of IP leave, taken from `hosts` in turns.
    size_t pass(unsigned packets, const std::vector<std::string>& hosts = {"10.1.0.1"}) {
        std::vector<Bytes> frames;
        for (unsigned i = 0; i < packets; ++i)
            frames.push_back(
                frame(fmt::format("udp {}:1 > 192.0.2.1:9 len=972", hosts[i % hosts.size()])));
        const uint64_t before = over();
        box_.receive("lan", frames);
        size_t sent = 0;
        for (const Sent& each : box_.sent()) sent += each.frame.size() > 1000 ? 1 : 0;  // no ARP
        EXPECT_EQ(over() - before, packets - sent);
        return sent;
    }
    uint64_t over() { return box_.counter("drop.principal.over_cap"); }
    uint64_t used(const char* name, sched::Use use) {
        const auto id = box_.policy().principals->table.find(name);
        return box_.context().account->usage().get(id, use);
    }
    uint64_t packets(const char* name) { return used(name, sched::Use::kPackets) - taught_[name]; }
    PacketTextDefaults defaults_;
    std::map<std::string, uint64_t> taught_;
    StageFixture box_;
};

TEST_P(CapsTest, HoldsForAllOfACallAtOnceAndOneByOne) {
    EXPECT_EQ(pass(20), 20u);
    const uint64_t shortened = box_.shortened();
    EXPECT_EQ(pass(60), kBurst + 1 - 20) << "the last may owe a part";
    EXPECT_EQ(pass(10), 0u);
    EXPECT_EQ(used("org/one", sched::Use::kDrops), over());
    EXPECT_EQ(packets("org/one"), 90u);
    box_.advance(1000);
    EXPECT_EQ(pass(60), kASecond);
    EXPECT_GT(box_.shortened(), shortened + 60) << "nothing but the pipeline was asked";
}

TEST_P(CapsTest, IsOneForAllBelowAName) {
    const std::vector<std::string> both{"10.1.0.1", "10.2.0.1"};
    EXPECT_EQ(pass(20, both), 20u);
    EXPECT_EQ(pass(60, both), kBurst + 1 - 20);
    EXPECT_EQ(used("org/one", sched::Use::kDrops) + used("org/two", sched::Use::kDrops), over());
    EXPECT_EQ(packets("org/one"), 40u);
}

TEST_P(CapsTest, IsTheSameInThePipeline) {
    EXPECT_EQ(pass(60), kBurst + 1);
    box_.allow_shortcuts(false);
    EXPECT_EQ(pass(10), 0u);
    box_.advance(1000);
    EXPECT_EQ(pass(60), kASecond);
    box_.allow_shortcuts(true);
    EXPECT_EQ(pass(10), 0u);
}

// What was owed at 64 Kbit/s would take seconds.
TEST_P(CapsTest, ARaisedCapHoldsAtOnce) {
    EXPECT_EQ(pass(60), kBurst + 1);
    change_cap("100Mbit");
    EXPECT_EQ(pass(20), 1u) << "a burst may be owed";
    box_.advance(50);  // which is worked off by now: 100 Mbit/s are 625,000 bytes in 50 ms
    EXPECT_EQ(pass(60), 60u);
    change_cap("64Kbit");
    box_.advance(1);
    EXPECT_GT(pass(60), 0u);
}

// A neighbour beyond its cap is still found, whose ARP is charged to the port's principal.
TEST_P(CapsTest, ArpIsNotAsked) {
    std::string yaml = config(GetParam());
    yaml.insert(yaml.find(", addresses: 10.0.0.254/8"), ", principal: org/one");
    box_.apply(yaml);
    (void)box_.sent();
    EXPECT_EQ(pass(60), kBurst + 1);
    const uint64_t before = over();
    taught_["org/one"] = used("org/one", sched::Use::kPackets);
    box_.receive("lan", {frame("arp who-has 10.0.0.254 tell 10.1.0.1")});
    EXPECT_EQ(box_.sent().size(), 1u);
    EXPECT_EQ(packets("org/one"), 1u) << "charged to nobody who has a cap";
    EXPECT_EQ(over(), before);
}

// Bits of the clock that caps count with go round after 834 days.
TEST(Caps, AClockThatGoesRound) {
    Principals principals;
    principals.rates.resize(3);
    principals.rates[2] = {.cost = uint64_t{1} << 24, .burst = uint64_t{1000} << 8};  // 1 ns a byte
    const sched::PrincipalId id{2};
    const uint64_t round = uint64_t{1} << 56;
    sched::Usage usage(sched::kMaxPrincipals);
    Caps caps(usage);
    caps.follow(principals, round - 5000);
    EXPECT_TRUE(caps.take_all(id, 1000, round - 100));
    EXPECT_FALSE(caps.take_all(id, 600, round + 400));
    EXPECT_TRUE(caps.take_all(id, 400, round + 400));
    EXPECT_TRUE(caps.take(id, 500, round + 400)) << "the last may owe a part";
    EXPECT_FALSE(caps.take(id, 1, round + 400));
    EXPECT_TRUE(caps.take(id, 1, round + (uint64_t{1} << 55) + 1000)) << "a year later";
    EXPECT_FALSE(caps.take_all(id, UINT32_MAX, round + (uint64_t{1} << 55) + 1000));
}

// What leaves by a port with a rate waits there for its cap; by the way back, to a port without
// one, it is dropped as before.
TEST_P(CapsTest, APortWithARateShapesInstead) {
    std::string yaml = config(GetParam());
    yaml.insert(yaml.find(", addresses: 192.0.2.254/24"), ", rate: 1Gbit");
    box_.apply(yaml);
    box_.settle();
    (void)box_.sent();
    EXPECT_EQ(pass(1), 1u) << "judged by the policy that has the rate";
    for (const bool shortcuts : {true, false}) {
        box_.allow_shortcuts(shortcuts);
        std::vector<Bytes> frames(25, frame("udp 10.1.0.1:1 > 192.0.2.1:9 len=972"));
        const uint32_t waited = box_.policy().paced->link(1)->waiting();
        const uint64_t shortened = box_.shortened();
        box_.receive("lan", frames);
        const auto sent = static_cast<uint32_t>(box_.sent().size());
        EXPECT_EQ(box_.policy().paced->link(1)->waiting(), waited + 25 - sent);
        EXPECT_GT(box_.policy().paced->link(1)->waiting(), waited + 5);
        EXPECT_EQ(box_.shortened() - shortened, shortcuts ? 25u : 0u);
    }
    EXPECT_EQ(over(), 0u);
    box_.allow_shortcuts(true);
    box_.receive("wan",
                 std::vector<Bytes>(60, frame("in=wan udp 192.0.2.1:9 > 10.1.0.1:1 len=972")));
    if (std::string(GetParam()).find("stateful: false") == std::string::npos) {
        EXPECT_EQ(over(), 60u - kBurst - 1) << "of the flow's principal, by a port without a rate";
    }
}

TEST_P(CapsTest, WhoHasNoneIsNotAsked) {
    EXPECT_EQ(pass(60, {"172.16.0.1"}), 60u);
    EXPECT_EQ(packets("core"), 60u);
}

// By the shortcut, and by the express.
INSTANTIATE_TEST_SUITE_P(Rules, CapsTest,
                         ::testing::Values("{name: all, action: accept, in: [lan, wan]}",
                                           "{name: all, action: accept, stateful: false}"));

}  // namespace
}  // namespace ravelin::test
