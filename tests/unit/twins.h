// SPDX-License-Identifier: Apache-2.0
// Two boxes of one configuration that receive the same frames; one of them takes no shortcuts and
// no express. What leaves, each flow's packets in order, every counter and every flow must be the
// same.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/stages/route_learned.h"
#include "tests/support/stage_fixture.h"
#include "tests/unit/shortcut_support.h"

namespace ravelin::test {

using Frames = std::vector<Sent>;
using Kinds = std::map<std::string, uint64_t>;

// Packets of one flow stay in order; those of two need not.
inline Frames by_flow(Frames frames) {
    std::ranges::stable_sort(frames, [](const Sent& a, const Sent& b) {
        return std::pair(a.port, flow_of(a.frame)) < std::pair(b.port, flow_of(b.frame));
    });
    return frames;
}

/// A next hop that a routing daemon tells of.
inline WeightedHop learned_hop(PortId port, const char* gateway) {
    return {{.on_link = false, .port = port, .gateway = *IpAddress::parse(gateway)}};
}

/// Of bytes, those of each part and where it ends (FNV-1a).
class Digest {
  public:
    void update(const auto& part) {
        for (const uint8_t byte : part) take(byte);
        take(part.size());
        ++parts_;
    }
    [[nodiscard]] std::string text() const {
        return std::to_string(parts_) + " parts, " + std::to_string(sum_);
    }

  private:
    void take(uint64_t value) { sum_ = (sum_ ^ value) * 0x100000001b3; }
    uint64_t sum_ = 0xcbf29ce484222325, parts_ = 0;
};

class Twins {
  public:
    explicit Twins(const std::string& yaml) : with_(yaml), without_(yaml) {
        without_.allow_shortcuts(false);
        with_.on_shortened([this](const Bytes& frame) { ++kinds_[kind_of(frame)]; });
        learned_.set_limit(16);
        both([&](StageFixture& box) {
            box.context().learned = &learned_;
            box.context().learned_version = &learned_.version();
        });
    }
    template <typename Fn>
    void both(Fn&& fn) {
        fn(with_);
        fn(without_);
    }
    /// Without hops the route goes.
    void learn(const std::string& to, std::vector<WeightedHop> hops) {
        ASSERT_TRUE(learned_.apply({*Prefix::parse(to), 186, std::move(hops)}));
        if (learned_.finish_batch()) learned_.reclaim();  // no burst is under way
    }
    void compare(const std::string& what) {
        const Frames a = by_flow(with_.sent()), b = by_flow(without_.sent());
        ASSERT_EQ(a.size(), b.size()) << what;
        for (size_t i = 0; i < a.size(); ++i) {
            ASSERT_EQ(a[i].port, b[i].port) << what;
            ASSERT_EQ(a[i].frame, b[i].frame) << what << ", frame " << i;
        }
        ASSERT_EQ(with_.drops(), without_.drops()) << what;
        for (const Sent& sent : a) {
            digest_.update(sent.port);
            digest_.update(sent.frame);
        }
        delivered_ = a;
    }
    /// What left before the last compare().
    [[nodiscard]] const Frames& delivered() const { return delivered_; }
    void compare_all() {
        const auto with = counters(with_), without = counters(without_);
        // rewrite sends itself what stood in the burst before a packet it cuts: by a shortcut that
        // has left already, and bursts end elsewhere.
        for (const auto& [name, value] : without)
            EXPECT_TRUE(with.at(name) == value || name == "pipeline.consumed")
                << name << ' ' << with.at(name) << ' ' << value;
        for (const RuleInfo& rule : with_.policy().rules.all()) {
            EXPECT_EQ(with_.rule(rule.name).packets, without_.rule(rule.name).packets) << rule.name;
            EXPECT_EQ(with_.rule(rule.name).bytes, without_.rule(rule.name).bytes) << rule.name;
        }
        EXPECT_EQ(flows(with_), flows(without_));
        compare_charges();
        // For tests/variants/same.py, which has them from programs of two variants.
        ::testing::Test::RecordProperty("left_" + std::to_string(++compared_), digest_.text());
    }
    [[nodiscard]] uint64_t shortened() const { return with_.shortened(); }
    [[nodiscard]] const Kinds& kinds() const { return kinds_; }
    [[nodiscard]] uint64_t sent_by(const std::string& port) const {
        return with_.counter("port." + port + ".tx_packets");
    }
    [[nodiscard]] const PolicySnapshot& policy() const { return with_.policy(); }

    /// Packets of a principal so far, of which there are some.
    [[nodiscard]] uint64_t charged(const std::string& name) { return with_.charged()[name]; }

  private:
    void compare_charges() {
        const Principals* principals = policy().principals.get();
        for (uint32_t id = 0; principals != nullptr && id < principals->table.size(); ++id)
            for (const auto use : {sched::Use::kPackets, sched::Use::kBytes, sched::Use::kDrops}) {
                const auto of = [&](StageFixture& box) {
                    return box.context().account->usage().get(sched::PrincipalId{id}, use);
                };
                EXPECT_EQ(of(with_), of(without_)) << principals->name(id);
            }
    }
    static std::map<std::string, uint64_t> counters(StageFixture& box) {
        std::map<std::string, uint64_t> out;
        CounterId id = 0;
        std::vector<std::string> ports;
        for (const PortPolicy& port : box.policy().ports) ports.push_back(port.name);
        for (const CounterSpec& spec : counter_specs(ports))
            out[spec.name] = box.context().counters.get(id++);
        return out;
    }
    static std::vector<std::string> flows(StageFixture& box) {
        std::vector<std::string> out;
        uint32_t cursor = 0;
        box.context().flows->for_each(cursor, box.context().flows->capacity(), [&](const Flow& f) {
            Flow known = f;
            known.ways = {};  // who takes no shortcuts has none
            out.emplace_back(reinterpret_cast<const char*>(&known), sizeof known);
        });
        return out;
    }
    LearnedRoutes learned_;  // nobody's of the two: both only look
    Kinds kinds_;
    Frames delivered_;
    Digest digest_;
    static inline unsigned compared_ = 0;  // in this program
    StageFixture with_, without_;
};

}  // namespace ravelin::test
