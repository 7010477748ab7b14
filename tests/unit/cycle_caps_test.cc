// SPDX-License-Identifier: Apache-2.0
// Caps on cpu and memory: what is read of them, and who is beyond one when.
#include "dataplane/cycle_caps.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/tsc.h"
#include "tests/support/frame_at.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

using sched::PrincipalId;
using sched::Use;

std::string config(const std::string& principals, const std::string& workers = "") {
    return workers +
           "ports: [{name: lan, device: 'null', addresses: 10.0.0.254/8}, {name: wan, "
           "device: 'null', addresses: 192.0.2.254/24}]\nprincipals: [" +
           principals + R"(]
pipeline:
  - parse
  - route
  - firewall: {rules: [{name: all, action: accept}]}
  - classify
  - neighbour: {static: [{port: wan, address: 192.0.2.1, mac: "02:00:00:00:02:01"}, {port: lan, address: 10.1.0.1, mac: "02:00:00:00:01:01"}]}
  - local
  - rewrite
)";
}
std::string refusal(const std::string& principals) {
    try {
        const StageFixture box(config(principals));
    } catch (const std::exception& e) {
        return e.what();
    }
    return "accepted";
}
constexpr const char* kFamily =
    "{name: org, caps: {cpu: 10}}, {name: org/one, prefixes: "
    "10.1.0.0/16}, {name: org/two, prefixes: 10.2.0.0/16, caps: {cpu: "
    "2}}, {name: other, prefixes: 10.4.0.0/16}";

/// Time and use by hand, of the principals of a box.
class CycleCapsTest : public ::testing::Test {
  protected:
    explicit CycleCapsTest(const std::string& yaml = config(kFamily)) : box_(yaml) {}
    [[nodiscard]] const Principals& principals() const { return *box_.policy().principals; }
    PrincipalId id(const char* name) { return principals().table.find(name); }
    void passes(double seconds) {
        now_ += static_cast<uint64_t>(seconds * static_cast<double>(tsc_hz()));
        caps_.follow(principals(), usage_, now_);
    }
    void uses(const char* name, double seconds) {
        usage_.add(id(name), Use::kCycles,
                   static_cast<uint64_t>(seconds * static_cast<double>(tsc_hz())));
    }
    StageFixture box_;
    sched::Usage usage_{sched::kMaxPrincipals};
    CycleCaps caps_;
    uint64_t now_ = 1;
};

// A burst is 50 ms of the cap: 5 ms of the worker's time for org, 1 ms for org/two.
TEST_F(CycleCapsTest, WhoOwesMoreThanABurstIsBeyond) {
    passes(1);
    uses("org/one", 0.0049);
    passes(0.0001);
    EXPECT_FALSE(caps_.anybody());
    uses("org/one", 0.0004);
    passes(0.0001);
    for (const char* name : {"org", "org/one", "org/two"}) EXPECT_TRUE(caps_.beyond(id(name)));
    EXPECT_FALSE(caps_.beyond(id("other")));
    EXPECT_FALSE(caps_.beyond(sched::kCorePrincipal));
    EXPECT_FALSE(caps_.beyond(sched::kNoPrincipal));
    passes(0.001);
    EXPECT_TRUE(caps_.beyond(id("org/one"))) << "0.1 ms of 0.2 was paid back";
    passes(0.002);
    EXPECT_FALSE(caps_.anybody());
}

TEST_F(CycleCapsTest, TheLeastOfItsOwnAndThoseAboveCounts) {
    passes(1);
    uses("org/two", 0.0011);
    passes(0.0001);
    EXPECT_TRUE(caps_.beyond(id("org/two")));
    EXPECT_FALSE(caps_.beyond(id("org/one")));
    EXPECT_FALSE(caps_.beyond(id("org")));
}

// 10 % of a second is 100 ms; nobody owes more than two bursts.
TEST_F(CycleCapsTest, OverTimeItGetsItsPart) {
    passes(1);
    double used = 0;
    for (int ms = 0; ms < 1'000; ++ms) {
        if (!caps_.beyond(id("org/one"))) {
            uses("org/one", 0.0008);
            used += 0.0008;
        }
        passes(0.001);
    }
    EXPECT_NEAR(used, 0.105, 0.002);
}

TEST_F(CycleCapsTest, WhatItCostsToDropIsForgottenButForABurst) {
    passes(1);
    uses("org/one", 0.006);
    passes(0.0001);
    ASSERT_TRUE(caps_.beyond(id("org/one")));
    uses("org/one", 30);
    passes(0.0001);
    passes(0.0510);
    EXPECT_FALSE(caps_.beyond(id("org/one")));
    uses("org/one", 0.1);  // of one run, before it was beyond
    passes(0.0001);
    passes(0.5);
    EXPECT_TRUE(caps_.beyond(id("org/one"))) << "half a second at 10 % pays half of it";
    passes(0.52);
    EXPECT_FALSE(caps_.beyond(id("org/one")));
}

// A part of 163 in 2^16, that is 2^24 / 256: turns of 100 cycles pay back less than a cycle each.
TEST(CapsOnCpu, ShortTurnsPayBackToo) {
    const StageFixture box(config("{name: org, caps: {cpu: 1}}"));
    Principals principals = *box.policy().principals;
    const PrincipalId org = principals.table.find("org");
    principals.cpu[index(org)].part = 163 << 8;
    const uint64_t burst = principals.cpu[index(org)].burst = 100'000;
    sched::Usage usage(sched::kMaxPrincipals);
    CycleCaps caps;
    uint64_t now = 1 << 20;
    caps.follow(principals, usage, now);
    usage.add(org, Use::kCycles, burst + 1'630);
    const uint64_t began = now;
    do caps.follow(principals, usage, now += 100);
    while (!caps.beyond(org) && now - began < 1'000'000);
    ASSERT_TRUE(caps.beyond(org));
    do caps.follow(principals, usage, now += 100);
    while (caps.beyond(org) && now - began < 100'000'000);
    EXPECT_NEAR(static_cast<double>(now - began), 1'630.0 * 65'536 / 163, 2 * 65'536);
}

// Principals that come later may lie where those lay.
TEST_F(CycleCapsTest, ForgettingBeginsAnew) {
    passes(1);
    uses("org/one", 0.009);
    passes(0.0001);
    ASSERT_TRUE(caps_.anybody());
    caps_.forget();
    EXPECT_FALSE(caps_.anybody());
    EXPECT_FALSE(caps_.beyond(id("org/one")));
    uses("org/one", 30);
    passes(0.0001);
    EXPECT_FALSE(caps_.anybody()) << "what was used meanwhile was under no cap";
}

// What has come to wait is dropped by name while its principal is beyond.
TEST(CapsOnCpu, WhatWaitsForFunctionsIsNotRun) {
    std::string yaml = config(
        "{name: org, caps: {cpu: 1}}, {name: org/one, prefixes: 10.1.0.0/16, "
        "function: slow}");
    yaml.insert(yaml.find("  - neighbour"), "  - invoke\n");
    yaml.insert(yaml.find("  - route"), "  - steer\n");
    StageFixture box("functions: [{name: slow, burn: {cycles: 100}}]\n" + yaml);
    box.settle();
    (void)box.sent();
    box.allow_functions(false);
    std::vector<Bytes> frames;
    for (unsigned port = 1; port <= 20; ++port)
        frames.push_back(frame_at(
            box.policy(), fmt::format("in=lan udp 10.1.0.1:{} > 192.0.2.1:9 hex=00000000", port)));
    box.receive("lan", frames);
    box.overdraw("org/one");
    box.allow_functions(true);
    for (int turn = 0; turn < 3; ++turn) box.settle();  // eight at a time
    EXPECT_TRUE(box.sent().empty());
    EXPECT_EQ(box.drops()["principal.over_cpu"], 20u);
    EXPECT_EQ(box.per_worker("invoke.runs")[0], 0u);
}

TEST_F(CycleCapsTest, APolicyWithoutOrWithOthersBeginsWithWhatIsOwed) {
    passes(1);
    uses("org/one", 0.009);
    passes(0.0001);
    ASSERT_TRUE(caps_.beyond(id("org/one")));
    box_.apply(config("{name: org}, {name: org/one}, {name: other, caps: {cpu: 5}}"));
    passes(0.0001);
    EXPECT_FALSE(caps_.anybody());
    box_.apply(config("{name: org}, {name: org/one, caps: {cpu: 10}}"));
    passes(0.0001);
    EXPECT_FALSE(caps_.anybody()) << "what was used before is not its";
    uses("org/one", 0.0051);
    passes(0.0001);
    EXPECT_TRUE(caps_.beyond(id("org/one")));
}

TEST(CapsOnCpu, EachWorkerHasAnEvenShareAndAChildNoMoreThanItsParents) {
    const StageFixture box(config("{name: org, caps: {cpu: 50}}, {name: org/one}"));
    const Principals& principals = *box.policy().principals;
    EXPECT_EQ(principals.cpu[index(principals.table.find("org"))].part, 1u << 23);
    EXPECT_EQ(principals.cpu_counted.size(), 2u);
    EXPECT_NE(refusal("{name: org, caps: {cpu: 10}}, {name: org/a/b, caps: {cpu: 11}}")
                  .find("principals[1]: caps: cpu: found 11, expected at most 10, which 'org' has"),
              std::string::npos);
    EXPECT_EQ(refusal("{name: org, caps: {cpu: 10}}, {name: org/a/b, caps: {cpu: 10}}"),
              "accepted");
    EXPECT_NE(refusal("{name: org, caps: {memory: 1000B}}, {name: org/a, caps: {memory: 2000B}}")
                  .find("principals[1]: caps: memory: found 2000, expected at most 1000"),
              std::string::npos);
}

/// A worker's part of its time, 2^-24, of the last of `principals`.
uint32_t part_of_last(const std::string& principals, unsigned workers = 1) {
    const StageFixture box(config(principals, fmt::format("workers: {{count: {}}}\n", workers)));
    return box.policy().principals->cpu.back().part;
}

// In cycles a second as in per cent: of all workers, the lesser of both, no more than who is above.
TEST(CapsOnCpu, ToldInCyclesTheyHoldAsInPercent) {
    test_eal();  // before it nobody knows how fast the counter counts
    const std::string told = fmt::format("cycles: {}cyc/s", tsc_hz() / 40);
    const double part = (1 << 24) / 40.0;
    EXPECT_NEAR(part_of_last("{name: org, caps: {" + told + "}}"), part, 1);
    EXPECT_NEAR(part_of_last("{name: org, caps: {" + told + "}}", 3), part / 3, 1);
    EXPECT_NEAR(part_of_last("{name: org, caps: {cpu: 2, " + told + "}}"), part * 0.8, 1);
    EXPECT_NEAR(part_of_last("{name: org, caps: {cpu: 3, " + told + "}}"), part, 1);
    EXPECT_EQ(part_of_last("{name: org, caps: {cycles: 10000Gcyc/s}}"), 1u << 24) << "all of it";
    EXPECT_NE(refusal("{name: org, caps: {cycles: 2Mcyc/s}}, {name: org/a, caps: {cycles: "
                      "3Mcyc/s}}")
                  .find("principals[1]: caps: cycles: found 3000000, expected at most 2000000"),
              std::string::npos);
}

// A tenth of the worker in cycles, a fiftieth of it in per cent below.
TEST_F(CycleCapsTest, ThoseOfBothUnitsHoldBelowEachOther) {
    box_.apply(config(fmt::format(
        "{{name: org, caps: {{cycles: {}cyc/s}}}}, {{name: org/one}}, {{name: org/two, caps: "
        "{{cpu: 2}}}}",
        tsc_hz() / 10)));
    passes(1);
    uses("org/two", 0.0011);
    passes(0.0001);
    EXPECT_TRUE(caps_.beyond(id("org/two")));
    EXPECT_FALSE(caps_.beyond(id("org/one")));
    uses("org/one", 0.0042);
    passes(0.0001);
    EXPECT_TRUE(caps_.beyond(id("org/one")));
}

// Packets of whom is beyond are dropped by name, by the shortcut as in the pipeline.
TEST(CapsOnCpu, WhatIsBeyondIsDroppedByName) {
    StageFixture box(config("{name: org, caps: {cpu: 1}}, {name: org/one, prefixes: 10.1.0.0/16}"));
    box.settle();
    const auto send = [&](unsigned port) {
        box.receive("lan", {frame_at(box.policy(), fmt::format("in=lan udp 10.1.0.1:{} > "
                                                               "192.0.2.1:9 hex=00000000",
                                                               port))});
        return box.sent().size();
    };
    (void)box.sent();
    EXPECT_EQ(send(1), 1u);
    box.receive("wan", {frame_at(box.policy(), "in=wan udp 192.0.2.1:9 > 10.1.0.1:1")});
    (void)box.sent();
    EXPECT_EQ(send(1), 1u);
    const uint64_t shortened = box.shortened();
    EXPECT_EQ(send(1), 1u);
    EXPECT_EQ(box.shortened(), shortened + 1) << "a proven flow, on a way";
    box.overdraw("org/one");
    EXPECT_EQ(send(2), 0u);
    EXPECT_EQ(send(1), 0u);
    EXPECT_EQ(box.drops()["principal.over_cpu"], 2u);
}

// 5 flows of 200 bytes.
TEST(CapsOnMemory, NewFlowsAreRefusedByName) {
    for (const auto& [caps, drop] : {std::pair("memory: 1000B", "firewall.principal_memory"),
                                     {"memory: 1000B, flows: 9", "firewall.principal_memory"},
                                     {"memory: 9000B, flows: 5", "firewall.principal_flows"}}) {
        StageFixture box(config(fmt::format(
            "{{name: org, caps: {{{}}}}}, {{name: org/one, prefixes: 10.1.0.0/16}}", caps)));
        box.settle();
        (void)box.sent();
        for (unsigned port = 1; port <= 8; ++port)
            box.receive("lan", {frame_at(box.policy(), fmt::format("in=lan udp 10.1.0.1:{} > "
                                                                   "192.0.2.1:9 hex=00000000",
                                                                   port))});
        EXPECT_EQ(box.sent().size(), 5u) << caps;
        EXPECT_EQ(box.drops()[drop], 3u) << caps;
    }
}

}  // namespace
}  // namespace ravelin::test
