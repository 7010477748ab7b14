// SPDX-License-Identifier: Apache-2.0
// Packets that rules judge by themselves, a burst at once, against a scan of the rules one packet
// after the other; and among packets of flows, against a box whose rules have no trees. Rules come
// and go meanwhile.
#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/net/packet_text.h"
#include "pipelines/stages/firewall_policy.h"
#include "tests/support/stage_fixture.h"
#include "tests/unit/firewall_alone_support.h"

namespace ravelin::test {
namespace {

const firewall::FirewallPolicy& policy_of(const StageFixture& box) {
    return static_cast<const firewall::FirewallPolicy&>(*box.policy().steps.back().policy);
}
/// Whether packets of a burst are looked up together.
bool together(const StageFixture& box) {
    const auto& policy = policy_of(box);
    return policy.delta == nullptr && !policy.tables->rules.trees.empty();
}
Bytes frame_of(const Talk& talk) {
    PacketTextDefaults defaults;
    defaults.port = "lan";
    auto packet = parse_packet_text(talk.text(), defaults);
    EXPECT_TRUE(packet.ok()) << talk.text();
    return packet ? packet->frame : Bytes{};
}
const char* port_name(unsigned port) { return port == 0 ? "lan" : "wan"; }

std::vector<Bytes> left(StageFixture& box) {
    std::vector<Bytes> out;
    for (Sent& sent : box.sent()) out.push_back(std::move(sent.frame));
    return out;
}

// One burst, as `rules` say; how many stateless rules passed while they were looked up together.
unsigned check_burst(StageFixture& box, Rules& rules, Random& rng) {
    const unsigned in = below(rng, 2);
    unsigned looked_up = 0;
    std::vector<Bytes> frames, expected;
    for (unsigned n = 1 + below(rng, 64); n > 0; --n) {
        const Talk talk = Talk::random(rng);
        frames.push_back(frame_of(talk));
        if (!rules.judge(talk, in)) continue;
        expected.push_back(frames.back());
        looked_up += !talk.v6 && together(box) ? 1 : 0;
    }
    box.receive(port_name(in), frames);
    EXPECT_EQ(left(box), expected) << rules.yaml();
    EXPECT_EQ(box.drops(), rules.drops) << rules.yaml();
    for (const Rule& r : rules.list)
        EXPECT_EQ(box.rule(r.name()).packets, rules.hits[r.name()]) << rules.yaml();
    EXPECT_EQ(box.rule("default").packets, rules.hits["default"]);
    return looked_up;
}

TEST(FirewallAlone, VerdictsAndHitsAreThoseOfAScan) {
    Random rng(1);
    unsigned looked_up = 0, changes = 0;
    for (int round = 0; round < 30; ++round) {
        Scene scene(rng, 2 + below(rng, 60), false);
        StageFixture box(scene.rules().yaml());
        for (int burst = 0; burst < 20; ++burst) {
            looked_up += check_burst(box, scene.rules(), rng);
            if (HasFailure()) return;
            if (scene.rules().list.size() < 2 || below(rng, 4) != 0) continue;
            box.change_rules(scene.change());
            ++changes;
            if (below(rng, 4) != 0 && policy_of(box).delta != nullptr) box.merge_rules();
        }
    }
    EXPECT_GT(looked_up, 1000u);
    EXPECT_GT(changes, 50u);
}

/// What happens to a box.
struct Script {
    struct Step {
        unsigned in;
        std::vector<Bytes> frames;
        firewall::RuleChanges then;
    };
    std::string yaml;
    std::vector<Step> steps;
    std::vector<std::string> rules;

    Script(Random& rng, const std::string& options) {
        Scene scene(rng, 4 + below(rng, 40), true);
        yaml = scene.rules().yaml(options);
        while (steps.size() < 30) {
            Step& step = steps.emplace_back();
            step.in = below(rng, 2);
            for (unsigned n = 1 + below(rng, 64); n > 0; --n)
                step.frames.push_back(frame_of(Talk::random(rng)));
            if (scene.rules().list.size() > 1 && below(rng, 4) == 0) step.then = scene.change();
        }
        for (const Rule& r : scene.rules().list) rules.push_back(r.name());
    }
};

struct Seen {
    std::vector<Bytes> sent;
    std::map<std::string, uint64_t> drops, hits;
    uint32_t flows = 0;
};

// Without trees a rule stands beside the tables all the while.
std::vector<Seen> play(const Script& script, bool trees, unsigned& looked_up) {
    StageFixture box(script.yaml);
    firewall::RuleChanges beside;
    *beside.Add() = rule_added("{name: beside, action: drop, from: 203.0.113.9}", 9999);
    if (!trees) box.change_rules(beside);
    std::vector<Seen> out;
    for (const Script::Step& step : script.steps) {
        if (together(box)) looked_up += static_cast<unsigned>(step.frames.size());
        box.receive(port_name(step.in), step.frames);
        Seen& seen = out.emplace_back();
        seen.sent = left(box);
        seen.drops = box.drops();
        for (const std::string& rule : script.rules)
            if (box.policy().rules.find(rule) != nullptr) seen.hits[rule] = box.rule(rule).packets;
        seen.flows = box.context().flows->size();
        if (!step.then.empty()) box.change_rules(step.then);
        if (trees && policy_of(box).delta != nullptr && out.size() % 3 != 0) box.merge_rules();
    }
    return out;
}

TEST(FirewallAlone, AmongFlowsItIsAsWithoutTrees) {
    Random rng(2);
    unsigned looked_up = 0, never = 0;
    uint32_t flows = 0;
    size_t passed = 0;
    for (int round = 0; round < 20; ++round) {
        const Script script(rng, round % 2 == 0 ? "" : "pickup: validated, ");
        const auto with = play(script, true, looked_up), without = play(script, false, never);
        for (size_t i = 0; i < with.size(); ++i) {
            ASSERT_EQ(with[i].sent, without[i].sent) << "step " << i << " of " << script.yaml;
            ASSERT_EQ(with[i].drops, without[i].drops) << "step " << i << " of " << script.yaml;
            ASSERT_EQ(with[i].hits, without[i].hits) << "step " << i << " of " << script.yaml;
            ASSERT_EQ(with[i].flows, without[i].flows) << "step " << i << " of " << script.yaml;
            passed += with[i].sent.size();
        }
        flows = std::max(flows, with.back().flows);
    }
    EXPECT_GT(looked_up, 5000u);
    EXPECT_EQ(never, 0u);
    EXPECT_GT(passed, 2000u);
    EXPECT_GT(flows, 20u);
}

}  // namespace
}  // namespace ravelin::test
