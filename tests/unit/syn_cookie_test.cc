// SPDX-License-Identifier: Apache-2.0
// SYN cookies: what they carry comes back, nothing that differs by a bit is believed, and a minute
// or two is all they hold for.
#include "pipelines/stages/firewall_syn_cookie.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ravelin::firewall {
namespace {

using Verdict = SynCookies::Verdict;
constexpr uint64_t kNow = 1'000 * SynCookies::kMinuteNs;
constexpr uint32_t kSyn = 0x12345678;

constinit std::array<uint64_t, 6> secret{11, 22, 33, 44, 55, 66};

struct Subject {
    FlowKey key;
    bool swapped = false;
};
Subject subject4(uint32_t client = 0x0a000001, uint16_t port = 40000) {
    Subject s;
    s.key =
        FlowKey::make(IpAddress::v4(client), IpAddress::v4(0xc0000207), port, 80, 6, 0, s.swapped);
    return s;
}
Subject subject6() {
    Subject s;
    s.key = FlowKey::make(*IpAddress::parse("2001:db8::1"), *IpAddress::parse("2001:db8::2"), 40000,
                          443, 6, 5, s.swapped);
    return s;
}

SynCookies at(uint64_t now) {
    SynCookies cookies(secret);
    cookies.set_time(now);
    return cookies;
}

SynOptions carried(const Subject& s, const SynOptions& wanted) {
    const SynCookies cookies = at(kNow);
    SynOptions out;
    const auto made = cookies.make(s.key, s.swapped, kSyn, wanted);
    EXPECT_EQ(cookies.check(s.key, s.swapped, kSyn, made.sequence, out), Verdict::kValid);
    return out;
}

// The reference's test vectors (vectors_sip64), key 00 01 ... 0f, message 00 01 02 ...
TEST(SipHash, IsThatOfItsAuthors) {
    const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    const std::array<uint64_t, 2> message{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    EXPECT_EQ(siphash(key, {}), 0x726fdb47dd0e0e31u);
    EXPECT_EQ(siphash(key, std::span(message).first(1)), 0x93f5f5799a932462u);
    EXPECT_EQ(siphash(key, message), 0x3f2acc7f57c29bdbu);
}

TEST(SynCookie, CarriesScaleAndSackExactly) {
    for (int scale = -1; scale <= 14; ++scale)
        for (const bool sack : {false, true})
            for (const auto& s : {subject4(), subject6()}) {
                const auto out = carried(s, {1460, static_cast<int8_t>(scale), sack});
                EXPECT_EQ(out.window_scale, scale);
                EXPECT_EQ(out.sack, sack);
            }
}

TEST(SynCookie, RoundsTheSegmentSizeDown) {
    const std::pair<uint16_t, uint16_t> sizes4[] = {
        {0, 536},     {1, 64},      {64, 64},     {535, 64},    {536, 536},   {1239, 536},
        {1360, 1360}, {1452, 1440}, {1460, 1460}, {8959, 1460}, {8960, 8960}, {65535, 8960}};
    for (const auto& [asked, kept] : sizes4)
        EXPECT_EQ(carried(subject4(), {asked, 7, true}).segment_size, kept) << asked;
    const std::pair<uint16_t, uint16_t> sizes6[] = {{0, 1220},    {1219, 64},   {1220, 1220},
                                                    {1440, 1440}, {1460, 1440}, {9000, 8940}};
    for (const auto& [asked, kept] : sizes6)
        EXPECT_EQ(carried(subject6(), {asked, 7, true}).segment_size, kept) << asked;
}

TEST(SynCookie, EveryBitFlipIsRefused) {
    const SynCookies cookies = at(kNow);
    for (const Subject& s : {subject4(), subject6()}) {
        const auto made = cookies.make(s.key, s.swapped, kSyn, {1460, 7, true});
        SynOptions out;
        const auto check = [&](const FlowKey& key, bool swapped, uint32_t syn, uint32_t cookie) {
            return cookies.check(key, swapped, syn, cookie, out);
        };
        ASSERT_EQ(check(s.key, s.swapped, kSyn, made.sequence), Verdict::kValid);
        for (unsigned bit = 0; bit < 32; ++bit) {
            EXPECT_EQ(check(s.key, s.swapped, kSyn, made.sequence ^ 1u << bit), Verdict::kForged);
            EXPECT_EQ(check(s.key, s.swapped, kSyn ^ 1u << bit, made.sequence), Verdict::kForged);
        }
        EXPECT_EQ(check(s.key, !s.swapped, kSyn, made.sequence), Verdict::kForged);
        for (unsigned bit = 0; bit < 8 * sizeof(FlowKey); ++bit) {
            auto bytes = std::bit_cast<std::array<uint8_t, sizeof(FlowKey)>>(s.key);
            bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
            const auto key = std::bit_cast<FlowKey>(bytes);
            EXPECT_EQ(check(key, s.swapped, kSyn, made.sequence), Verdict::kForged) << bit;
        }
    }
}

TEST(SynCookie, HoldsOneToTwoMinutes) {
    const Subject s = subject4();
    for (const uint64_t second : {0u, 1u, 30u, 59u}) {
        const uint64_t born = kNow + second * 1'000'000'000;
        const auto made = at(born).make(s.key, s.swapped, kSyn, {});
        for (uint64_t age = 0; age <= 200; ++age) {
            SynOptions out;
            const auto verdict =
                at(born + age * 1'000'000'000).check(s.key, s.swapped, kSyn, made.sequence, out);
            if (age <= 60) {
                EXPECT_EQ(verdict, Verdict::kValid) << second << " " << age;
            }
            if (age >= 120) {
                EXPECT_EQ(verdict, Verdict::kExpired) << second << " " << age;
            }
        }
        SynOptions out;
        EXPECT_EQ(
            at(born + 10 * SynCookies::kMinuteNs).check(s.key, s.swapped, kSyn, made.sequence, out),
            Verdict::kForged);
    }
}

TEST(SynCookie, SurvivesTheProcessButNotItsSecret) {
    const Subject s = subject4();
    SynOptions out;
    const auto made = at(kNow).make(s.key, s.swapped, kSyn, {});
    for (uint64_t& word : secret) {
        word ^= 1;
        EXPECT_EQ(at(kNow).check(s.key, s.swapped, kSyn, made.sequence, out), Verdict::kForged);
        word ^= 1;
    }
    EXPECT_EQ(at(kNow).check(s.key, s.swapped, kSyn, made.sequence, out), Verdict::kValid);
}

// Blind guesses: two of 2^24 for each value of the options.
TEST(SynCookie, GuessesFail) {
    const SynCookies cookies = at(kNow);
    const Subject s = subject4();
    std::mt19937 random(7);
    SynOptions out;
    unsigned hits = 0;
    for (int i = 0; i < 200'000; ++i)
        hits += cookies.check(s.key, s.swapped, kSyn, static_cast<uint32_t>(random()), out) ==
                        Verdict::kValid
                    ? 1
                    : 0;
    EXPECT_LE(hits, 2u);
}

TEST(SynCookie, NumbersOfOneClientAreNotAlike) {
    const SynCookies cookies = at(kNow);
    std::set<uint32_t> numbers, times;
    for (uint16_t port = 1; port <= 1000; ++port) {
        const Subject s = subject4(0x0a000001, port);
        const auto made = cookies.make(s.key, s.swapped, kSyn, {});
        numbers.insert(made.sequence);
        times.insert(made.timestamp);
    }
    EXPECT_GE(numbers.size(), 999u);
    EXPECT_EQ(times.size(), 1000u);
}

}  // namespace
}  // namespace ravelin::firewall
