// SPDX-License-Identifier: Apache-2.0
// The link scheduler at an emulated rate: who leaves when, shares and caps, bounded queues, marks.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/support/sched_sim.h"
#include "tests/support/sched_table.h"

namespace ravelin::sched {
namespace {

constexpr uint64_t kMs = 1'000'000, kNsPerByte = 8;

class Port {
  public:
    explicit Port(const std::vector<PrincipalSpec>& specs, LinkScheduler::Config c = {})
        : config(with_rate(c)),
          principals(table_of(specs)),
          usage(principals.size()),
          scheduler(
              principals, usage, config,
              {[](void* port, void* const*, unsigned n, PrincipalId id, Refusal why) noexcept {
                   static_cast<Port*>(port)->released[{id, why}] += n;
               },
               this},
              {[](void* port, void* frame) noexcept {
                   ++static_cast<Port*>(port)->marked;
                   return static_cast<SimPacket*>(frame)->cycles == 0;
               },
               this},
              0),
          link(clock, scheduler, kNsPerByte, config, [this](SimPacket& p, uint64_t when) {
              departed.push_back({p.principal, p.bytes, when});
              bytes[p.principal] += p.bytes + config.overhead;
          }) {}
    PrincipalId id(const std::string& name) const { return principals.find(name); }
    Refusal send(PrincipalId who, uint32_t length, uint64_t not_ect = 0) {
        packets.push_back({.principal = who, .cycles = not_ect, .bytes = length});
        return link.send(packets.back());
    }
    void keep_busy(PrincipalId who, uint32_t length, uint64_t end) {
        while (scheduler.depth(who) < 64 && send(who, length) == Refusal::kNone) {
        }
        if (clock.now() < end)
            clock.at(clock.now() + 40'000, [=, this] { keep_busy(who, length, end); });
    }

    struct Departure {
        PrincipalId who;
        uint32_t bytes;
        uint64_t when;
    };
    LinkScheduler::Config config;
    VirtualClock clock;
    PrincipalTable principals;
    Usage usage;
    LinkScheduler scheduler;
    VirtualLink link;
    std::vector<Departure> departed;
    std::map<PrincipalId, uint64_t> bytes;
    std::map<std::pair<PrincipalId, Refusal>, unsigned> released;
    unsigned marked = 0;
    std::deque<SimPacket> packets;

  private:
    static LinkScheduler::Config with_rate(LinkScheduler::Config c) {
        if (c.rate == 0) c.rate = 1'000'000'000 / kNsPerByte;
        return c;
    }
};

TEST(SchedLink, SendsAtTheStatedRateAndInOrder) {
    Port port({{.name = "a"}});
    for (uint32_t i = 0; i < 100; ++i) port.send(port.id("a"), 100 + i);
    port.clock.run_until(10 * kMs);
    ASSERT_EQ(port.departed.size(), 100u);
    uint64_t when = 0;
    for (uint32_t i = 0; i < 100; ++i) {
        when += (100 + i + 24) * kNsPerByte;
        EXPECT_EQ(port.departed[i].bytes, 100 + i);
        EXPECT_EQ(port.departed[i].when, when);
    }
}

TEST(SchedLink, KeepsTheWireFullAtManyRates) {
    for (const uint64_t rate : {1'000'000u, 9'999'991u, 125'000'000u}) {
        LinkScheduler::Config config;
        config.rate = rate;
        Port port({{.name = "a"}, {.name = "b"}}, config);
        void* out[32];
        uint64_t now = 0, sent = 0;
        for (; now < 100 * kMs; now = port.scheduler.wake_at(now)) {
            for (const char* who : {"a", "b"})
                while (port.scheduler.depth(port.id(who)) < 8) port.send(port.id(who), 1000);
            sent += port.scheduler.dequeue(now, out);
        }
        const double ideal = static_cast<double>(rate) / 1024 / 10;
        EXPECT_NEAR(static_cast<double>(sent), ideal, 7.0) << rate;  // and the ring's worth
    }
}

// S63: capacity 10, demands 1, 4, 8, 8 give 1, 3, 3, 3; an organisation with 100 times the flows
// gains nothing.
TEST(SchedLink, IsMaxMinFairToOrganisations) {
    std::vector<PrincipalSpec> specs{{.name = "one"}, {.name = "four"}, {.name = "eight"}};
    for (int i = 0; i < 100; ++i) specs.push_back({.name = "many/" + std::to_string(i)});
    Port port(specs);
    constexpr uint64_t kEnd = 200 * kMs;
    const auto demand = [&](const std::string& who, uint64_t tenths) {
        const uint64_t gap = 1024 * kNsPerByte * 10 / tenths;
        for (uint64_t t = 0; t < kEnd; t += gap)
            port.clock.at(t, [&port, who] { port.send(port.id(who), 1000); });
    };
    demand("one", 1);
    demand("four", 4);
    demand("eight", 8);
    for (int i = 0; i < 100; ++i) port.keep_busy(port.id("many/" + std::to_string(i)), 1000, kEnd);
    port.clock.run_until(kEnd);
    const double unit = 200e6 / kNsPerByte / 10;
    EXPECT_NEAR(static_cast<double>(port.bytes[port.id("one")]), unit, unit * 0.01);
    EXPECT_NEAR(static_cast<double>(port.bytes[port.id("four")]), 3 * unit, unit * 0.01);
    EXPECT_NEAR(static_cast<double>(port.bytes[port.id("eight")]), 3 * unit, unit * 0.01);
    uint64_t many = 0;
    for (int i = 0; i < 100; ++i) many += port.bytes[port.id("many/" + std::to_string(i))];
    EXPECT_NEAR(static_cast<double>(many), 3 * unit, unit * 0.01);
}

TEST(SchedLink, SharesAreInBytesAndByWeight) {
    Port port({{.name = "small", .weight = 2}, {.name = "large", .weight = 1}});
    port.keep_busy(port.id("small"), 40, 100 * kMs);
    port.keep_busy(port.id("large"), 1494, 100 * kMs);
    port.clock.run_until(100 * kMs);
    const double all = 100e6 / kNsPerByte;
    EXPECT_NEAR(static_cast<double>(port.bytes[port.id("small")]), all * 2 / 3, all * 0.02);
    EXPECT_NEAR(static_cast<double>(port.bytes[port.id("large")]), all / 3, all * 0.02);
}

TEST(SchedLink, LendsAnUnusedReservationAndTakesItBackWithinTheRing) {
    Port port({{.name = "r"}, {.name = "s"}});
    const PrincipalId r = port.id("r");
    port.scheduler.reserve(r, {.work = 1024, .period_ns = 100'000, .deadline_ns = 100'000}, 0);
    port.keep_busy(port.id("s"), 1000, 20 * kMs);
    port.clock.run_until(10 * kMs);
    EXPECT_GE(port.bytes[port.id("s")] + 2048, 10 * kMs / kNsPerByte);
    std::vector<uint64_t> sent;
    for (uint64_t t = 10 * kMs; t < 19 * kMs; t += 100'000)
        port.clock.at(t, [&port, &sent, r, t] {
            sent.push_back(t);
            port.send(r, 1000);
        });
    port.clock.run_until(20 * kMs);
    size_t k = 0;
    for (const auto& d : port.departed) {
        if (d.who != r) continue;
        EXPECT_LE(d.when - sent[k++], (port.config.ring_bytes + 1024) * kNsPerByte);
    }
    EXPECT_EQ(k, sent.size());
    EXPECT_EQ(port.usage.get(r, Use::kMisses), 0u);
}

TEST(SchedLink, ACapShapesToItsRateAndLeavesNothingUnused) {
    Port port({{.name = "org", .caps = {.bytes_per_s = 5'000'000}},
               {.name = "org/a"},
               {.name = "org/b", .weight = 3},
               {.name = "rest"}});
    for (const char* who : {"org/a", "org/b", "rest"})
        port.keep_busy(port.id(who), 1000, 400 * kMs);
    port.clock.run_until(400 * kMs);
    const auto got = [&](const char* who) { return static_cast<double>(port.bytes[port.id(who)]); };
    EXPECT_NEAR(got("org/a") + got("org/b"), 2e6, 3e4);
    EXPECT_NEAR(got("org/b"), 1.5e6, 3e4);
    EXPECT_NEAR(got("org/a") + got("org/b") + got("rest"), 400e6 / kNsPerByte, 4e4);
}

// A cap alone, nobody else: the wheel brings it back in time.
TEST(SchedLink, ACappedPrincipalAloneIsPacedByTheWheel) {
    Port port({{.name = "a", .caps = {.bytes_per_s = 1'000'000}}});
    port.keep_busy(port.id("a"), 976, 100 * kMs);
    port.clock.run_until(100 * kMs);
    EXPECT_NEAR(static_cast<double>(port.bytes[port.id("a")]), 100e3 + 16 * 1518, 1500);
    for (size_t i = 40; i + 1 < port.departed.size(); ++i)
        EXPECT_NEAR(static_cast<double>(port.departed[i + 1].when - port.departed[i].when), 1e6,
                    1024.0);
}

TEST(SchedLink, QueuesAreBoundedByPacketsAndBytesAndRoomIsLeft) {
    LinkScheduler::Config config;
    config.packets = 64;
    config.queue_packets = 40;
    config.queue_bytes = 10'000;
    Port port({{.name = "a"}, {.name = "b"}, {.name = "c"}}, config);
    unsigned n = 0;
    SimPacket frame;
    const auto fill = [&](const char* who, uint32_t length) {
        n = 0;
        Refusal why;
        do why = port.scheduler.enqueue(port.id(who), &frame, length, 0);
        while (why == Refusal::kNone && ++n != 0);
        return why;
    };
    EXPECT_EQ(fill("a", 1000), Refusal::kQueueFull);
    EXPECT_EQ(n, 10u);
    EXPECT_EQ(fill("b", 60), Refusal::kPoolFull);
    EXPECT_EQ(n, 27u);  // as many as it leaves free
    EXPECT_EQ(fill("c", 60), Refusal::kPoolFull);
    EXPECT_GE(n, 13u);
    EXPECT_EQ(port.usage.get(port.id("a"), Use::kRejected), 1u);
    EXPECT_EQ(port.scheduler.enqueue(PrincipalId{99}, &frame, 60, 0), Refusal::kUnknownPrincipal);
}

TEST(SchedLink, MarksWhatComesToALongQueueIfItCanBeMarked) {
    LinkScheduler::Config config;
    config.mark_bytes = 5'000;
    Port port({{.name = "a"}}, config);
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(port.send(port.id("a"), 1000, i == 9 ? 1 : 0), Refusal::kNone);
    EXPECT_EQ(port.marked, 5u);                                 // asked for the last five
    EXPECT_EQ(port.usage.get(port.id("a"), Use::kMarked), 4u);  // the tenth is of no such transport
    port.clock.run_until(kMs);
    EXPECT_EQ(port.departed.size(), 10u);
}

TEST(SchedLink, FramesPastTheirDeadlineAreNotSent) {
    Port port({{.name = "a"}, {.name = "b"}});
    std::array<SimPacket, 30> frames;
    for (size_t i = 0; i < frames.size(); ++i) {
        frames[i].principal = port.id("a");
        frames[i].bytes = 1000;
        port.scheduler.enqueue(port.id("a"), &frames[i], 1000, 0,
                               i % 3 == 0 ? 50'000 : kNoDeadline);
    }
    port.link.kick();
    port.clock.run_until(10 * kMs);
    const unsigned dropped = port.released[{port.id("a"), Refusal::kStale}];
    EXPECT_EQ(port.departed.size() + dropped, 30u);
    EXPECT_EQ(dropped, 6u);  // by 50 us the first twelve are on their way
    EXPECT_EQ(port.scheduler.waiting(), 0u);
}

// Small frames share the job of a large one, as long as they wait already.
TEST(SchedLink, AReservationIsInBytes) {
    Port port({{.name = "r", .weight = 0}});
    port.scheduler.reserve(port.id("r"), {.work = 1024, .period_ns = kMs, .deadline_ns = kMs}, 0);
    for (int i = 0; i < 32; ++i) port.send(port.id("r"), 232);  // 256 on the wire
    port.clock.run_until(3 * kMs - 1);
    EXPECT_EQ(port.departed.size(), 12u);
    Port large({{.name = "r", .weight = 0}});
    large.scheduler.reserve(large.id("r"), {.work = 512, .period_ns = kMs, .deadline_ns = kMs}, 0);
    for (int i = 0; i < 32; ++i) large.send(large.id("r"), 1000);  // two jobs each
    large.clock.run_until(6 * kMs - 1);
    EXPECT_EQ(large.departed.size(), 3u);
    EXPECT_EQ(large.usage.get(large.id("r"), Use::kMisses), 0u);
}

TEST(SchedLink, ManyPrincipalsAreServedAlike) {
    std::vector<PrincipalSpec> specs;
    for (int i = 0; i < 2'000; ++i) specs.push_back({.name = "p" + std::to_string(i)});
    LinkScheduler::Config config;
    config.packets = 16'000;
    Port port(specs, config);
    SimPacket frame;
    for (int round = 0; round < 4; ++round)
        for (int i = 0; i < 2'000; ++i)
            port.scheduler.enqueue(port.id("p" + std::to_string(i)), &frame, 1000, 0);
    void* out[32];
    for (uint64_t now = 0, sent = 0; sent < 4'000; now = port.scheduler.wake_at(now))
        sent += port.scheduler.dequeue(now, {out, 1});
    for (int i = 0; i < 2'000; ++i)
        EXPECT_EQ(port.scheduler.depth(port.id("p" + std::to_string(i))), 2u) << i;
}

}  // namespace
}  // namespace ravelin::sched
