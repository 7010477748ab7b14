// SPDX-License-Identifier: Apache-2.0
// The firewall stage where YAML does not reach: a full table, logs, dry runs, a flow in words. On
// one worker and on four; tables, logs and their limits are each worker's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "dataplane/events.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/stages/firewall_view.h"
#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

constexpr uint32_t kCapacity = 1024;  // flows a worker has room for

using Drops = std::map<std::string, uint64_t>;

std::string wire(const std::string& firewall) {
    return "mode: wire\nports: [{name: lan, device: 'null'}, {name: wan, device: 'null'}]\n"
           "pipeline: [parse, wire, {firewall: {" +
           firewall + "}}]\n";
}
const std::string kAccept = wire("rules: [{name: out, action: accept, in: lan}]");
const std::string kKeep = wire("keep-established: true");

class Firewall : public BoxTest {
  protected:
    void open_answered(const OwnedPorts& ports) {
        ask(ports);
        reply(ports);
    }
    std::vector<RuleLogRecord> logs() {
        std::vector<RuleLogRecord> out;
        box_->on_workers([&](WorkerContext& context, Pipeline&) {
            context.events->drain(100'000, [&](const uint8_t* record, size_t length) {
                if (length != sizeof(RuleLogRecord)) return;
                out.emplace_back();
                std::memcpy(&out.back(), record, length);
            });
        });
        return out;
    }
};

TEST_F(Firewall, AFullTableShedsUnprovenFlowsFirstAndKeepsAnsweredOnes) {
    start(kAccept);
    const auto answered = owned(4, 100);
    open_answered(answered);
    EXPECT_EQ(ask(owned(kCapacity + 46, 1000)).size(), size_t{workers()} * (kCapacity + 46));
    EXPECT_EQ(box_->drops(), Drops{});
    EXPECT_EQ(reply(answered).size(), size_t{4} * workers());
    EXPECT_EQ(box_->drops(), Drops{});
    box_->advance(200);
    EXPECT_EQ(box_->per_worker("flows.shed"), on_each(4 + 46));
    EXPECT_EQ(box_->per_worker("flows.entries"), on_each(kCapacity));
}

TEST_F(Firewall, WithoutUnprovenFlowsNewOnesHaveToWait) {
    start(kAccept);
    const auto answered = owned(kCapacity, 100);
    open_answered(answered);
    EXPECT_TRUE(ask(owned(3, 20'000)).empty());
    EXPECT_EQ(box_->per_worker("drop.firewall.flow_table_full"), on_each(3));
    EXPECT_EQ(box_->drops(), (Drops{{"firewall.flow_table_full", 3u * workers()}}));
    EXPECT_EQ(flows().size(), size_t{kCapacity} * workers());
    EXPECT_EQ(reply(answered).size(), size_t{kCapacity} * workers());
    // Once the answered ones are too old there is room again.
    box_->advance(200'000);
    EXPECT_EQ(ask(owned(3, 20'000)).size(), 3u * workers());
    EXPECT_EQ(box_->per_worker("flows.expired"), on_each(kCapacity));
}

// An eviction in the middle of a burst must not leave a later packet with somebody else's flow.
TEST_F(Firewall, AFloodInOneBurstJudgesEachPacketByItsOwnFlow) {
    start(kAccept);
    const auto old = owned(kCapacity, 100), fresh = owned(10, 20'000);
    ask(old);
    for (WorkerId w = 0; w < workers(); ++w) {
        std::vector<std::string> burst = each({fresh[w]}, question);
        for (unsigned i = 0; i < 4; ++i) burst.push_back(question(old[w][i]));
        EXPECT_EQ(in("lan", burst).size(), burst.size());
    }
    EXPECT_EQ(box_->drops(), Drops{});
    for (const Flow& f : flows()) EXPECT_EQ(f.packets[0], 1u);
    EXPECT_EQ(box_->rule("out").packets, workers() * (uint64_t{kCapacity} + 14));
    box_->advance(200);
    EXPECT_EQ(box_->per_worker("flows.shed"), on_each(14));
}

// The table's wheel turns in steps; a flow ends at its time all the same.
TEST_F(Firewall, AFlowPastItsTimeIsGoneBeforeTheTimerSaysSo) {
    start(kAccept);
    const auto ports = owned(2, 100);
    open_answered(ports);
    box_->advance(30'000);
    ASSERT_EQ(flows().size(), size_t{2} * workers()) << "the timer has been here already";
    EXPECT_TRUE(reply(ports).empty());
    EXPECT_EQ(box_->per_worker("drop.firewall.default"), on_each(2));
    EXPECT_TRUE(flows().empty());
}

TEST_F(Firewall, EveryWorkerCutsItsFlowsOrKeepsThem) {
    start(kAccept);
    const auto ports = owned(5, 100), others = owned(5, 1000);
    open_answered(ports);
    box_->apply(kKeep);
    EXPECT_EQ(ask(ports).size(), size_t{5} * workers());
    EXPECT_EQ(reply(ports).size(), size_t{5} * workers());
    EXPECT_EQ(box_->per_worker("firewall.kept"), on_each(5));
    EXPECT_TRUE(ask(others).empty());
    EXPECT_EQ(box_->per_worker("drop.firewall.default"), on_each(5));
    box_->apply(wire("default: drop"));
    EXPECT_TRUE(reply(ports).empty());
    EXPECT_EQ(box_->per_worker("drop.firewall.flow_cut"), on_each(5));
    EXPECT_TRUE(flows().empty());
}

TEST_F(Firewall, CountsPacketsAndBytesOfARule) {
    start(kAccept);
    for (uint16_t port = 1; port <= 8; ++port) {
        in("lan", question(port) + " len=100");
        in("wan", answer(port) + " len=200");
    }
    EXPECT_EQ(box_->rule("out").packets, 8 * 2u);
    EXPECT_EQ(box_->rule("out").bytes, 8 * (28u + 100 + 28 + 200));
}

TEST_F(Firewall, LogsTheFirstPacketOfAFlowAndEveryDeniedOne) {
    start(wire(
        "log-default: true, rules: [{name: out, action: accept, in: lan, log: true, to: 192.0.2.7},"
        "{name: quiet, action: drop, to: 192.0.2.8}]"));
    const auto ports = owned(1, 100);
    open_answered(ports);
    open_answered(ports);
    in("lan", "udp 10.0.0.1:1 > 192.0.2.8:9");
    in("wan", "udp 192.0.2.9:1 > 10.0.0.1:9");
    auto records = logs();
    ASSERT_EQ(records.size(), workers() + 1u);
    std::ranges::sort(records, {},
                      [](const auto& r) { return std::pair(r.reason != 0, r.worker); });
    const auto& rules = box_->policy().rules;
    for (WorkerId w = 0; w < workers(); ++w) {
        EXPECT_EQ(records[w].reason, 0);
        EXPECT_EQ(records[w].worker, w);
        EXPECT_EQ(records[w].meta.flow_state, firewall::kStateNew);
        EXPECT_EQ(rules.find(records[w].meta.rule)->name, "out");
    }
    EXPECT_NE(records.back().reason, 0);
    EXPECT_EQ(rules.find(records.back().meta.rule)->name, "default");
}

TEST_F(Firewall, CountsLogRecordsThatFindNoRoom) {
    constexpr uint64_t kEach = 6000;
    start(wire("default: drop, log-default: true"));
    EXPECT_TRUE(ask(owned(kEach, 1)).empty());
    const auto lost = box_->per_worker("worker.events_lost");
    EXPECT_THAT(lost, ::testing::Each(::testing::Gt(0u)));
    std::vector<uint64_t> kept(workers());
    for (const RuleLogRecord& record : logs()) ++kept.at(record.worker);
    for (WorkerId w = 0; w < workers(); ++w) EXPECT_EQ(lost[w] + kept[w], kEach) << "worker " << w;
    EXPECT_EQ(box_->per_worker("drop.firewall.default"), on_each(kEach));
}

TEST_F(Firewall, ADryRunDecidesTheSameAndChangesNothing) {
    start(
        wire("rules: [{name: out, action: accept, in: lan, log: true}, {name: no, action: reject, "
             "log: true}]"));
    const auto known = owned(1, 100), fresh = owned(1, 1000);
    open_answered(known);
    (void)logs();
    const auto before = flows();
    box_->on_workers([&](WorkerContext& context, Pipeline& pipeline) {
        context.dry_run = true;
        const auto dry = [&](PortId port, const std::string& text) {
            auto burst = std::make_unique<Burst>();
            PacketMeta meta;
            meta.in_port = port;
            burst->add(exact_frame(frame(text)), meta);
            pipeline.run(*burst, context);
            const Verdict verdict = burst->verdicts[0];
            rte_pktmbuf_free(burst->frames[0]);
            return verdict;
        };
        EXPECT_EQ(dry(0, question(known[context.worker][0])), Verdict::kPass);
        EXPECT_EQ(dry(0, question(fresh[context.worker][0])), Verdict::kPass);
        EXPECT_EQ(dry(1, "udp 192.0.2.9:1 > 10.0.0.1:9"), Verdict::kDrop);
        EXPECT_EQ(dry(1, "tcp 192.0.2.9:1 > 10.0.0.1:9 syn"), Verdict::kDrop);
        context.dry_run = false;
    });
    box_->settle();
    const auto after = flows();
    ASSERT_EQ(after.size(), size_t{workers()});
    ASSERT_EQ(after.size(), before.size());
    EXPECT_EQ(std::memcmp(after.data(), before.data(), before.size() * sizeof(Flow)), 0);
    EXPECT_TRUE(logs().empty());
    EXPECT_TRUE(box_->sent().empty());
}

TEST_F(Firewall, AnUnchangedPolicyKeepsItsTablesAndItsRuleNames) {
    start(kAccept);
    const auto first = box_->policy().steps.back().policy;
    const auto names = box_->policy().rules.all().size();
    box_->apply(kAccept);
    EXPECT_EQ(box_->policy().steps.back().policy, first);
    ASSERT_EQ(box_->policy().rules.all().size(), names);
    EXPECT_NE(box_->policy().rules.find("default"), nullptr);
}

TEST_F(Firewall, DescribesAFlowOriginatorFirst) {
    start(kAccept);
    in("lan", "udp 192.0.2.200:7 > 10.0.0.1:53 len=10");
    in("wan", "udp 10.0.0.1:53 > 192.0.2.200:7 len=20");
    const auto all = flows();
    ASSERT_EQ(all.size(), 1u);
    const auto view = firewall::describe(all[0], {}, box_->policy(), all[0].last_seen_ms);
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
