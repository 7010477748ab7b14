// SPDX-License-Identifier: Apache-2.0
// The express against the whole pipeline: the same random packets, policies, routes, neighbours and
// links go through two boxes, one of which sends all through the pipeline.
#include "dataplane/express.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/frame_at.h"
#include "tests/support/instrumented.h"
#include "tests/unit/express_support.h"
#include "tests/unit/shortcut_support.h"
#include "tests/unit/twins.h"

namespace ravelin::test {
namespace {

constexpr unsigned kSteps = kInstrumented ? 400 : 1500;
constexpr PortId kWan = 1, kTwo = 2;

class World {
  public:
    World(unsigned seed, std::string firewall)
        : random_{std::mt19937(seed)},
          charged_(seed % 2 == 0),
          firewall_(firewall_of(std::move(firewall), charged_)),
          twins_(yaml_of(firewall_, kOne, charged_)) {}
    void run(unsigned steps) {
        for (unsigned step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) {
            burst();
            if (random_() % 30 == 0) event();
            twins_.compare(fmt::format("step {}", step));
        }
        twins_.compare_all();
        if (charged_) {
            EXPECT_GT(twins_.charged("inner/one"), kSteps) << "no charges were compared";
        }
    }
    [[nodiscard]] const Twins& twins() const { return twins_; }

  private:
    // A rule whose packets are charged to a principal of its own.
    static std::string firewall_of(std::string firewall, bool charged) {
        const std::string dns = "{name: dns, ";
        if (const size_t at = firewall.find(dns); charged && at != std::string::npos)
            firewall.insert(at + dns.size(), "principal: dns, ");
        return firewall;
    }
    template <typename T, size_t N>
    T one_of(const T (&words)[N]) {
        return words[random_() % N];
    }
    std::string address(bool inner, bool source) {
        if (random_() % 200 == 0)
            return one_of({"10.0.0.1", "192.0.2.255", "169.254.1.1", "127.0.0.1", "0.0.0.0",
                           "255.255.255.255", "240.0.0.1", "224.0.0.5", "198.51.100.1"});
        if (inner)
            return fmt::format("10.{}.0.{}", random_() % 4 == 0 ? 5 : 0,
                               20 + random_() % (source ? 200 : 4));
        return random_() % 8 == 0 ? fmt::format("8.8.{}.8", random_() % 4)
                                  : fmt::format("203.0.113.{}", random_() % 64);
    }
    std::string text(bool outward) {
        const std::string from = address(outward, true), to = address(!outward, false);
        const std::string odd =
            random_() % 20 != 0 ? "" : one_of({" ttl=1", " df", " options", " mf id=7", " ttl=2"});
        const unsigned length = random_() % 10 == 0 ? 1350 : random_() % 90;
        const int port = one_of({53, 80, 22, 4000});
        switch (random_() % (few_ ? 40 : 150)) {
            case 0:
                return fmt::format("icmp {} > {} echo-request id=5 seq=1{}", from, to, odd);
            case 1:
                return fmt::format("ip proto=50 {} > {} len={}{}", from, to, length, odd);
            case 2:
                return fmt::format("ip proto=17 {} > {} frag=24 id=7 len=16", from, to);
            case 3:
                return "arp who-has 10.0.0.1 tell 10.0.0.20";
            case 4:
                return fmt::format("udp [fd00:1::9]:1 > [2001:db8::{}]:{} len=9", length, port);
            case 5:
                return fmt::format("vlan=5 udp 10.5.0.20:1 > {}:{} len={}", to, port, length);
            default:
                break;
        }
        const unsigned own = 1000 + random_() % 3;
        if (random_() % 2 == 0)
            return fmt::format("udp {}:{} > {}:{} len={}{}", from, own, to, port, length, odd);
        const char* flags =
            one_of({"syn", "ack", "ack", "ack,psh", "fin,ack", "rst", "syn,ack", "syn,fin", "ack"});
        return fmt::format("tcp {}:{} > {}:{} {} len={}{}", from, own, to, port, flags, length,
                           odd);
    }
    // Every other one is of few addresses, much of it odd: what may not overtake what.
    void burst() {
        std::map<std::string, std::vector<Bytes>> by_port;
        few_ = random_() % 2 == 0;
        for (unsigned n = 1 + random_() % (few_ ? 30 : 100); n != 0; --n) {
            const std::string port = one_of({"lan", "lan", "wan", "two"});
            Bytes frame = frame_at(twins_.policy(), text(port == "lan"), port);
            if (random_() % 20 == 0) bend(frame, random_);
            if (few_ && frame[12] == 8 && random_() % 12 == 0)
                frame.insert(frame.begin() + 12, {0x81, 0, 0, 0});  // a priority
            by_port[port].push_back(std::move(frame));
        }
        for (const auto& each : by_port)
            twins_.both([&](StageFixture& box) { box.receive(each.first, each.second); });
    }
    void announce() {
        const auto arp =
            frame_at(twins_.policy(), fmt::format("arp 10.0.0.{} is-at 02:00:00:00:00:{:02x}",
                                                  20 + random_() % 4, 0x20 + random_() % 4));
        twins_.both([&](StageFixture& box) { box.receive("lan", {arp}); });
    }
    void learn() {
        const std::vector<WeightedHop> hops{learned_hop(kWan, "192.0.2.8"),
                                            learned_hop(kTwo, "198.51.100.9")};
        const std::string to = one_of({"203.0.113.7/32", "8.8.0.0/16", "203.0.113.16/29"});
        switch (random_() % 4) {
            case 0:
                return twins_.learn(to, hops);
            case 1:
                return twins_.learn(to, {});
            default:
                return twins_.learn(to, {hops[random_() % 2]});
        }
    }
    void event() {
        switch (random_() % 8) {
            case 0:
                return twins_.both(
                    [&, ms = random_() % 40'000](StageFixture& b) { b.advance(ms); });
            case 1:
                return twins_.both([&, yaml = yaml_of(firewall_, one_of({kOne, kBoth}), charged_)](
                                       StageFixture& box) { box.apply(yaml); });
            case 2: {
                const SetEdit edit{
                    .set = "bad", .elements = {"10.0.0.21/32"}, .add = random_() % 2 == 0};
                return twins_.both([&](StageFixture& box) { box.edit(edit); });
            }
            case 3: {
                const uint64_t down = random_() % 3 == 0 ? uint64_t{1} << kWan : 0;
                return twins_.both(
                    [&](StageFixture& box) { box.context().neighbours->set_links_down(down); });
            }
            case 4:
                return learn();
            default:
                return announce();
        }
    }

    Random random_;
    bool few_ = false;
    bool charged_;
    std::string firewall_;
    Twins twins_;
};

struct Case {
    const char* name;
    const std::string& firewall;
    double share;  ///< of the frames that are to take the express, at least
};
class ExpressTest : public ::testing::TestWithParam<Case> {};

TEST_P(ExpressTest, DoesWhatThePipelineDoes) {
    for (const unsigned seed : {1u, 2u}) {
        World world(seed, GetParam().firewall);
        world.run(kSteps);
        EXPECT_GT(static_cast<double>(world.twins().shortened()), kSteps * 50 * GetParam().share)
            << "hardly compared";
        for (const char* kind : {"IPv4 tcp", "IPv4 udp"})
            EXPECT_GT(world.twins().kinds().at(kind), kSteps / 10) << kind << ": hardly compared";
    }
}
Bytes plain(StageFixture& box) {
    return frame_at(box.policy(), "udp 10.0.0.20:1000 > 203.0.113.7:53 len=4");
}

// What nobody has routed, or nobody has made ready, is the pipeline's.
TEST(ExpressPipelineTest, NothingIsSentThatNoStageMadeReady) {
    const std::string whole = yaml_of(kStateless, kOne);
    const size_t steps = whole.find("  - parse");
    for (const char* rest : {"  - parse\n", "  - parse\n  - steer\n  - clamp\n",
                             "  - parse\n  - steer\n  - route\n"}) {
        StageFixture box(whole);
        box.settle();  // static neighbours
        box.receive("lan", {plain(box)});
        box.apply(whole.substr(0, steps) + rest);
        (void)box.sent();
        const uint64_t before = box.shortened();
        box.receive("lan", {plain(box)});
        EXPECT_EQ(box.shortened(), before) << rest;
    }
}

// The flood that it is for.
TEST(ExpressPipelineTest, DropsWhatWantsToOpen) {
    StageFixture box(
        yaml_of("rules: [{name: web, action: accept, to-ports: 80, protocol: tcp}]", kOne));
    for (const char* flags : {"syn", "syn mss=1460 wscale=7", "ack"}) {
        const uint64_t before = box.shortened();
        box.receive("lan", {frame_at(box.policy(),
                                     fmt::format("tcp 10.0.0.20:1 > 203.0.113.7:22 {}", flags))});
        EXPECT_EQ(box.shortened(), before + 1) << flags;
    }
    EXPECT_EQ(box.drops().at("firewall.default"), 2u);
    EXPECT_EQ(box.drops().at("firewall.tcp_no_flow"), 1u);
}

// Live rules end it, until they are part of the tables.
TEST(ExpressPipelineTest, GoesOnAfterAMerge) {
    StageFixture box(yaml_of(kStateless, kOne));
    box.settle();  // static neighbours
    const auto takes = [&] {
        const uint64_t before = box.shortened();
        box.receive("lan", {plain(box)});
        return box.shortened() - before;
    };
    EXPECT_EQ(takes(), 1u);
    firewall::RuleChanges changes;
    changes.Add()->set_remove("told");
    box.change_rules(changes);
    EXPECT_EQ(takes(), 0u);
    box.merge_rules();
    EXPECT_EQ(takes(), 1u);
}

// A NIC that hashes other fields than steer brings a packet to a worker that does not know its
// flow.
TEST(ExpressPipelineTest, LeavesPacketsOfOtherWorkers) {
    StageFixture box(yaml_of(kNoFirewall, kOne) + "workers: {count: 2}\n");
    box.context().rss_entries = 2;
    box.settle();  // static neighbours
    (void)box.sent();
    unsigned taken = 0;
    for (unsigned port = 1; port <= 64; ++port) {
        const uint64_t before = box.shortened();
        box.receive(
            "lan",
            {frame_at(box.policy(), fmt::format("udp 10.0.0.20:{} > 203.0.113.7:53 len=4", port))});
        taken += static_cast<unsigned>(box.shortened() - before);
        for (const Sent& sent : box.sent())
            EXPECT_TRUE(sent.port == "worker1" || box.shortened() > before) << sent.port;
    }
    EXPECT_GT(taken, 10u);
    EXPECT_LT(taken, 54u);
}

INSTANTIATE_TEST_SUITE_P(Policies, ExpressTest,
                         ::testing::Values(Case{"routes", kNoFirewall, 0.05},
                                           Case{"stateless", kStateless, 0.03},
                                           Case{"stateful", kStateful, 0.02}),
                         [](const auto& c) { return std::string(c.param.name); });

}  // namespace
}  // namespace ravelin::test
