// SPDX-License-Identifier: Apache-2.0
#include "dataplane/live_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

namespace ravelin {
namespace {

SetElement element(SetType type, const std::string& text) {
    auto parsed = SetElement::parse(type, text);
    EXPECT_TRUE(parsed.ok()) << text;
    return parsed ? *parsed : SetElement{};
}

std::unique_ptr<LiveSet> make(SetType type, uint32_t size = 1000) {
    return std::move(*LiveSet::create({"s", type, size}));
}

IpAddress address(const char* text) { return *IpAddress::parse(text); }

struct Text {
    SetType type;
    const char *text, *canonical;  // null: refused
};

TEST(LiveSet, ReadsAndWritesItsElements) {
    constexpr auto P = SetType::kPrefixes, N = SetType::kPorts, E = SetType::kEndpoints,
                   T = SetType::kPairs;
    const Text cases[] = {
        {P, "192.0.2.0/24", "192.0.2.0/24"},
        {P, "192.0.2.7", "192.0.2.7/32"},
        {P, "2001:db8::/32", "2001:db8::/32"},
        {P, "0.0.0.0/0", "0.0.0.0/0"},
        {P, "::/0", "::/0"},
        {P, "192.0.2.7/24", nullptr},
        {P, "here", nullptr},
        {N, "80", "80"},
        {N, "1000-2000", "1000-2000"},
        {N, "2000-1000", nullptr},
        {N, "65536", nullptr},
        {N, "", nullptr},
        {E, "192.0.2.1:80", "192.0.2.1:80"},
        {E, "[2001:db8::1]:443", "[2001:db8::1]:443"},
        {E, "2001:db8::1:443", nullptr},
        {E, "[192.0.2.1]:80", nullptr},
        {E, "192.0.2.1", nullptr},
        {T, "192.0.2.1 198.51.100.2", "192.0.2.1 198.51.100.2"},
        {T, "2001:db8::1,2001:db8::2", "2001:db8::1 2001:db8::2"},
        {T, "192.0.2.1 2001:db8::2", nullptr},
        {T, "192.0.2.1 ", nullptr},
    };
    for (const Text& c : cases) {
        const auto parsed = SetElement::parse(c.type, c.text);
        ASSERT_EQ(parsed.ok(), c.canonical != nullptr) << c.text;
        if (!parsed) continue;
        EXPECT_EQ(parsed->to_string(c.type), c.canonical);
        std::string bytes;
        parsed->append_to(bytes);
        ASSERT_EQ(bytes.size(), SetElement::kBytes);
        EXPECT_EQ(SetElement::read(c.type, bytes.data()), *parsed);
    }
}

TEST(LiveSet, RefusesBytesThatNoElementHas) {
    std::mt19937_64 rng(1);
    unsigned taken = 0;
    for (int i = 0; i < 20000; ++i) {
        std::string bytes(SetElement::kBytes, '\0');
        for (char& c : bytes)
            if (rng() % 4 == 0) c = static_cast<char>(rng());
        for (const auto type :
             {SetType::kPrefixes, SetType::kPorts, SetType::kEndpoints, SetType::kPairs})
            if (const auto read = SetElement::read(type, bytes.data())) {
                ++taken;
                EXPECT_EQ(SetElement::parse(type, read->to_string(type)).ok(), true);
            }
    }
    EXPECT_LT(taken, 20000u);
}

TEST(LiveSet, HoldsPrefixesOfBothFamilies) {
    auto set = make(SetType::kPrefixes);
    for (const char* text : {"192.0.2.0/24", "10.0.0.1", "2001:db8::/32", "2001:db9::1"})
        EXPECT_EQ(set->add(element(SetType::kPrefixes, text), 0), LiveSet::Added::kNew);
    for (const char* text : {"192.0.2.255", "10.0.0.1", "2001:db8:1::1", "2001:db9::1"})
        EXPECT_TRUE(set->holds_address(address(text))) << text;
    for (const char* text : {"192.0.3.0", "10.0.0.2", "2001:db7::1", "2001:db9::2", "::"})
        EXPECT_FALSE(set->holds_address(address(text))) << text;
    EXPECT_EQ(set->add(element(SetType::kPrefixes, "::/0"), 0), LiveSet::Added::kNew);
    EXPECT_TRUE(set->holds_address(address("2001:db7::1")));
    EXPECT_FALSE(set->holds_address(address("192.0.3.0"))) << "::/0 is not IPv4";
}

TEST(LiveSet, HoldsPortsUntilTheLastRangeOverThemIsGone) {
    auto set = make(SetType::kPorts);
    set->add(element(SetType::kPorts, "1000-2000"), 0);
    set->add(element(SetType::kPorts, "1500"), 0);
    EXPECT_TRUE(set->remove(element(SetType::kPorts, "1000-2000")));
    EXPECT_FALSE(set->remove(element(SetType::kPorts, "1000-2000")));
    EXPECT_TRUE(set->holds_port(1500));
    EXPECT_FALSE(set->holds_port(1499));
    set->remove(element(SetType::kPorts, "1500"));
    EXPECT_FALSE(set->holds_port(1500));
}

TEST(LiveSet, IsBoundedAndWaitsForGraceBeforeItUsesMemoryAgain) {
    auto set = make(SetType::kEndpoints, 100);
    const auto nth = [](uint16_t i) {
        return SetElement{IpAddress::v4(0x0a000000u + i), {}, 80, 0};
    };
    for (uint16_t i = 0; i < 100; ++i) ASSERT_EQ(set->add(nth(i), 0), LiveSet::Added::kNew);
    EXPECT_EQ(set->add(nth(100), 0), LiveSet::Added::kFull);
    EXPECT_EQ(set->add(nth(7), 0), LiveSet::Added::kKnown);
    uint16_t next = 100;
    auto added = LiveSet::Added::kNew;
    while (added == LiveSet::Added::kNew) {
        set->remove(nth(static_cast<uint16_t>(next - 100)));
        added = set->add(nth(next), 0);
        if (added == LiveSet::Added::kNew) ++next;
        ASSERT_LT(next, 1000);
    }
    EXPECT_EQ(added, LiveSet::Added::kWait);
    EXPECT_TRUE(set->waits_for_grace());
    set->reclaim();
    EXPECT_EQ(set->add(nth(next), 0), LiveSet::Added::kNew);
    EXPECT_EQ(set->size(), 100u);
}

TEST(LiveSet, ExpiresToTheSecondAlsoBeyondARoundOfTheWheel) {
    auto set = make(SetType::kPairs);
    const auto nth = [](uint32_t i) {
        return SetElement{IpAddress::v4(i), IpAddress::v4(~i), 0, 0};
    };
    constexpr uint64_t kStart = 1'000'000;
    EXPECT_EQ(set->expire(kStart), 0u);
    const uint64_t after[] = {1, 999, 1000, 60'000, 5'000'000, 4096'000, 86'400'000};
    for (uint32_t i = 0; i < std::size(after); ++i) set->add(nth(i), kStart + after[i]);
    set->add(nth(100), kStart + 500);
    set->add(nth(100), 0);  // for good now
    for (uint64_t now = kStart; now < kStart + 86'401'000; now += now < kStart + 3000 ? 1 : 500) {
        set->expire(now);
        for (uint32_t i = 0; i < std::size(after); ++i)
            ASSERT_EQ(set->has(nth(i)), now < kStart + after[i]) << i << " at " << now - kStart;
        set->reclaim();
    }
    EXPECT_TRUE(set->has(nth(100)));
    set->add(nth(3), kStart);  // was over before it came
    EXPECT_EQ(set->expire(kStart + 90'000'000), 1u);
}

/// The set against a map, through growth, deletes, expiry, refresh and clear.
TEST(LiveSet, IsWhatAMapWouldBe) {
    std::mt19937_64 rng(7);
    auto set = make(SetType::kPrefixes, 500);
    std::map<std::string, uint64_t> model;
    uint64_t now = 5'000;
    set->expire(now);
    for (int i = 0; i < 60000; ++i) {
        const auto length = static_cast<uint8_t>(rng() % 33);
        Prefix prefix{IpAddress::v4(static_cast<uint32_t>(rng()) & 0x0f0f0f0f), length};
        prefix.address = prefix.first();
        const SetElement e{prefix.address, {}, prefix.mapped_length(), 0};
        const std::string name = e.to_string(SetType::kPrefixes);
        if (rng() % 3 == 0) {
            ASSERT_EQ(set->remove(e), model.erase(name) == 1);
        } else {
            const uint64_t expires = rng() % 2 == 0 ? 0 : now + rng() % 20'000;
            const auto added = set->add(e, expires);
            ASSERT_EQ(added == LiveSet::Added::kKnown, model.contains(name));
            ASSERT_EQ(added == LiveSet::Added::kFull, !model.contains(name) && model.size() == 500);
            if (added == LiveSet::Added::kNew || added == LiveSet::Added::kKnown)
                model[name] = expires;
            if (added == LiveSet::Added::kWait) set->reclaim();
        }
        if (rng() % 64 == 0) now += rng() % 3000;
        set->expire(now);
        std::erase_if(model, [&](const auto& m) { return m.second != 0 && m.second <= now; });
        if (rng() % 20000 == 0 && set->clear()) model.clear();
        ASSERT_EQ(set->size(), model.size()) << i;
        if (rng() % 32 == 0) set->reclaim();
        if (i % 50 != 0) continue;
        const IpAddress probe = IpAddress::v4(static_cast<uint32_t>(rng()) & 0x0f0f0f0f);
        const bool held = std::ranges::any_of(
            model, [&](const auto& m) { return Prefix::parse(m.first)->contains(probe); });
        ASSERT_EQ(set->holds_address(probe), held);
    }
}

/// What stays in the set is seen by a reader at all times, whatever happens around it.
TEST(LiveSet, AReaderNeverMissesWhatStays) {
    auto set = make(SetType::kEndpoints, 4000);
    const auto nth = [](uint32_t i) { return SetElement{IpAddress::v4(i), {}, 443, 0}; };
    for (uint32_t i = 0; i < 1000; ++i) set->add(nth(i), 0);
    std::atomic<uint64_t> rounds{0};
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> missed{0}, made_up{0};
    std::thread reader([&] {
        for (uint32_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
            if (!set->holds_endpoint(IpAddress::v4(i % 1000), 443)) ++missed;
            if (set->holds_endpoint(IpAddress::v4(1'000'000 + i), 443)) ++made_up;
            if (i % 16 == 0) rounds.fetch_add(1, std::memory_order_release);  // quiet
        }
    });
    const auto grace = [&] {
        const uint64_t seen = rounds.load();
        while (rounds.load(std::memory_order_acquire) < seen + 2) std::this_thread::yield();
        set->reclaim();
    };
    std::mt19937_64 rng(3);
    for (int i = 0; i < 60000; ++i) {
        const SetElement e = nth(1000 + static_cast<uint32_t>(rng() % 5000));
        if (rng() % 2 == 0)
            set->remove(e);
        else if (set->add(e, 0) == LiveSet::Added::kWait)
            grace();
    }
    stop = true;
    reader.join();
    EXPECT_EQ(missed, 0u);
    EXPECT_EQ(made_up, 0u);
}

}  // namespace
}  // namespace ravelin
