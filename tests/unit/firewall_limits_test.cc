// SPDX-License-Identifier: Apache-2.0
// Rules with conditions beyond the classifier: against a plain scan of random rules; budgets that
// a full table and a change of policy meet.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>

#include "dataplane/net/packet_text.h"
#include "pipelines/stages/firewall_policy.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

using firewall::Ask;
using firewall::FirewallPolicy;
using Random = std::mt19937_64;

std::string wire(const std::string& firewall) {
    return "mode: wire\nports: [{name: lan, device: 'null'}, {name: wan, device: 'null'}]\n"
           "pipeline: [parse, wire, {firewall: {builtin: false, " +
           firewall + "}}]\n";
}

// A rule as this test means it, written out as YAML and asked directly.
struct Plain {
    std::optional<unsigned> protocol, dscp, fragment, options;
    std::optional<std::pair<unsigned, unsigned>> ttl, length, flags;

    static Plain random(Random& rng) {
        const auto maybe = [&](unsigned values) -> std::optional<unsigned> {
            return rng() % 3 == 0 ? std::optional(static_cast<unsigned>(rng() % values))
                                  : std::nullopt;
        };
        const auto range = [&](unsigned values) -> std::optional<std::pair<unsigned, unsigned>> {
            const auto low = static_cast<unsigned>(rng() % values);
            return rng() % 3 == 0
                       ? std::optional(std::pair(low, low + static_cast<unsigned>(rng() % 3)))
                       : std::nullopt;
        };
        Plain p;
        p.dscp = maybe(3);
        p.fragment = maybe(2);
        p.options = maybe(2);
        p.ttl = range(6);
        p.length = range(6);
        p.protocol = maybe(2) ? std::optional<unsigned>(rng() % 2 ? 6 : 17) : std::nullopt;
        if (p.protocol != 17u && rng() % 3 == 0) {
            const auto mask = static_cast<unsigned>(1 + rng() % 31);
            p.flags = {static_cast<unsigned>(rng()) & mask, mask};
        }
        return p;
    }
    [[nodiscard]] std::string yaml(size_t index) const {
        std::string out = fmt::format("{{name: r{}, action: accept", index);
        if (protocol) out += fmt::format(", protocol: {}", *protocol);
        if (dscp) out += fmt::format(", dscp: {}", *dscp);
        if (fragment) out += fmt::format(", fragment: {}", *fragment == 1);
        if (options) out += fmt::format(", options: {}", *options == 1);
        if (ttl) out += fmt::format(", ttl: {}-{}", ttl->first, ttl->second);
        if (length) out += fmt::format(", length: {}-{}", length->first, length->second);
        if (flags)
            out += fmt::format(", tcp-flags: \"{}/{}\"", words(flags->first), words(flags->second));
        return out + "}";
    }
    static std::string words(unsigned flags) {
        static constexpr std::array kWords{"fin", "syn", "rst", "psh", "ack"};
        std::vector<std::string> out;
        for (size_t i = 0; i < kWords.size(); ++i)
            if ((flags >> i & 1) != 0) out.emplace_back(kWords[i]);
        return out.empty() ? "none" : fmt::format("{}", fmt::join(out, ","));
    }
    [[nodiscard]] bool takes(const PacketMeta& m) const {
        if (protocol && m.protocol != *protocol) return false;
        if (dscp && m.tos / 4u != *dscp) return false;
        if (fragment && m.has(PacketMeta::kFragment) != (*fragment == 1)) return false;
        if (options && m.has(PacketMeta::kIpOptions) != (*options == 1)) return false;
        if (ttl && (m.ttl < ttl->first || m.ttl > ttl->second)) return false;
        if (length && (m.l3_total < length->first || m.l3_total > length->second)) return false;
        if (!flags) return true;
        return m.protocol == 6 && !m.has(PacketMeta::kLaterFragment) &&
               (m.tcp_flags & flags->second) == flags->first;
    }
};

PacketMeta random_packet(Random& rng) {
    PacketMeta m;
    m.source = IpAddress::v4(0x0a000001);
    m.destination = IpAddress::v4(0x0a000002);
    m.flags = PacketMeta::kIpv4;
    if (rng() % 2 == 0) m.flags |= PacketMeta::kFragment;
    if (m.has(PacketMeta::kFragment) && rng() % 2 == 0) m.flags |= PacketMeta::kLaterFragment;
    if (rng() % 2 == 0) m.flags |= PacketMeta::kIpOptions;
    m.protocol = rng() % 2 == 0 ? 6 : 17;
    m.tos = static_cast<uint8_t>(rng() % 16);
    m.ttl = static_cast<uint8_t>(rng() % 9);
    m.l3_total = static_cast<uint32_t>(rng() % 9);
    m.tcp_flags = static_cast<uint8_t>(rng());
    m.in_port = 0;
    m.out_port = 1;
    return m;
}

TEST(FirewallConditions, MatchWhatAPlainScanMatches) {
    Random rng(11);
    size_t matched = 0;
    for (unsigned round = 0; round < 40; ++round) {
        std::vector<Plain> rules;
        std::vector<std::string> texts;
        for (size_t i = 0; i < 1 + rng() % 30; ++i) {
            rules.push_back(Plain::random(rng));
            texts.push_back(rules.back().yaml(i));
        }
        StageFixture box(wire(fmt::format("rules: [{}]", fmt::join(texts, ", "))));
        const auto& policy =
            static_cast<const FirewallPolicy&>(*box.context().policy->steps.back().policy);
        for (unsigned i = 0; i < 2000; ++i) {
            const PacketMeta packet = random_packet(rng);
            uint32_t expected = kNoRule;
            for (size_t r = 0; r < rules.size() && expected == kNoRule; ++r)
                if (rules[r].takes(packet)) expected = static_cast<uint32_t>(r);
            Ask ask;
            const auto* found = policy.match(firewall::classifier_key(packet, firewall::kStateNew),
                                             packet.ttl, ask);
            ASSERT_EQ(found == nullptr ? kNoRule : found->slot, expected)
                << (expected == kNoRule ? "" : texts[expected]);
            matched += expected != kNoRule;
        }
    }
    EXPECT_GT(matched, 20'000u);
}

class FirewallBudgets : public ::testing::Test {
  protected:
    void start(const std::string& firewall, uint32_t flows) {
        box_ = std::make_unique<StageFixture>(wire(firewall), flows);
    }
    void in(const std::string& port, const std::string& text) {
        PacketTextDefaults defaults;
        defaults.port = port;
        auto packet = parse_packet_text(text, defaults);
        ASSERT_TRUE(packet.ok()) << packet.error().message;
        box_->receive(port, {packet->frame});
    }
    void udp(unsigned from, bool answered = false) {
        in("lan", fmt::format("udp 10.0.0.{}:1 > 192.0.2.7:53", from));
        if (answered) in("wan", fmt::format("udp 192.0.2.7:53 > 10.0.0.{}:1", from));
    }
    [[nodiscard]] uint32_t flows() { return box_->context().flows->size(); }
    [[nodiscard]] uint32_t counted(unsigned from, uint32_t slot = 0) {
        const IpAddress source = IpAddress::v4(0x0a000000 + from);
        return box_->context().flows->counts()->count(source, slot);
    }
    std::unique_ptr<StageFixture> box_;
};

TEST_F(FirewallBudgets, UnansweredFlowsHaveTheirPartOfTheTableAndTheOldestGoes) {
    start("unproven-budget: {percent: 50}, rules: [{name: a, action: accept, in: lan}]", 16);
    for (unsigned i = 0; i < 4; ++i) udp(i, true);
    for (unsigned i = 10; i < 40; ++i) udp(i);
    EXPECT_TRUE(box_->drops().empty());
    EXPECT_EQ(flows(), 12u);
    EXPECT_EQ(box_->context().flows->unproven(), 8u);
    for (unsigned i = 0; i < 4; ++i) udp(i, true);
    EXPECT_EQ(flows(), 12u);
}

TEST_F(FirewallBudgets, OrNewPacketsAreDroppedByName) {
    start(
        "unproven-budget: {percent: 50, when-full: drop}, rules: [{name: a, action: accept, in: "
        "lan}]",
        16);
    for (unsigned i = 0; i < 10; ++i) udp(i);
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"firewall.unproven_budget", 2}}));
    in("wan", "udp 192.0.2.7:53 > 10.0.0.3:1");
    udp(20);
    EXPECT_EQ(flows(), 9u);
    EXPECT_EQ(box_->drops().at("firewall.unproven_budget"), 2u);
}

// What is counted for a flow that then finds no room is given back.
TEST_F(FirewallBudgets, AFlowThatFindsNoRoomIsNotCounted) {
    start(
        "unproven-budget: {per-source: 100}, rules: [{name: a, action: accept, in: lan, "
        "connections: {per-source: 5}}]",
        4);
    for (unsigned i = 0; i < 4; ++i) udp(i, true);
    udp(50);
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"firewall.flow_table_full", 1}}));
    EXPECT_EQ(counted(50), 0u);
    EXPECT_EQ(counted(50, SourceCounts::kUnproven), 0u);
    EXPECT_EQ(counted(1), 1u);
}

TEST_F(FirewallBudgets, AnEvictedFlowIsNotCountedAnyMore) {
    start("rules: [{name: a, action: accept, in: lan, connections: {per-source: 5}}]", 4);
    for (unsigned i = 0; i < 4; ++i) udp(i);
    EXPECT_EQ(counted(0), 1u);
    udp(50);
    EXPECT_EQ(counted(0), 0u);
    EXPECT_EQ(counted(50), 1u);
}

// Packets that a rule takes without opening a flow must not use up its number.
TEST_F(FirewallBudgets, OnlyFlowsAreCounted) {
    start(
        "rules: [{name: a, action: accept, state: [new, untracked, related, invalid], "
        "connections: {per-source: 5}}]",
        64);
    in("lan", "icmp 10.0.0.1 > 192.0.2.7 type=13 code=0");
    in("lan", "tcp 10.0.0.1:1 > 192.0.2.7:80 ack seq=1 ack=1");
    in("lan", "tcp 10.0.0.1:1 > 192.0.2.7:80 fin");
    EXPECT_TRUE(box_->drops().empty());
    EXPECT_EQ(counted(1), 0u);
    udp(1);
    EXPECT_EQ(counted(1), 1u);
    in("wan", "icmp 192.0.2.7 > 10.0.0.1 unreachable/3 quoting (udp 10.0.0.1:1 > 192.0.2.7:53)");
    EXPECT_EQ(counted(1), 1u);
}

TEST_F(FirewallBudgets, AChangeOfPolicyMovesTheCountToTheRuleThatAcceptsNow) {
    const std::string limit = "connections: {per-source: 1}";
    start("rules: [{name: a, action: accept, in: lan, slot: 3, " + limit + "}]", 64);
    udp(1);
    EXPECT_EQ(counted(1, 3), 1u);
    box_->apply(wire("rules: [{name: b, action: accept, in: lan, slot: 4, " + limit + "}]"));
    udp(1);
    EXPECT_EQ(counted(1, 3), 0u);
    EXPECT_EQ(counted(1, 4), 1u);
    box_->apply(wire("rules: [{name: c, action: accept, in: lan, slot: 5}]"));
    udp(1);
    EXPECT_EQ(counted(1, 4), 0u);
    box_->apply(wire("rules: [{name: b, action: accept, in: lan, slot: 4, " + limit + "}]"));
    udp(1);
    EXPECT_EQ(counted(1, 4), 1u);
    box_->apply(wire("rules: [{name: d, action: drop, in: lan}]"));
    udp(1);
    EXPECT_EQ(flows(), 0u);
    EXPECT_EQ(counted(1, 4), 0u);
}

TEST_F(FirewallBudgets, ADryRunTakesNoTokenAndCountsNothing) {
    start(
        "rules: [{name: a, action: accept, in: lan, limit: {rate: 1pps, burst: 1}, "
        "connections: {per-source: 1}}]",
        64);
    box_->context().dry_run = true;
    for (unsigned i = 0; i < 3; ++i) udp(1);
    box_->context().dry_run = false;
    EXPECT_TRUE(box_->drops().empty());
    EXPECT_EQ(counted(1), 0u);
    udp(1);
    udp(2);
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"firewall.default", 1}}));
}

}  // namespace
}  // namespace ravelin::test
