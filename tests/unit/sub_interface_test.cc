// SPDX-License-Identifier: Apache-2.0
// Ports without a device: what the configuration may say, and which frames are whose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/compile/compiler.h"
#include "controlplane/kernel/tap_mirror.h"
#include "dataplane/port_policies.h"

namespace ravelin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A router with `lan` (9,000 bytes), `wan`, and the given ports on lines 4 and on.
std::string router_with(const std::string& ports, const std::string& mode = "router") {
    return "mode: " + mode + "\nports:\n- {name: lan, device: \"null\", mtu: 9000B}\n" + ports +
           "- {name: wan, device: \"null\"}\npipeline: [parse, route]\n";
}

std::string error_of(const std::string& yaml) {
    control::Compiler compiler;
    auto compiled = compiler.compile(yaml, "edge.yaml", control::SlotMap());
    return compiled ? "compiles" : compiled.error().message;
}

config::Node tree_of(const std::string& yaml) {
    control::Compiler compiler;
    auto compiled = compiler.compile(yaml, "edge.yaml", control::SlotMap());
    EXPECT_TRUE(compiled.ok()) << compiled.error().message;
    return compiled ? std::move(compiled->tree) : config::Node::map();
}

TEST(Vlan, IsOneIdOrTwo) {
    EXPECT_EQ(Vlan::parse("10")->outer, 10);
    EXPECT_EQ(Vlan::parse("10")->inner, 0);
    EXPECT_EQ(Vlan::parse("4094.1")->outer, 4094);
    EXPECT_EQ(Vlan::parse("4094.1")->inner, 1);
    EXPECT_EQ(Vlan::parse("4094.1")->to_string(), "4094.1");
    for (const char* wrong : {"", "0", "4095", "10.", ".10", "10.0", "10.4095", "1.2.3", "-1",
                              "0x10", "70000", " 10", "10 "})
        EXPECT_FALSE(Vlan::parse(wrong).ok()) << wrong;
}

TEST(VlanTags, StandAsOnTheWire) {
    const auto bytes = [](const Vlan& vlan) {
        const VlanTags tags = VlanTags::of(vlan);
        return std::vector<int>(tags.bytes.begin(), tags.bytes.begin() + tags.length);
    };
    EXPECT_THAT(bytes({}), ElementsAre());
    EXPECT_THAT(bytes({.outer = 0x123}), ElementsAre(0x81, 0x00, 0x01, 0x23));
    EXPECT_THAT(bytes({.outer = 0x123, .inner = 0x456, .service = true}),
                ElementsAre(0x88, 0xa8, 0x01, 0x23, 0x81, 0x00, 0x04, 0x56));
}

TEST(VlanMap, TellsEverySubInterfaceFromTheOthers) {
    std::vector<VlanMap::Entry> ports(2);  // two devices
    for (uint16_t id = 1; id <= 30; ++id) {
        ports.push_back({0, {.outer = id}});
        ports.push_back({1, {.outer = id, .inner = static_cast<uint16_t>(id + 1)}});
    }
    const VlanMap map(ports);
    for (uint16_t id = 1; id <= 30; ++id) {
        const auto inner = static_cast<uint16_t>(id + 1);
        EXPECT_EQ(map.find(0, id, 0), 2 * id);
        EXPECT_EQ(map.find(0, id | 0xf000, 0), 2 * id) << "priority and drop eligibility";
        EXPECT_EQ(map.find(1, id, inner), 2 * id + 1);
        EXPECT_EQ(map.find(1, inner, id), kNoPort);
        EXPECT_EQ(map.find(1, id, 0), kNoPort);
        EXPECT_EQ(map.find(0, id, inner), kNoPort);
        EXPECT_EQ(map.find(2, id, 0), kNoPort);
    }
    EXPECT_EQ(map.find(1, 0xe000, 0), 1) << "a priority tag";
    EXPECT_EQ(map.find(0, 31, 0), kNoPort);
    EXPECT_EQ(map.find(0, 7, 0, true), 14) << "alone with its id, it has both tags";
    EXPECT_EQ(VlanMap().find(3, 5, 0), kNoPort);
    EXPECT_EQ(VlanMap().find(3, 0, 0), 3);
}

TEST(VlanMap, TellsTheTwoTagsApartWhereBothHaveAnId) {
    for (const bool service_first : {false, true}) {
        std::vector<VlanMap::Entry> ports(1);
        ports.push_back({0, {.outer = 5, .service = service_first}});
        ports.push_back({0, {.outer = 5, .service = !service_first}});
        ports.push_back({0, {.outer = 6, .service = true}});
        const VlanMap map(ports);
        EXPECT_EQ(map.find(0, 5, 0, service_first), 1);
        EXPECT_EQ(map.find(0, 5, 0, !service_first), 2);
        EXPECT_EQ(map.find(0, 6, 0, false), 3);
        EXPECT_EQ(map.find(0, 6, 0, true), 3);
    }
}

TEST(FrameTags, AreReadAsFarAsTheyGo) {
    std::vector<uint8_t> frame(12, 0x02);
    for (const int byte : {0x88, 0xa8, 0xa0, 0x05, 0x81, 0x00, 0x00, 0x07, 0x08, 0x00, 0x45})
        frame.push_back(static_cast<uint8_t>(byte));
    for (size_t length = 0; length <= frame.size(); ++length) {
        const std::vector<uint8_t> cut(frame.begin(), frame.begin() + static_cast<long>(length));
        const FrameTags tags = FrameTags::read(cut.data(), cut.size());
        EXPECT_EQ(tags.length, length < 18 ? 0 : length < 22 ? 4 : 8) << length;
        EXPECT_EQ(tags.outer_tci, length < 18 ? 0 : 0xa005);
        EXPECT_EQ(tags.inner_tci, length < 22 ? 0 : 7);
        EXPECT_EQ(tags.service, length >= 18);
    }
}

TEST(SubInterface, TakesTheMtuOfItsParentOrLess) {
    const config::Node tree =
        tree_of(router_with("- {name: a, parent: lan, vlan: 5}\n"
                            "- {name: b, parent: lan, vlan: 6, mtu: 1400B}\n"));
    auto ports = read_ports(tree["ports"], PolicySnapshot::Mode::kRouter,
                            {{MacAddress{{2, 0, 0, 0, 0, 1}}, {}, {}, {}}});
    ASSERT_TRUE(ports.ok());
    EXPECT_EQ((*ports)[1].mtu, 9000u);
    EXPECT_EQ((*ports)[2].mtu, 1400u);
    EXPECT_EQ((*ports)[3].mtu, 1500u);
    EXPECT_EQ((*ports)[1].parent, 0);
    EXPECT_EQ((*ports)[2].mac, (*ports)[0].mac);
    EXPECT_EQ((*ports)[3].parent, kNoPort);
}

TEST(SubInterface, HasATapOfItsOwn) {
    const config::Node tree = tree_of(
        router_with("- {name: a, parent: lan, vlan: 5, tap: vlan5, addresses: 10.5.0.1/24}\n"));
    const auto taps = control::taps_of(tree);
    ASSERT_EQ(taps.size(), 1u);
    EXPECT_EQ(taps[0].mtu, 9000u);
    EXPECT_EQ(taps[0].interface, "") << "the device is its parent's";
}

TEST(SubInterface, IsRefusedWithItsPlaceInTheFile) {
    const auto refused = [](const std::string& members) {
        return error_of(router_with("- {name: a, " + members + "}\n"));
    };
    EXPECT_EQ(refused("parent: lan, vlan: 10.20"), "compiles");
    EXPECT_THAT(refused("parent: wan, vlan: 5"),
                AllOf(StartsWith("edge.yaml:4:21: ports[1].parent: "),
                      HasSubstr("found 'wan', expected a port with a device, earlier")));
    EXPECT_THAT(refused("parent: lan, vlan: 4095"),
                AllOf(StartsWith("edge.yaml:4:32: ports[1].vlan: "), HasSubstr("found '4095'")));
    EXPECT_THAT(refused("parent: lan"), HasSubstr("vlan"));
    EXPECT_THAT(refused("parent: lan, vlan: 5, device: \"null\""), HasSubstr("ports[1].device: "));
    EXPECT_THAT(refused("parent: lan, vlan: 5, mac: 02:00:00:00:00:05"), HasSubstr("ports[1].mac"));
    EXPECT_THAT(refused("parent: lan, vlan: 5, rss: device"), HasSubstr("ports[1].rss"));
    EXPECT_THAT(refused("parent: lan, vlan: 5, mtu: 9001B"),
                HasSubstr("ports[1].mtu: found 9001 bytes, expected at most the 9000"));
    EXPECT_THAT(refused("vlan: 5"), HasSubstr("ports[1]"));
    EXPECT_THAT(refused("device: \"null\", vlan: 5"),
                HasSubstr("ports[1].vlan: found without parent"));
    EXPECT_THAT(refused("parent: lan, vlan: 5, tag: 802.3"), HasSubstr("802.1q"));
    EXPECT_THAT(error_of(router_with("- {name: a, parent: lan, vlan: 5}\n"
                                     "- {name: b, parent: a, vlan: 6}\n")),
                HasSubstr("ports[2].parent: found 'a', expected a port with a device"));
    EXPECT_THAT(error_of(router_with("- {name: a, parent: lan, vlan: 5}\n"
                                     "- {name: b, parent: lan, vlan: 5, tag: 802.1ad}\n")),
                "compiles")
        << "two tags that a device tells apart";
    EXPECT_THAT(error_of(router_with("- {name: a, parent: lan, vlan: 5}\n"
                                     "- {name: b, parent: lan, vlan: 5}\n")),
                HasSubstr("ports[2].vlan: 5 is that of 'a' too, expected a different one"));
    EXPECT_THAT(
        error_of("ports:\n- {name: lan, device: 'af_packet:eth9'}\n"
                 "- {name: a, parent: lan, vlan: 5}\n"
                 "- {name: b, parent: lan, vlan: 5, tag: 802.1ad}\npipeline: [parse, route]\n"),
        HasSubstr("5 is that of 'a' too, expected a different one: af_packet receives"));
    EXPECT_THAT(error_of("mode: wire\nports:\n- {name: lan, device: \"null\", peer: wan}\n"
                         "- {name: wan, device: \"null\", peer: lan}\n"
                         "- {name: a, parent: lan, vlan: 5, peer: lan}\npipeline: [parse, wire]\n"),
                HasSubstr("ports[2]"));
}

TEST(TunnelEnd, IsRefusedWithItsPlaceInTheFile) {
    const auto refused = [](const std::string& vxlan, const std::string& more = "") {
        return error_of(
            "ports:\n- {name: lan, device: \"null\", addresses: [10.0.0.1/24, "
            "\"2001:db8::1/64\"]}\n- {name: vx" +
            more + ", vxlan: {" + vxlan + "}}\npipeline: [parse, route, vxlan]\n");
    };
    const std::string good = "vni: 5, local: 10.0.0.1, remotes: [{address: 10.0.0.2}]";
    EXPECT_EQ(refused(good), "compiles");
    EXPECT_EQ(refused(good, ", mtu: 1450B"), "compiles");
    EXPECT_THAT(
        refused(good, ", mtu: 1451B"),
        HasSubstr("ports[1].mtu: found 1451 bytes, expected at most 1450: the 1500 of 'lan'"));
    EXPECT_THAT(refused(good, ", device: \"null\""), HasSubstr("ports[1].device"));
    EXPECT_THAT(refused(good, ", parent: lan, vlan: 5"), HasSubstr("ports[1].parent"));
    EXPECT_THAT(refused("vni: 0, local: 10.0.0.1, remotes: [{address: 10.0.0.2}]"),
                HasSubstr("vni"));
    EXPECT_THAT(refused("vni: 5, local: 10.0.0.9, remotes: [{address: 10.0.0.2}]"),
                HasSubstr("ports[1].vxlan.local: found 10.0.0.9, expected an address of a port"));
    EXPECT_THAT(refused("vni: 5, local: 10.0.0.1, remotes: []"), HasSubstr("found 0 addresses"));
    for (const char* remote : {"10.0.0.1", "224.0.0.1", "169.254.1.1", "\"2001:db8::2\""})
        EXPECT_THAT(
            refused(std::string("vni: 5, local: 10.0.0.1, remotes: [{address: ") + remote + "}]"),
            HasSubstr("expected another host's"))
            << remote;
    EXPECT_THAT(refused("vni: 5, local: 10.0.0.1, remotes: [{address: 10.0.0.2, mac: "
                        "\"02:00:00:00:00:01\"}, {address: 10.0.0.3, mac: \"02:00:00:00:00:01\"}]"),
                HasSubstr("listed twice"));
}

TEST(TunnelEnd, KnowsWhoIsBehindWhichRemote) {
    const config::Node tree = tree_of(
        "ports:\n- {name: lan, device: \"null\", addresses: \"2001:db8::1/64\", mtu: 9000B}\n"
        "- {name: vx, vxlan: {vni: 5, local: \"2001:db8::1\", remotes: [{address: "
        "\"2001:db8::2\"}, "
        "{address: \"2001:db8::3\", mac: \"02:00:00:00:00:09\"}, {address: \"2001:db8::3\", mac: "
        "\"02:00:00:00:00:01\"}]}}\npipeline: [parse, route, vxlan]\n");
    const auto ports = read_ports(tree["ports"], PolicySnapshot::Mode::kRouter, {});
    ASSERT_TRUE(ports.ok());
    const PortPolicy& port = (*ports)[1];
    EXPECT_EQ(port.mtu, 8930u);
    EXPECT_EQ(port.parent, 0);
    EXPECT_EQ(port.vxlan->remotes.size(), 2u);
    const auto behind = [&](uint8_t last) {
        return port.vxlan->remotes_of(MacAddress{{2, 0, 0, 0, 0, last}});
    };
    ASSERT_EQ(behind(1).size(), 1u);
    EXPECT_EQ(behind(1)[0], port.vxlan->remotes[1]);
    EXPECT_EQ(behind(9)[0], port.vxlan->remotes[1]);
    EXPECT_EQ(behind(5).size(), 2u);
}

}  // namespace
}  // namespace ravelin
