// SPDX-License-Identifier: Apache-2.0
// Absolute and symbolic reservations (requirements S46 to S53) granted by admission and kept by the
// schedulers' own code, in virtual time, beside a flood of every resource. Where the paper gives
// numbers, with these.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/granted_box.h"

namespace ravelin::sched {
namespace {

using admission::Admission;
using admission::Claim;
using admission::Request;
using admission::ResourceId;

constexpr uint64_t kMs = 1'000'000, kEnd = 2'000 * kMs;
constexpr ResourceId kCpu = 0, kWan = 1, kLab = 2, kDmz = 3;

/// A core of 100 million cycles/s and three links of unlike rates; floods are in the way for one
/// run or frame.
Admission machine() {
    Admission admission;
    admission.add_resource(
        {.name = "core 1", .capacity = 100'000'000, .blocking = GrantedBox::kMaxRun});
    for (const auto& [name, rate] :
         {std::pair("port wan", 1'250'000u), {"port lab", 500'000u}, {"port dmz", 125'000u}})
        admission.add_resource({.name = name, .capacity = rate, .blocking = GrantedBox::kLongest});
    return admission;
}

Claim own(ResourceId resource, admission::Work work) {
    return {.resource = resource, .work = work};
}
Claim shared(ResourceId resource, const char* with) {
    return {.resource = resource, .shared_with = with};
}
Request request(const std::string& name, uint64_t rate, uint64_t deadline,
                std::vector<Claim> claims) {
    return {.principal = name,
            .period = admission::period_of(rate),
            .deadline = static_cast<admission::Nanoseconds>(deadline),
            .claims = std::move(claims)};
}

// f1 wants 100 packets a second of 64 bytes, so 6400 bytes/s of the link for itself, and shares
// the CPU of f2 (S47). f2's CPU use changes and f1's 6400 bytes/s do not (S50).
TEST(S47, ALinkOfItsOwnAndTheCpuOfAnother) {
    for (const uint32_t cycles : {5'000u, 40'000u}) {
        Admission admission = machine();
        ASSERT_TRUE(granted(admission.reserve(
            request("f2", 1'000, 20 * kMs, {own(kCpu, 40'000), own(kWan, 200)}))));
        ASSERT_TRUE(granted(
            admission.reserve(request("f1", 100, 50 * kMs, {shared(kCpu, "f2"), own(kWan, 64)}))));
        GrantedBox box(admission);
        box.flood(kEnd);
        // Together as many as f2 reserved: nine of f2, one of f1.
        for (uint64_t i = 0; i * kMs < kEnd; ++i)
            box.at(i * kMs, [&box, i, cycles] {
                if (i % 10 == 0)
                    box.packet("f1", {cycles, 64});
                else
                    box.packet("f2", {cycles, 200});
            });
        box.run_until(kEnd + 100 * kMs);
        EXPECT_EQ(box.fate("f1").done, 200u);
        EXPECT_EQ(box.fate("f1").late + box.fate("f1").lost, 0u);
        EXPECT_EQ(box.fate("f2").done, 1'800u);
        EXPECT_EQ(box.fate("f2").late + box.fate("f2").lost, 0u);
        EXPECT_EQ(box.used(kWan, "f1", Use::kBytes), 2 * 6'400u);
        EXPECT_EQ(box.used(kWan, "f1", Use::kReserved), 200u);
        EXPECT_EQ(box.used(kCpu, "f1", Use::kCycles), 0u) << "the core knows f2's reservation only";
        EXPECT_EQ(box.used(kCpu, "f2", Use::kCycles), 2'000u * cycles);
    }
}

// Both send all that each may alone: f1 and f2 contend for the one reservation of the CPU, and
// nobody else feels it (S50).
TEST(S50, WhoSharesTheCpuContendsForIt) {
    Admission admission = machine();
    ASSERT_TRUE(granted(
        admission.reserve(request("f2", 100, 20 * kMs, {own(kCpu, 100'000), own(kWan, 200)}))));
    ASSERT_TRUE(granted(
        admission.reserve(request("f1", 100, 20 * kMs, {shared(kCpu, "f2"), own(kWan, 64)}))));
    ASSERT_TRUE(granted(
        admission.reserve(request("f3", 100, 10 * kMs, {own(kCpu, 200'000), own(kWan, 500)}))));
    GrantedBox box(admission);
    box.flood(kEnd);
    box.packets("f1", {100'000, 64}, 0, 10 * kMs, kEnd);
    box.packets("f2", {100'000, 200}, 1, 10 * kMs, kEnd);
    box.packets("f3", {200'000, 500}, 2, 10 * kMs, kEnd);
    box.run_until(kEnd);
    EXPECT_NEAR(static_cast<double>(box.used(kCpu, "f2", Use::kCycles)), 200 * 100'000.0, 200'000);
    EXPECT_GT(box.fate("f1").lost + box.fate("f2").lost, 150u) << "stale before the core came";
    EXPECT_GE(box.fate("f3").done, 199u);
    EXPECT_EQ(box.fate("f3").late + box.fate("f3").lost, 0u);
}

/// One input and three outputs of unlike rates, transcoded once: one reservation of the CPU is
/// absolute, two refer to it.
std::vector<Request> multicast() {
    return {request("dmz", 5, 60 * kMs, {shared(kCpu, "wan"), own(kDmz, 500)}),
            request("lab", 10, 30 * kMs, {shared(kCpu, "wan"), own(kLab, 1'000)}),
            request("wan", 20, 30 * kMs, {own(kCpu, 100'000), own(kWan, 1'400)})};
}
/// A packet of the input: the links whose rates let it through get their version of it.
void transcode(GrantedBox& box, uint64_t number) {
    std::vector<GrantedBox::Copy> copies;
    if (number % 2 == 0) copies.push_back({"lab", {0, 1'000}});
    if (number % 4 == 0) copies.push_back({"dmz", {0, 500}});
    box.packet("wan", {100'000, 1'400}, std::move(copies));
}

TEST(S52, TranscodingOnceThreeOutputsOfUnlikeRates) {
    Admission admission = machine();
    ASSERT_TRUE(granted(admission.reserve_all(multicast())));
    GrantedBox box(admission);
    constexpr uint64_t kPackets = 400, kPeriod = 50 * kMs;
    box.flood(kPackets * kPeriod);
    for (uint64_t i = 0; i < kPackets; ++i) box.at(i * kPeriod, [&box, i] { transcode(box, i); });
    box.run_until(kPackets * kPeriod + 100 * kMs);
    const std::pair<const char*, uint64_t> outputs[] = {
        {"wan", kPackets}, {"lab", kPackets / 2}, {"dmz", kPackets / 4}};
    for (const auto& [name, packets] : outputs) {
        EXPECT_EQ(box.fate(name).done, packets) << name;
        EXPECT_EQ(box.fate(name).late + box.fate(name).lost, 0u) << name;
    }
    EXPECT_EQ(box.used(kCpu, "wan", Use::kCycles), kPackets * 100'000) << "once, not three times";
    EXPECT_EQ(box.used(kWan, "wan", Use::kBytes), kPackets * 1'400);
    EXPECT_EQ(box.used(kLab, "lab", Use::kBytes), kPackets / 2 * 1'000);
    EXPECT_EQ(box.used(kDmz, "dmz", Use::kBytes), kPackets / 4 * 500);
}

/// 26 others on the core, due just before the flow in question, and 20 on the link.
void crowd(Admission& admission) {
    for (int i = 0; i < 26; ++i)
        ASSERT_TRUE(granted(
            admission.reserve(request(fmt::format("c{}", i), 10, 28 * kMs, {own(kCpu, 100'000)}))));
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(granted(
            admission.reserve(request(fmt::format("l{}", i), 10, 25 * kMs, {own(kWan, 1'250)}))));
}
/// All at their worst for it: `send` brings its packet at 0.
template <typename Send>
void meet_crowd(GrantedBox& box, const Send& send) {
    for (int i = 0; i < 26; ++i) box.packet(fmt::format("c{}", i), {100'000});
    send();
    box.at(26 * kMs + kMs / 2, [&box] {
        for (int i = 0; i < 20; ++i) box.packet(fmt::format("l{}", i), {1'250});
    });
    box.run_until(200 * kMs);
    for (int i = 0; i < 26; ++i) EXPECT_EQ(box.fate(fmt::format("c{}", i)).late, 0u) << i;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(box.fate(fmt::format("l{}", i)).late, 0u) << i;
}

// Declined by the paper: the input reserves only the CPU and the output only the link. Both are
// granted and both kept, and nobody has promised the packet's 31 ms (S53).
TEST(S53, SeparateReservationsLoseTheGuarantee) {
    const auto fresh = [] {
        Admission admission;
        admission.add_resource({.name = "core 1", .capacity = 100'000'000});
        admission.add_resource(
            {.name = "port wan", .capacity = 1'250'000, .blocking = GrantedBox::kLongest});
        return admission;
    };
    Admission apart = fresh();
    crowd(apart);
    ASSERT_TRUE(granted(apart.reserve(request("in", 10, 31 * kMs, {own(kCpu, 100'000)}))));
    ASSERT_TRUE(granted(apart.reserve(request("out", 10, 31 * kMs, {own(kWan, 1'250)}))));
    GrantedBox lost(apart);
    uint64_t whole = 0;
    meet_crowd(lost, [&] { lost.packet("in", {100'000}); });
    // The packet goes on as `out` where it left the core.
    const uint64_t core = lost.fate("in").worst_ns;
    GrantedBox again(apart);
    meet_crowd(again, [&] {
        again.packet("in", {100'000});
        again.at(core, [&again] { again.packet("out", {1'250}); });
    });
    EXPECT_EQ(again.fate("in").late + again.fate("out").late, 0u) << "each kept its own";
    whole = core + again.fate("out").worst_ns;
    EXPECT_GT(whole, 40 * kMs) << "and the packet lost its 31 ms";

    Admission both = fresh();
    crowd(both);
    ASSERT_TRUE(granted(
        both.reserve(request("both", 10, 31 * kMs, {own(kCpu, 100'000), own(kWan, 1'250)}))));
    GrantedBox kept(both);
    meet_crowd(kept, [&] { kept.packet("both", {100'000, 1'250}); });
    EXPECT_EQ(kept.fate("both").done, 1u);
    EXPECT_EQ(kept.fate("both").late, 0u);
    EXPECT_LE(kept.fate("both").worst_ns, 31 * kMs);
}

// c shares with b what b shares with a: the end of the chain serves them all (S51).
TEST(S51, AChainIsServedByItsEnd) {
    Admission admission = machine();
    ASSERT_TRUE(granted(admission.reserve_all(
        {request("c", 100, 60 * kMs, {shared(kCpu, "b"), shared(kLab, "b"), own(kDmz, 100)}),
         request("b", 100, 30 * kMs, {shared(kCpu, "a"), own(kLab, 100)}),
         request("a", 100, 20 * kMs, {own(kCpu, 90'000), own(kWan, 100)})})));
    GrantedBox box(admission);
    box.flood(kEnd);
    for (uint64_t i = 0; i * 10 * kMs < kEnd; ++i)
        box.at(i * 10 * kMs, [&box, i] {
            if (i % 3 == 0) box.packet("a", {90'000, 100});
            if (i % 3 == 1) box.packet("b", {90'000, 100});
            if (i % 3 == 2) box.packet("c", {90'000, 100, 100});
        });
    box.run_until(kEnd + 100 * kMs);
    for (const char* name : {"a", "b", "c"}) {
        EXPECT_GE(box.fate(name).done, 66u) << name;
        EXPECT_EQ(box.fate(name).late + box.fate(name).lost, 0u) << name;
    }
    EXPECT_EQ(box.used(kCpu, "a", Use::kCycles), 200 * 90'000u) << "whoever's packets they are";
    EXPECT_EQ(box.used(kLab, "b", Use::kReserved), box.fate("b").done + box.fate("c").done);
    EXPECT_EQ(box.used(kDmz, "c", Use::kReserved), box.fate("c").done);
}

// Circles are refused, over one resource or crosswise over two, and what is refused holds nothing:
// who comes afterwards has all there is (S51).
TEST(S51, ACircleIsRefusedAndHoldsNothing) {
    Admission admission = machine();
    EXPECT_FALSE(granted(
        admission.reserve_all({request("a", 100, 20 * kMs, {shared(kCpu, "b"), own(kWan, 100)}),
                               request("b", 100, 20 * kMs, {shared(kCpu, "a"), own(kLab, 100)})})));
    EXPECT_FALSE(granted(admission.reserve_all(
        {request("a", 100, 20 * kMs, {shared(kCpu, "b"), own(kWan, 100)}),
         request("b", 100, 20 * kMs, {own(kCpu, 90'000), shared(kWan, "a")})})));
    EXPECT_TRUE(admission.principals().empty());
    ASSERT_TRUE(granted(admission.reserve(request("all", 100, 10 * kMs, {own(kCpu, 950'000)}))));
    GrantedBox box(admission, {"a", "b"});
    box.flood(kEnd);
    box.packets("all", {950'000}, 0, 10 * kMs, kEnd);
    box.run_until(kEnd);
    EXPECT_EQ(box.fate("all").late + box.fate("all").lost, 0u);
    EXPECT_GE(box.fate("all").done, 199u);
}

// The referent goes by force: who shares it is suspended and gets nothing any more, others feel
// nothing, and what both had is free. When it is back and they are resumed all is as before (S51).
TEST(S51, AReferentWithdrawnSuspendsWhoSharesIt) {
    Admission admission = machine();
    ASSERT_TRUE(granted(admission.reserve_all(multicast())));
    ASSERT_TRUE(granted(
        admission.reserve(request("other", 100, 20 * kMs, {own(kCpu, 100'000), own(kLab, 500)}))));
    EXPECT_FALSE(admission.release("wan").ok()) << "not while others share it";
    GrantedBox box(admission);
    constexpr uint64_t kPeriod = 50 * kMs, kGone = 100, kBack = 200, kPackets = 300;
    box.flood(kPackets * kPeriod);
    box.packets("other", {100'000, 500}, 0, 10 * kMs, kPackets * kPeriod);
    for (uint64_t i = 0; i < kPackets; ++i)
        if (i < kGone || i >= kBack) box.at(i * kPeriod, [&box, i] { transcode(box, i); });
    uint64_t lent = 0;
    box.at(kGone * kPeriod - 1, [&] {
        const auto suspended = admission.release("wan", true);
        ASSERT_TRUE(suspended.ok());
        EXPECT_EQ(suspended->size(), 2u);
        // What the three had is there for another, all of it.
        ASSERT_TRUE(granted(admission.reserve(
            request("guest", 20, 30 * kMs, {own(kCpu, 100'000), own(kWan, 1'400)}))));
        ASSERT_TRUE(admission.release("guest").ok());
        box.apply();
        lent = box.used(kLab, "lab", Use::kReserved);
    });
    box.at(kGone * kPeriod, [&] { box.packet("lab", {100'000, 1'000}); });  // nobody serves it
    box.at(kBack * kPeriod - 1, [&] {
        EXPECT_EQ(box.used(kLab, "lab", Use::kReserved), lent) << "while it is suspended";
        ASSERT_TRUE(granted(admission.reserve(multicast()[2])));
        ASSERT_TRUE(granted(admission.resume("lab")));
        ASSERT_TRUE(granted(admission.resume("dmz")));
        box.apply();
    });
    box.run_until(kPackets * kPeriod + 100 * kMs);
    EXPECT_EQ(box.fate("other").late + box.fate("other").lost, 0u);
    EXPECT_EQ(box.fate("other").done, kPackets * 5);
    EXPECT_EQ(box.fate("wan").done, 200u);
    EXPECT_EQ(box.fate("dmz").done, 50u);
    for (const char* name : {"wan", "lab", "dmz"}) EXPECT_EQ(box.fate(name).late, 0u) << name;
    EXPECT_EQ(box.fate("lab").lost, 1u) << "the one that came while it was suspended";
}

}  // namespace
}  // namespace ravelin::sched
