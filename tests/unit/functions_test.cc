// SPDX-License-Identifier: Apache-2.0
// Functions on the path: whose packets they get, in which order these go on, what becomes of them
// when the policy changes, and what a configuration may say.
#include "dataplane/functions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/box_test.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr const char* kHalf = "{name: half, thin: {keep: 1, of: 2}}";
constexpr const char* kMedia = "{name: media, prefixes: 10.1.0.0/16, function: half}";
constexpr const char* kPlain = "{name: plain, prefixes: 10.4.0.0/16}";

std::string router(const std::string& functions, const std::string& principals,
                   const std::string& rule = "{name: all, action: accept}") {
    return fmt::format(R"(
ports: [{{name: lan, device: 'null', addresses: 10.0.0.254/8}}, {{name: wan, device: 'null', addresses: 192.0.2.254/24}}]
functions: [{}]
principals: [{}]
pipeline:
  - parse
  - steer
  - route
  - firewall: {{rules: [{}]}}
  - classify
  - invoke
  - neighbour: {{static: [{{port: wan, address: 192.0.2.1, mac: "02:00:00:00:02:01"}}, {{port: lan, address: 10.1.0.1, mac: "02:00:00:00:01:01"}}, {{port: lan, address: 10.4.0.1, mac: "02:00:00:00:01:04"}}]}}
  - local
  - rewrite
)",
                       functions, principals, rule);
}

class FunctionsTest : public ::testing::Test {
  protected:
    void start(const std::string& yaml) {
        box_ = std::make_unique<StageFixture>(yaml);
        box_->settle();
        (void)box_->sent();
    }
    void in(const std::string& port, const std::vector<std::string>& texts) {
        std::vector<Bytes> frames;
        for (const std::string& text : texts)
            frames.push_back(frame_at(box_->policy(), "in=" + port + " " + text));
        box_->receive(port, frames);
    }
    /// Packets of one flow, numbered by their payload.
    static std::vector<std::string> numbered(const std::string& host, unsigned first, unsigned n,
                                             unsigned port = 1) {
        std::vector<std::string> out;
        for (unsigned i = 0; i < n; ++i)
            out.push_back(fmt::format("udp {}:{} > 192.0.2.1:9 hex={:08x}", host, port, first + i));
        return out;
    }
    /// The numbers of what left, in order.
    std::vector<unsigned> numbers() {
        std::vector<unsigned> out;
        for (const Sent& sent : box_->sent()) {
            const Bytes& f = sent.frame;
            constexpr size_t at = 14 + 20 + 8;
            out.push_back(unsigned{f[at]} << 24 | unsigned{f[at + 1]} << 16 |
                          unsigned{f[at + 2]} << 8 | f[at + 3]);
        }
        return out;
    }
    [[nodiscard]] uint64_t dropped(const std::string& name) const {
        const auto drops = box_->drops();
        const auto at = drops.find(name);
        return at == drops.end() ? 0 : at->second;
    }
    [[nodiscard]] std::string refusal(const std::string& functions,
                                      const std::string& principals) const {
        try {
            const StageFixture box(router(functions, principals));
        } catch (const std::exception& e) {
            return e.what();
        }
        return "accepted";
    }
    std::unique_ptr<StageFixture> box_;
};

// What comes back is routed, counted down and addressed as if it had never left.
TEST_F(FunctionsTest, APacketGoesOnAsIfNothingWere) {
    const auto texts = numbered("10.1.0.1", 1, 40);
    std::vector<std::vector<Sent>> left;
    for (const char* function : {"{name: half, thin: {}}", "{name: half, burn: {cycles: 0}}", ""}) {
        start(router(function, *function == 0 ? "{name: media}" : kMedia));
        in("lan", texts);
        left.push_back(box_->sent());
        EXPECT_EQ(box_->per_worker("invoke.packets")[0], *function == 0 ? 0u : 40u);
    }
    for (const auto& other : {left[0], left[1]}) {
        ASSERT_EQ(other.size(), left[2].size());
        for (size_t i = 0; i < other.size(); ++i) {
            EXPECT_EQ(other[i].port, left[2][i].port);
            EXPECT_EQ(other[i].frame, left[2][i].frame) << i;
        }
    }
}

TEST_F(FunctionsTest, EachFlowIsThinnedByItselfAndInOrder) {
    start(router("{name: half, thin: {keep: 2, of: 3}}", kMedia));
    std::vector<std::string> both = numbered("10.1.0.1", 0, 6);
    const auto other = numbered("10.1.0.1", 100, 6, 2);
    for (size_t i = 0; i < 6; ++i) both.insert(both.begin() + static_cast<long>(2 * i), other[i]);
    in("lan", both);
    std::vector<unsigned> first, second;
    for (const unsigned n : numbers()) (n < 100 ? first : second).push_back(n);
    EXPECT_EQ(first, (std::vector<unsigned>{0, 1, 3, 4}));
    EXPECT_EQ(second, (std::vector<unsigned>{100, 101, 103, 104}));
    EXPECT_EQ(dropped("invoke.thinned"), 4u);
}

TEST_F(FunctionsTest, ThinsToARate) {
    start(router("{name: half, thin: {rate: 10pps}}", kMedia));
    unsigned kept = 0;
    for (unsigned i = 0; i < 100; ++i) {  // 50 a second for two seconds
        in("lan", numbered("10.1.0.1", i, 1));
        kept += static_cast<unsigned>(numbers().size());
        box_->advance(20);
    }
    EXPECT_EQ(kept, 20u);
}

// What may wait of the reservation has room in the functions of all who use it, also of who comes
// later.
TEST_F(FunctionsTest, WhoComesToShareCyclesHasRoom) {
    const auto yaml = [](const std::string& more) {
        return "reservations: [{name: r, principal: media, cpu: 5000cyc/pkt, rate: 1kpps, "
               "deadline: "
               "60ms}" +
               more + "]\n" +
               router(
                   "{name: half, thin: {}, work: 1000}, {name: small, thin: {}, work: 1000, "
                   "queue: 1}",
                   std::string(kMedia) + ", {name: more, prefixes: 10.4.0.0/16, function: small}");
    };
    std::vector<std::string> flows;
    for (unsigned i = 0; i < 20; ++i) flows.push_back(numbered("10.4.0.1", i, 1, 1000 + i)[0]);
    start(yaml(""));
    in("lan", flows);
    EXPECT_EQ(numbers().size(), 1u) << "queue";
    const auto before = box_->policy().functions->workers[0];
    box_->apply(
        yaml(", {name: s, principal: more, cpu: shared-with media, rate: 1kpps, deadline: "
             "60ms}"));
    EXPECT_NE(box_->policy().functions->workers[0], before);
    in("lan", flows);
    EXPECT_EQ(numbers().size(), 20u);
}

// A proven flow takes the shortcut, one with a function never does.
TEST_F(FunctionsTest, NoPacketOfAFlowWithAFunctionTakesTheShortcut) {
    start(router("{name: half, burn: {cycles: 0}}", std::string(kMedia) + ", " + kPlain));
    for (const char* host : {"10.1.0.1", "10.4.0.1"}) {
        const uint64_t before = box_->shortened();
        for (unsigned i = 0; i < 4; ++i) {
            in("lan", numbered(host, i, 1));
            in("wan", {fmt::format("udp 192.0.2.1:9 > {}:1 hex=00000000", host)});
        }
        EXPECT_EQ(box_->sent().size(), 8u);
        EXPECT_EQ(box_->shortened() - before != 0, std::string(host) == "10.4.0.1") << host;
    }
    EXPECT_EQ(box_->per_worker("invoke.packets")[0], 8u);
}
// Nor the express, where rules alone decide.
TEST_F(FunctionsTest, NorTheExpress) {
    start(router("{name: half, burn: {cycles: 0}}", std::string(kMedia) + ", " + kPlain,
                 "{name: all, action: accept, stateful: false}"));
    in("lan", numbered("10.4.0.1", 0, 20));
    EXPECT_EQ(box_->shortened(), 20u);
    EXPECT_EQ(numbers().size(), 20u);
    in("lan", numbered("10.1.0.1", 0, 20));
    EXPECT_EQ(box_->shortened(), 20u);
    EXPECT_EQ(box_->per_worker("invoke.packets")[0], 20u);
    EXPECT_EQ(numbers().size(), 20u);
}

TEST_F(FunctionsTest, WhatIsLateCostsNoCycles) {
    start(router("{name: half, burn: {cycles: 0}, deadline: 5ms}", kMedia));
    box_->allow_functions(false);
    in("lan", numbered("10.1.0.1", 0, 3));
    box_->advance(4);
    in("lan", numbered("10.1.0.1", 3, 2));
    EXPECT_TRUE(box_->sent().empty());
    box_->advance(4);
    box_->allow_functions(true);
    box_->settle();
    EXPECT_EQ(numbers(), (std::vector<unsigned>{3, 4}));
    EXPECT_EQ(dropped("invoke.late"), 3u);
    // The first by itself, as nobody knows what it takes.
    EXPECT_EQ(box_->per_worker("invoke.runs")[0], 2u);
}

TEST_F(FunctionsTest, AFullQueueIsADropWithAName) {
    start(router("{name: half, burn: {cycles: 0}, queue: 2}", kMedia));
    box_->allow_functions(false);
    for (unsigned i = 0; i < 5; ++i) in("lan", numbered("10.1.0.1", 2 * i, 2));
    EXPECT_EQ(dropped("invoke.queue_full"), 6u);
    box_->allow_functions(true);
    box_->settle();
    EXPECT_EQ(numbers(), (std::vector<unsigned>{0, 1, 2, 3}));
}

// Frames that wait are bounded whatever the queues say: a quarter of the buffers, and no more than
// are left for others.
TEST_F(FunctionsTest, NobodyHoldsMoreFramesThanAreFree) {
    start("workers: {buffers: 1024}" +
          router("{name: half, burn: {cycles: 0}, queue: 4096}", kMedia));
    box_->allow_functions(false);
    for (unsigned i = 0; i < 40; ++i) in("lan", numbered("10.1.0.1", 32 * i, 32));
    EXPECT_EQ(dropped("invoke.pool_full"), 40u * 32 - 128);
    box_->allow_functions(true);
    box_->settle();
    EXPECT_EQ(numbers().size(), 128u);
}

// What waits goes on under a policy that has the function as it was, state and all.
TEST_F(FunctionsTest, AFunctionThatStaysKeepsItsStateAndWhatWaits) {
    start(router(kHalf, kMedia));
    in("lan", numbered("10.1.0.1", 0, 1));
    EXPECT_EQ(numbers(), (std::vector<unsigned>{0}));
    box_->allow_functions(false);
    in("lan", numbered("10.1.0.1", 1, 2));
    box_->apply(router(std::string(kHalf) + ", {name: more, burn: {cycles: 0}}",
                       std::string(kMedia) + ", " + kPlain));
    box_->allow_functions(true);
    box_->settle();
    EXPECT_EQ(numbers(), (std::vector<unsigned>{2}));
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"invoke.thinned", 1}}));
}

// One that was refused in between is none of its business.
TEST_F(FunctionsTest, ARefusedPolicyChangesNothing) {
    start(router(kHalf, kMedia));
    in("lan", numbered("10.1.0.1", 0, 1));
    EXPECT_EQ(numbers(), (std::vector<unsigned>{0}));
    box_->allow_functions(false);
    in("lan", numbered("10.1.0.1", 1, 2));
    EXPECT_ANY_THROW(box_->apply(router("{name: other, thin: {}}", kMedia)));
    box_->apply(router(kHalf, std::string(kMedia) + ", " + kPlain));
    box_->allow_functions(true);
    box_->settle();
    EXPECT_EQ(numbers(), (std::vector<unsigned>{2}));
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"invoke.thinned", 1}}));
}

TEST_F(FunctionsTest, AFunctionThatIsConfiguredOtherwiseIsAnother) {
    start(router(kHalf, kMedia));
    box_->allow_functions(false);
    in("lan", numbered("10.1.0.1", 0, 3));
    box_->apply(router("{name: half, thin: {keep: 1, of: 3}}", kMedia));
    box_->allow_functions(true);
    box_->settle();
    EXPECT_TRUE(box_->sent().empty());
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"invoke.stale_reference", 3}}));
}

TEST_F(FunctionsTest, WhatWaitsIsWithdrawnWithTheFunctionsOrItsPrincipal) {
    start(router(kHalf, kMedia));
    box_->allow_functions(false);
    in("lan", numbered("10.1.0.1", 0, 3));
    box_->apply(router(kHalf, kPlain));
    EXPECT_EQ(dropped("invoke.withdrawn"), 3u);
    box_->apply(router(kHalf, kMedia));
    in("lan", numbered("10.1.0.1", 0, 2));
    box_->apply(router("", "{name: media, prefixes: 10.1.0.0/16}"));
    EXPECT_EQ(dropped("invoke.withdrawn"), 5u);
    box_->allow_functions(true);
    box_->settle();
    EXPECT_TRUE(box_->sent().empty());
    in("lan", numbered("10.1.0.1", 7, 1));
    EXPECT_EQ(numbers(), (std::vector<unsigned>{7}));
}

// A route that is gone by the time the function ran is no way out.
TEST_F(FunctionsTest, RoutesOfTheDayItLeavesCount) {
    start(router(kHalf, kMedia));
    box_->allow_functions(false);
    in("lan", numbered("10.1.0.1", 0, 1));
    std::string moved = router(kHalf, kMedia);
    moved.replace(moved.find("addresses: 192.0.2.254/24"), 25, "addresses: 198.51.100.2/24");
    box_->apply(moved);
    box_->allow_functions(true);
    box_->settle();
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"rewrite.stale_route", 1}}));
}

// What is late or refused is not run; a change that leaves the function alone counts on.
TEST_F(FunctionsTest, WhatAFunctionTookIsCounted) {
    const std::string half = "{name: half, burn: {cycles: 5000}, deadline: 5ms}";
    start(router(half, kMedia));
    const auto counts = [&] {
        const Functions& functions = *box_->policy().functions;
        return functions.workers[0]->use_of(functions.list[0].ref);
    };
    in("lan", numbered("10.1.0.1", 0, 40));
    EXPECT_EQ(counts().packets, 40u);
    EXPECT_GE(counts().runs, 2u);
    EXPECT_GE(counts().cycles, 40u * 5'000);
    EXPECT_GE(counts().beyond_one_in(1'000), 5'000u);
    EXPECT_GE(counts().longest, counts().cycles / counts().runs);
    box_->allow_functions(false);
    in("lan", numbered("10.1.0.1", 0, 3));
    box_->advance(6);
    box_->allow_functions(true);
    box_->settle();
    EXPECT_EQ(counts().not_run, 3u);
    box_->apply(router(half, std::string(kMedia) + ", " + kPlain));
    in("lan", numbered("10.1.0.1", 0, 1));
    EXPECT_EQ(counts().packets, 41u);
    EXPECT_EQ(counts().not_run, 3u);
}

// S50: both contend for the one reservation of the worker; packets stay their own principal's.
TEST_F(FunctionsTest, WhoSharesCyclesWaitsWhereTheyWereReserved) {
    const std::string both =
        "{name: media, prefixes: 10.1.0.0/16, function: half}, "
        "{name: plain, prefixes: 10.4.0.0/16, function: half}";
    start(
        "reservations: [{name: m, principal: media, cpu: 600cyc/pkt, rate: 1kpps}, "
        "{name: p, principal: plain, cpu: shared-with media, rate: 1kpps}]\n" +
        router("{name: half, burn: {cycles: 0}, work: 600}", both));
    in("lan", numbered("10.4.0.1", 0, 8));
    EXPECT_EQ(numbers().size(), 8u);
    const PolicySnapshot& policy = box_->policy();
    const auto id = [&](const char* name) { return policy.principals->table.find(name); };
    const sched::Usage& usage = policy.functions->workers[0]->usage();
    EXPECT_EQ(usage.get(id("media"), sched::Use::kPackets), 8u);
    EXPECT_EQ(usage.get(id("plain"), sched::Use::kPackets), 0u);
    EXPECT_EQ(policy.functions->promises.size(), 1u);
    in("lan", numbered("10.1.0.1", 0, 8));
    EXPECT_EQ(usage.get(id("media"), sched::Use::kPackets), 16u);
    EXPECT_EQ(numbers().size(), 8u);
}

TEST_F(FunctionsTest, AConfigurationSaysWhatIsWrong) {
    const std::string media = kMedia;
    EXPECT_EQ(refusal(kHalf, media), "accepted");
    const auto expect = [&](const std::string& text, const std::string& functions,
                            const std::string& principals) {
        EXPECT_NE(refusal(functions, principals).find(text), std::string::npos)
            << refusal(functions, principals);
    };
    expect("functions[0]: does nothing, expected one of", "{name: half}", media);
    expect("functions[0]: found ", "{name: half, thin: {}, burn: {cycles: 1}}", media);
    expect("functions[1]: name: 'half' is another's too", kHalf + std::string(", ") + kHalf, media);
    expect("functions[0]: thin: keep: found 3, expected no more than `of`, 2",
           "{name: half, thin: {keep: 3, of: 2}}", media);
    expect("functions[0]: mirror: port: found 'dmz'", "{name: half, mirror: {port: dmz}}", media);
    expect("functions[0]: next: found 'gone', expected a function",
           "{name: half, thin: {}, next: gone}", media);
    expect("functions[0]: next: found 'b', from where packets come back",
           "{name: half, thin: {}, next: b}, {name: b, thin: {}, next: half}", media);
    expect("principals[0]: function: found 'half', expected one declared", "{name: b, thin: {}}",
           media);
    expect("principals[0]: function: function 'half': not permitted to 'media'",
           "{name: half, thin: {}, allow: org}", media);
    expect("principals[0]: function: function 'b': not permitted to 'media'",
           "{name: half, thin: {}, next: b}, {name: b, thin: {}, allow: org}", media);
    expect("functions[0]: worker: found 1, expected 0, as there is one worker",
           "{name: half, thin: {}, worker: 1}", media);
    EXPECT_EQ(refusal("{name: half, thin: {}, worker: 0}", media), "accepted");
    expect("work: found 1000000000 cycles, expected at most max-run",
           "{name: half, thin: {}, work: 1000000000}", media);
    expect("accepted", "{name: half, thin: {}, allow: [org, media]}", media);
}

}  // namespace
}  // namespace ravelin::test
