// SPDX-License-Identifier: Apache-2.0
// Rules come and go live under continuous traffic through four workers. A packet's length tells
// what its source was when it was sent: allowed, denied, or in between. What was sent while its
// source was allowed must come out, what was sent when a change that denies it had returned must
// not, and every drop is a hit of a live rule; through merges and more changes than a delta holds.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "dataplane/net/packet_text.h"
#include "tests/support/live_rule.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

constexpr unsigned kWorkers = 4, kChanges = 700, kSources = 16, kFlows = 4, kAlways = 64;
constexpr uint32_t kFirstSlot = 1000;
constexpr unsigned kLength = 20, kHeaders = 42, kMostUnderWay = 512;

enum State : unsigned { kAllowed, kEither, kDenied, kStates, kSilent = kStates };

std::string configuration() {
    std::string rules;
    for (unsigned i = 0; i < 200; ++i)
        rules += fmt::format(
            "{{name: fill-{0}, slot: {0}, action: drop, from: 203.0.113.{0}, protocol: udp}}, ", i);
    return fmt::format(
        "mode: wire\n"
        "workers: {{count: {}, poll: adaptive, buffers: 4096, flows: 4096, hugepages: \"off\"}}\n"
        "ports: [{{name: lan, device: net_ring_lan}}, {{name: wan, device: net_ring_wan}}]\n"
        "pipeline: [parse, steer, wire, {{firewall: {{rules: [{}"
        "{{name: all, slot: 500, action: accept}}]}}}}]\n",
        kWorkers, rules);
}

Bytes frame_from(const std::string& source, unsigned port, unsigned length) {
    auto packet = parse_packet_text(
        fmt::format("in=lan udp {}:{} > 192.0.2.1:53 len={}", source, port, length), {});
    EXPECT_TRUE(packet.ok()) << packet.error().message;
    return packet->frame;
}

struct Source {
    std::atomic<unsigned> state{kAllowed};
    std::array<std::atomic<uint64_t>, kStates> sent{}, out{};
    std::array<std::array<Bytes, kStates>, kFlows> frames;
    bool denied = false;  // of the control thread
};

/// The generator and the sink, in a thread of its own.
class Wire {
  public:
    explicit Wire(RingBox& box)
        : box_(box),
          pool_(rte_pktmbuf_pool_create("traffic", 8191, 0, sizeof(PacketMeta),
                                        RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY)) {
        for (unsigned s = 0; s < kSources; ++s)
            for (unsigned f = 0; f < kFlows; ++f)
                for (unsigned state = 0; state < kStates; ++state)
                    sources[s].frames[f][state] =
                        frame_from(fmt::format("10.0.2.{}", s), 1000 + f, kLength + state);
        for (unsigned f = 0; f < kAlways; ++f)
            always_.push_back(frame_from(fmt::format("10.0.1.{}", f + 1), 1000 + f, kLength));
    }
    void run() {
        while (!stop.load()) {
            const uint64_t done = arrived() + box_.dropped();
            for (unsigned i = 0; i < 32 && sent() - done < kMostUnderWay; ++i) one();
            rounds.fetch_add(1);
            take();
        }
        for (unsigned idle = 0; idle < 5000 && arrived() + box_.dropped() < sent(); ++idle) {
            take();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    [[nodiscard]] uint64_t sent() const { return sent_.load(); }
    [[nodiscard]] uint64_t arrived() const { return arrived_.load(); }

    std::array<Source, kSources> sources;
    std::atomic<uint64_t> rounds{0}, always_sent{0}, always_out{0};
    std::atomic<bool> stop{false};

  private:
    void one() {
        const size_t n = next_++;
        if (n % 2 == 0) {
            ++always_sent;
            send(always_[n / 2 % always_.size()]);
            return;
        }
        Source& source = sources[n / 2 % kSources];
        const unsigned state = source.state.load();
        if (state == kSilent) return;
        ++source.sent[state];
        send(source.frames[n / 2 / kSources % kFlows][state]);
    }
    void send(const Bytes& bytes) {
        rte_mbuf* frame = nullptr;
        while ((frame = rte_pktmbuf_alloc(pool_)) == nullptr) std::this_thread::yield();
        std::memcpy(rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size())), bytes.data(),
                    bytes.size());
        box_.send(0, frame);
        ++sent_;
    }
    void take() {
        for (rte_mbuf* frame : box_.receive(1)) {
            const auto* source = rte_pktmbuf_mtod_offset(frame, const uint8_t*, 26);
            const unsigned state = rte_pktmbuf_pkt_len(frame) - kHeaders - kLength;
            if (source[2] == 1)
                ++always_out;
            else
                ++sources[source[3]].out[state];
            ++arrived_;
            rte_pktmbuf_free(frame);
        }
    }
    RingBox& box_;
    rte_mempool* pool_;
    std::vector<Bytes> always_;
    size_t next_ = 0;
    std::atomic<uint64_t> sent_{0}, arrived_{0};
};

class LiveRulesUnderTraffic : public ::testing::Test {
  protected:
    void SetUp() override { box_.apply(configuration()); }
    void change(const model::RuleChange& rule) {
        const Status changed = change_rule(box_.store(), rule);
        ASSERT_TRUE(changed.ok()) << changed.error().message;
    }
    void deny(unsigned s) {
        auto add = rule_added(fmt::format("{{name: stop-{}, action: drop, from: 10.0.2.{}}}", s, s),
                              kFirstSlot + s);
        add.set_place(rng_() % 2 == 0 ? model::RuleChange::FIRST : model::RuleChange::BEFORE);
        if (add.place() == model::RuleChange::BEFORE)
            add.set_anchor(rng_() % 2 == 0 ? "all" : fmt::format("fill-{}", rng_() % 200));
        change(add);
    }
    void allow(unsigned s) { change(rule_removed(fmt::format("stop-{}", s))); }
    void wait(const char* what, const std::function<bool()>& done) {
        for (unsigned i = 0; !done(); ++i) {
            ASSERT_LT(i, 30'000u) << what << "; drops " << box_.drops();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    void turn(Source& source, State to) {
        source.state = to;
        const uint64_t round = wire_.rounds;
        wait("the generator stands", [&] { return wire_.rounds > round + 1; });
    }
    // What was sent before is through when this returns, or it would be judged as what comes.
    void between(unsigned s) {
        Source& source = wire_.sources[s];
        turn(source, kSilent);
        wait("packets are lost", [&] {
            uint64_t sent = 0, done = hits(kFirstSlot + s);
            for (unsigned state = 0; state < kStates; ++state) {
                sent += source.sent[state];
                done += source.out[state];
            }
            return done == sent;
        });
        turn(source, kEither);
    }
    void flip(unsigned s) {
        Source& source = wire_.sources[s];
        between(s);
        if (HasFatalFailure()) return;
        source.denied ? allow(s) : deny(s);
        source.denied = !source.denied;
        source.state = source.denied ? kDenied : kAllowed;
    }
    [[nodiscard]] uint64_t hits(uint32_t slot) {
        uint64_t sum = 0;
        for (const auto& worker : box_.store().appliance()->workers())
            sum += worker->context().counters.rule(slot).packets;
        return sum;
    }

    RingBox box_{{"lan", "wan"}, kWorkers};
    Wire wire_{box_};
    std::mt19937 rng_{7};
};

TEST_F(LiveRulesUnderTraffic, NothingAllowedIsLostAndNothingDeniedPasses) {
    const uint64_t generation = box_.store().current()->generation;
    std::thread traffic([this] { wire_.run(); });
    for (unsigned i = 0; i < kChanges && !HasFatalFailure(); ++i) {
        flip(rng_() % kSources);
        // Now often, now so rarely that a change has to wait for a merge.
        if (i < kChanges / 2 && rng_() % 4 == 0) box_.store().merge_rules(kInAPause);
    }
    wire_.stop = true;
    traffic.join();
    EXPECT_EQ(wire_.always_out, wire_.always_sent);
    uint64_t denied = 0, stopped = 0;
    for (unsigned s = 0; s < kSources; ++s) {
        const Source& source = wire_.sources[s];
        EXPECT_EQ(source.out[kAllowed], source.sent[kAllowed]) << s;
        EXPECT_EQ(source.out[kDenied], 0u) << s;
        denied += source.sent[kDenied];
        stopped += hits(kFirstSlot + s);
    }
    EXPECT_GT(denied, 1000u);
    EXPECT_EQ(stopped, box_.dropped()) << box_.drops();
    EXPECT_EQ(wire_.arrived() + box_.dropped(), wire_.sent());
    EXPECT_EQ(box_.store().current()->generation, generation);
    EXPECT_GT(box_.store().live().merges(), 2u);
    EXPECT_GT(box_.counter("drop.firewall.flow_cut"), 0u);
}

TEST_F(LiveRulesUnderTraffic, WhatComesAndGoesTakesNoRoomBesideTheTables) {
    PolicyStore& store = box_.store();
    for (unsigned i = 0; i < 600; ++i) {  // more than there is room for
        deny(1);
        allow(1);
    }
    EXPECT_EQ(store.live().merges(), 0u);
    EXPECT_EQ(store.current()->rules.find("stop-1")->slot, kFirstSlot + 1) << "its hits are shown";
    // A rule that another stands by stays until they are merged.
    change(rule_added("{name: a, action: drop, from: 10.0.2.1}", kFirstSlot));
    auto behind = rule_added("{name: b, action: drop, from: 10.0.2.2}", kFirstSlot + 1);
    behind.set_place(model::RuleChange::AFTER);
    behind.set_anchor("a");
    change(behind);
    change(rule_removed("a"));
    EXPECT_FALSE(change_rule(store, rule_removed("a")).ok()) << "once";
    wait("nothing is merged", [&] {
        store.merge_rules(kInAPause);
        return store.live().rules_waiting() == 0;
    });
    EXPECT_EQ(store.live().merges(), 1u);
    change(rule_removed("b"));
    EXPECT_FALSE(change_rule(store, rule_removed("b")).ok());
}

TEST_F(LiveRulesUnderTraffic, AMergeBeginsWhenChangesPause) {
    deny(1);
    const Now now = Now::from_ns(0);  // before any pause could be over
    PolicyStore& store = box_.store();
    for (unsigned i = 0; i < 300; ++i) {
        store.merge_rules(now);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(store.live().merges(), 0u);
    EXPECT_EQ(store.live().rules_waiting(), 1u);
    wait("nothing is merged", [&] {
        store.merge_rules(kInAPause);
        return store.live().rules_waiting() == 0;
    });
    EXPECT_EQ(store.live().merges(), 1u);
}

}  // namespace
}  // namespace ravelin::test
