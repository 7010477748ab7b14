// SPDX-License-Identifier: Apache-2.0
// The firewall stage where YAML does not reach: a full table, logs, dry runs, a flow in words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/events.h"
#include "dataplane/net/packet_text.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/stages/firewall_view.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

std::string wire(const std::string& firewall) {
    return "mode: wire\nports: [{name: lan, device: 'null'}, {name: wan, device: 'null'}]\n"
           "pipeline: [parse, wire, {firewall: {" +
           firewall + "}}]\n";
}
const std::string kAccept = wire("rules: [{name: out, action: accept, in: lan}]");

class Firewall : public ::testing::Test {
  protected:
    void start(const std::string& yaml, uint32_t flows = 1024) {
        box_ = std::make_unique<StageFixture>(yaml, flows);
    }
    void in(const std::string& port, const std::string& text) {
        box_->receive(port, {frame(port, text)});
    }
    static Bytes frame(const std::string& port, const std::string& text) {
        PacketTextDefaults defaults;
        defaults.port = port;
        auto packet = parse_packet_text(text, defaults);
        EXPECT_TRUE(packet.ok()) << packet.error().message;
        return packet ? packet->frame : Bytes{};
    }
    void udp(unsigned port, bool answered) {
        const std::string n = std::to_string(port);
        in("lan", "udp 10.0.0.1:" + n + " > 192.0.2.7:53");
        if (answered) in("wan", "udp 192.0.2.7:53 > 10.0.0.1:" + n);
    }
    std::vector<RuleLogRecord> logs() {
        std::vector<RuleLogRecord> out;
        box_->context().events->drain(100'000, [&](const uint8_t* record, size_t length) {
            if (length != sizeof(RuleLogRecord)) return;
            out.emplace_back();
            std::memcpy(&out.back(), record, length);
        });
        return out;
    }
    std::vector<Flow> flows() {
        std::vector<Flow> out;
        uint32_t cursor = 0;
        box_->context().flows->for_each(cursor, 1u << 20, [&](Flow& f) { out.push_back(f); });
        return out;
    }
    std::unique_ptr<StageFixture> box_;
};

TEST_F(Firewall, AFullTableShedsUnprovenFlowsFirstAndKeepsAnsweredOnes) {
    start(kAccept, 8);
    for (unsigned i = 0; i < 4; ++i) udp(100 + i, true);
    for (unsigned i = 0; i < 50; ++i) udp(200 + i, false);
    (void)box_->sent();
    EXPECT_TRUE(box_->drops().empty());
    for (unsigned i = 0; i < 4; ++i)
        in("wan", "udp 192.0.2.7:53 > 10.0.0.1:" + std::to_string(100 + i));
    EXPECT_EQ(box_->sent().size(), 4u);
    box_->advance(200);
    EXPECT_EQ(box_->counter("flows.shed"), 46u);
}

TEST_F(Firewall, WithoutUnprovenFlowsNewOnesHaveToWait) {
    start(kAccept, 8);
    for (unsigned i = 0; i < 8; ++i) udp(100 + i, true);
    udp(200, false);
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"firewall.flow_table_full", 1}}));
    EXPECT_EQ(flows().size(), 8u);
}

// An eviction in the middle of a burst must not leave a later packet with somebody else's flow.
TEST_F(Firewall, AFloodInOneBurstJudgesEachPacketByItsOwnFlow) {
    start(kAccept, 4);
    for (unsigned i = 0; i < 4; ++i) udp(100 + i, false);
    std::vector<Bytes> burst;
    for (unsigned i = 0; i < 10; ++i)
        burst.push_back(
            frame("lan", "udp 10.0.0.1:" + std::to_string(300 + i) + " > 192.0.2.7:53"));
    for (unsigned i = 0; i < 4; ++i)
        burst.push_back(
            frame("lan", "udp 10.0.0.1:" + std::to_string(100 + i) + " > 192.0.2.7:53"));
    box_->receive("lan", burst);
    EXPECT_TRUE(box_->drops().empty());
    for (const Flow& f : flows()) EXPECT_EQ(f.packets[0], 1u);
    EXPECT_EQ(box_->rule("out").packets, 18u);
}

// The table's wheel turns in steps; a flow ends at its time all the same.
TEST_F(Firewall, AFlowPastItsTimeIsGoneBeforeTheTimerSaysSo) {
    start(kAccept);
    udp(1, true);
    (void)box_->sent();
    box_->context().now.ms += 30'000;
    in("wan", "udp 192.0.2.7:53 > 10.0.0.1:1");
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"firewall.default", 1}}));
    EXPECT_TRUE(flows().empty());
}

TEST_F(Firewall, CountsPacketsAndBytesOfARule) {
    start(kAccept);
    in("lan", "udp 10.0.0.1:1 > 192.0.2.7:53 len=100");
    in("wan", "udp 192.0.2.7:53 > 10.0.0.1:1 len=200");
    EXPECT_EQ(box_->rule("out").packets, 2u);
    EXPECT_EQ(box_->rule("out").bytes, 28u + 100 + 28 + 200);
}

TEST_F(Firewall, LogsTheFirstPacketOfAFlowAndEveryDeniedOne) {
    start(wire(
        "log-default: true, rules: [{name: out, action: accept, in: lan, log: true, to: 192.0.2.7},"
        "{name: quiet, action: drop, to: 192.0.2.8}]"));
    udp(1, true);
    udp(1, true);
    in("lan", "udp 10.0.0.1:1 > 192.0.2.8:9");
    in("wan", "udp 192.0.2.9:1 > 10.0.0.1:9");
    const auto records = logs();
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].reason, 0);
    EXPECT_EQ(records[0].meta.flow_state, firewall::kStateNew);
    const auto& rules = box_->context().policy->rules;
    EXPECT_EQ(rules.at(records[0].meta.rule).name, "out");
    EXPECT_NE(records[1].reason, 0);
    EXPECT_EQ(rules.at(records[1].meta.rule).name, "default");
}

TEST_F(Firewall, CountsLogRecordsThatFindNoRoom) {
    start(wire("default: drop, log-default: true"));
    for (unsigned i = 0; i < 6000; ++i) in("lan", "udp 10.0.0.1:1 > 192.0.2.8:9");
    const uint64_t lost = box_->counter("worker.events_lost");
    EXPECT_GT(lost, 0u);
    EXPECT_EQ(lost + logs().size(), 6000u);
}

TEST_F(Firewall, ADryRunDecidesTheSameAndChangesNothing) {
    start(
        wire("rules: [{name: out, action: accept, in: lan, log: true}, {name: no, action: reject, "
             "log: true}]"));
    udp(1, true);
    (void)logs();
    (void)box_->sent();
    const auto before = flows();
    box_->context().dry_run = true;
    const auto dry = [&](PortId port, const std::string& text) {
        auto burst = std::make_unique<Burst>();
        PacketMeta meta;
        meta.in_port = port;
        burst->add(exact_frame(frame("lan", text)), meta);
        box_->pipeline().run(*burst, box_->context());
        const Verdict verdict = burst->verdicts[0];
        rte_pktmbuf_free(burst->frames[0]);
        return verdict;
    };
    EXPECT_EQ(dry(0, "udp 10.0.0.1:1 > 192.0.2.7:53"), Verdict::kPass);
    EXPECT_EQ(dry(0, "udp 10.0.0.1:2 > 192.0.2.7:53"), Verdict::kPass);
    EXPECT_EQ(dry(1, "udp 192.0.2.9:1 > 10.0.0.1:9"), Verdict::kDrop);
    EXPECT_EQ(dry(1, "tcp 192.0.2.9:1 > 10.0.0.1:9 syn"), Verdict::kDrop);
    box_->context().dry_run = false;
    const auto after = flows();
    ASSERT_EQ(after.size(), before.size());
    EXPECT_EQ(std::memcmp(after.data(), before.data(), before.size() * sizeof(Flow)), 0);
    EXPECT_TRUE(logs().empty());
    EXPECT_TRUE(box_->sent().empty());
}

TEST_F(Firewall, AnUnchangedPolicyKeepsItsTablesAndItsRuleNames) {
    start(kAccept);
    const auto first = box_->context().policy->steps.back().policy;
    const auto names = box_->context().policy->rules.size();
    box_->apply(kAccept);
    EXPECT_EQ(box_->context().policy->steps.back().policy, first);
    ASSERT_EQ(box_->context().policy->rules.size(), names);
    EXPECT_EQ(box_->context().policy->rules.back().name, "default");
}

TEST_F(Firewall, DescribesAFlowOriginatorFirst) {
    start(kAccept);
    in("lan", "udp 192.0.2.200:7 > 10.0.0.1:53 len=10");
    in("wan", "udp 10.0.0.1:53 > 192.0.2.200:7 len=20");
    const auto all = flows();
    ASSERT_EQ(all.size(), 1u);
    const auto view = firewall::describe(all[0], *box_->context().policy, box_->context().now.ms);
    EXPECT_EQ(firewall::to_string(view), "udp 192.0.2.200:7 > 10.0.0.1:53 replied, rule out");
    EXPECT_EQ(view.in_port, "lan");
    EXPECT_EQ(view.out_port, "wan");
    EXPECT_EQ(view.bytes_out, 38u);
    EXPECT_EQ(view.bytes_back, 48u);
    EXPECT_EQ(view.generation, 1u);
    EXPECT_TRUE(view.proven);
    EXPECT_EQ(view.expires_ms, 30'000u);
}

}  // namespace
}  // namespace ravelin::test
