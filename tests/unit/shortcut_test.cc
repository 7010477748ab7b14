// SPDX-License-Identifier: Apache-2.0
// The shortcut against the whole pipeline: the same random packets, policies, routes, neighbours
// and links go through two boxes, one of which takes no shortcuts. What leaves, each flow's packets
// in order, every counter and every flow must be the same.
#include "dataplane/shortcut.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <span>

#include "tests/support/frame_at.h"
#include "tests/support/instrumented.h"
#include "tests/unit/shortcut_support.h"
#include "tests/unit/twins.h"

namespace ravelin::test {
namespace {

constexpr unsigned kConversations = 24, kSteps = kInstrumented ? 1000 : 3000;
constexpr PortId kWan = 1, kTwo = 2;

struct Policy {
    std::string rules, hops;
    std::string nat{};     ///< rules; empty: no such stage
    bool charged = false;  ///< whether principals are declared
};

constexpr const char* kPrincipals = R"(
principals:
  - {name: inner, prefixes: [10.0.0.0/24, "fd00:1::/64"]}
  - {name: inner/one, prefixes: 10.0.0.21/32}
  - {name: tagged}
)";

std::string yaml_of(const Policy& policy) {
    return (policy.charged ? kPrincipals : "") +
           fmt::format(R"(
sets: {{bad: {{type: prefixes, size: 16}}}}
ports:
  - {{name: lan, device: 'null', addresses: [10.0.0.1/24, "fd00:1::1/64"], mac: '02:00:00:00:aa:01'}}
  - {{name: wan, device: 'null', addresses: [192.0.2.1/24, "fd00:2::1/64"], mac: '02:00:00:00:aa:02', mtu: 1300B}}
  - {{name: two, device: 'null', addresses: 198.51.100.1/24, mac: '02:00:00:00:aa:03', rpf: strict}}
  - {{name: lan.5, parent: lan, vlan: 5, addresses: [10.5.0.1/24, "fd00:5::1/64"]{}}}
pipeline:
  - parse
  - steer{}
  - route: {{routes: [{{to: 0.0.0.0/0, next-hops: [{}]}}, {{to: "::/0", via: "fd00:2::2"}}]}}
  - firewall: {{rules: [{}]}}{}
  - neighbour:
      static:
        - {{port: wan, address: 192.0.2.8, mac: '02:00:00:00:01:08'}}
        - {{port: wan, address: 192.0.2.9, mac: '02:00:00:00:01:09'}}
        - {{port: two, address: 198.51.100.9, mac: '02:00:00:00:02:09'}}
        - {{port: wan, address: "fd00:2::2", mac: '02:00:00:00:01:0a'}}
        - {{port: wan, address: "fd00:2::3", mac: '02:00:00:00:01:0b'}}
        - {{port: lan, address: "fd00:1::9", mac: '02:00:00:00:00:0a'}}
        - {{port: lan.5, address: "fd00:5::9", mac: '02:00:00:00:05:0a'}}
  - local
  - clamp
  - rewrite
)",
                       policy.charged ? ", principal: tagged" : "",
                       policy.nat.empty() ? "" : "\n  - nat: {rules: [" + policy.nat + "]}",
                       policy.hops, policy.rules, policy.charged ? "\n  - classify" : "");
}

const std::string kOut =
    "{name: bad, action: drop, from: '@bad'}, {name: out, action: accept, in: [lan, lan.5]}";
const std::string kNoUdp = "{name: udp, action: drop, protocol: udp}, " + kOut;
const std::string kOne = "{via: 192.0.2.9}", kBoth = "{via: 192.0.2.9}, {via: 198.51.100.9}";
const std::string kMasquerade = "{name: out, kind: masquerade, out: wan}";

class World {
  public:
    World(unsigned seed, std::string nat)
        : random_{std::mt19937(seed)},
          nat_(std::move(nat)),
          charged_(seed % 2 == 0),
          twins_(yaml_of({kOut, kOne, nat_, charged_})) {
        for (unsigned i = 0; i < kConversations; ++i)
            conversations_.emplace_back(i, !nat_.empty(), random_);
        announce_all();
    }
    void run(unsigned steps) {
        for (unsigned step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) {
            burst();
            if (random_() % 60 == 0) event();
            if (random_() % 40 == 0) announce_all();
            twins_.compare(fmt::format("step {}", step));
            deliver();
        }
        twins_.compare_all();
        if (charged_) {
            EXPECT_GT(twins_.charged("inner/one"), 100u) << "no charges were compared";
        }
    }
    [[nodiscard]] const Twins& twins() const { return twins_; }

  private:
    void burst() {
        std::map<std::string, std::vector<Bytes>> by_port;
        for (unsigned n = 1 + random_() % 100; n != 0; --n) {
            Conversation& of = conversations_[random_() % conversations_.size()];
            const auto p = random_() % 30 == 0 ? of.aside() : of.next();
            Bytes frame = frame_at(twins_.policy(), p.text, p.port);
            bend(frame, random_);
            by_port[p.port].push_back(std::move(frame));
        }
        for (const auto& each : by_port)
            twins_.both([&](StageFixture& box) { box.receive(each.first, each.second); });
    }
    void deliver() {
        for (const Sent& sent : twins_.delivered()) {
            const auto segment = segment_of(sent.frame);
            if (!segment) continue;
            const unsigned port = std::max(segment->source_port, segment->destination_port),
                           id = port - Conversation::kFirstPort;
            if (id < conversations_.size()) conversations_[id].hear(*segment);
        }
    }
    // ARP of a host behind lan or its sub-interface, whose MAC is another each time.
    void announce(bool tagged, unsigned host) {
        const auto arp =
            frame_at(twins_.policy(), fmt::format("{}arp 10.{}.0.{} is-at 02:00:00:00:00:{:02x}",
                                                  tagged ? "vlan=5 " : "", tagged ? 5 : 0, host,
                                                  0x20 + random_() % 4));
        twins_.both([&](StageFixture& box) { box.receive("lan", {arp}); });
    }
    void announce_all() {
        for (unsigned i = 0; i < 2 * kHosts; ++i) announce(i % 2 == 0, kFirstHost + i / 2);
    }
    // A routing daemon's ways to the far ends: one next hop, two, or none any more.
    void learn() {
        const std::vector<WeightedHop> v4{learned_hop(kWan, "192.0.2.8"),
                                          learned_hop(kTwo, "198.51.100.9")};
        switch (random_() % 6) {
            case 0:
                return twins_.learn("203.0.113.0/24", v4);
            case 1:
                return twins_.learn("203.0.113.0/24", {v4[random_() % 2]});
            case 2:
                return twins_.learn("203.0.113.0/24", {});
            case 3:
                return twins_.learn("10.0.0.21/32", random_() % 2 == 0
                                                        ? std::vector<WeightedHop>{}
                                                        : std::vector<WeightedHop>{v4[0]});
            case 4:
                return twins_.learn("2001:db8::/32", {learned_hop(kWan, "fd00:2::3")});
            default:
                return twins_.learn("2001:db8::/32", {});
        }
    }
    void change_policy() {
        if (provisional_ && random_() % 2 == 0) {
            provisional_ = false;
            return twins_.both([](StageFixture& box) { box.roll_back(); });
        }
        provisional_ = true;
        const std::string yaml = yaml_of({random_() % 3 == 0 ? kNoUdp : kOut,
                                          random_() % 2 == 0 ? kOne : kBoth, nat_, charged_});
        twins_.both([&](StageFixture& box) { box.apply(yaml); });
    }
    void event() {
        switch (random_() % 9) {
            case 0:
                return twins_.both(
                    [&, ms = random_() % 40'000](StageFixture& b) { b.advance(ms); });
            case 1:
            case 2:
                return change_policy();
            case 3: {
                const SetEdit edit{
                    .set = "bad", .elements = {"10.0.0.20/32"}, .add = random_() % 2 == 0};
                return twins_.both([&](StageFixture& box) { box.edit(edit); });
            }
            case 4: {
                const uint64_t down = random_() % 3 == 0 ? uint64_t{1} << kWan : 0;
                return twins_.both(
                    [&](StageFixture& box) { box.context().neighbours->set_links_down(down); });
            }
            case 5:
            case 6:
                return learn();
            default:
                return announce(random_() % 2 == 0, kFirstHost + random_() % kHosts);
        }
    }

    Random random_;
    std::string nat_;
    bool charged_;
    Twins twins_;
    std::vector<Conversation> conversations_;
    bool provisional_ = false;  // the last apply() can be rolled back
};

class ShortcutTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(ShortcutTest, DoesWhatThePipelineDoes) {
    World world(GetParam(), "");
    world.run(kSteps);
    for (const char* kind : {"IPv4 tcp", "IPv4 udp", "IPv6 tcp", "IPv6 udp"})
        for (const char* way : {"", " to a VLAN"}) {
            const auto found = world.twins().kinds().find(std::string(kind) + way);
            ASSERT_NE(found, world.twins().kinds().end()) << kind << way;
            EXPECT_GT(found->second, kSteps / 100) << kind << way << ": hardly compared";
        }
    EXPECT_GT(world.twins().sent_by("two"), kSteps / 100) << "no learned or second next hop";
}
INSTANTIATE_TEST_SUITE_P(Seeds, ShortcutTest, ::testing::Range(1u, 5u));

// Translated or beside translation, nothing may be shortened: `nat` must see every packet.
TEST(ShortcutNatTest, NothingIsShortenedBesideTranslation) {
    World world(9, kMasquerade);
    world.run(kSteps / 4);
    EXPECT_EQ(world.twins().shortened(), 0u);
    EXPECT_GT(world.twins().sent_by("wan"), kSteps / 4) << "nothing was compared";
}

}  // namespace
}  // namespace ravelin::test
