// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/lpm.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <unordered_map>

#include "tests/support/data.h"

namespace ravelin {
namespace {

using Random = std::mt19937_64;

Prefix prefix(std::string_view text) { return *Prefix::parse(text); }
IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

IpAddress step(IpAddress a, int by) {
    for (int i = 15; i >= 0; --i) {
        a.bytes[i] = static_cast<uint8_t>(a.bytes[i] + by);
        if (a.bytes[i] != (by > 0 ? 0x00 : 0xff)) break;
    }
    return a;
}

/// One hash map per prefix length, probed from the longest: slow and obvious.
class Oracle {
  public:
    explicit Oracle(std::span<const LpmEntry> entries) {
        for (const auto& e : entries)
            maps_[e.prefix.mapped_length()][key({e.prefix.first(), 0}, e.prefix.is_v4())] = e.value;
    }
    uint32_t lookup(const IpAddress& a) const {
        for (unsigned length = 129; length-- > 0;) {
            if (maps_[length].empty()) continue;
            const auto cut = static_cast<uint8_t>(a.is_v4() ? length - 96 : length);
            if (a.is_v4() && length < 96) break;
            const auto hit = maps_[length].find(key({Prefix{a, cut}.first(), 0}, a.is_v4()));
            if (hit != maps_[length].end()) return hit->second;
        }
        return Lpm::kNoRoute;
    }

  private:
    static std::string key(const Prefix& p, bool v4) {
        return std::string(reinterpret_cast<const char*>(p.address.bytes.data()), 16) +
               (v4 ? '4' : '6');
    }
    std::array<std::unordered_map<std::string, uint32_t>, 129> maps_;
};

void expect_equal(const Lpm& lpm, const Oracle& oracle, const std::vector<IpAddress>& probes) {
    std::vector<uint32_t> hosts, got4(probes.size()), got6(probes.size());
    std::vector<const IpAddress*> sixes;
    for (const auto& a : probes) {
        ASSERT_EQ(lpm.lookup(a), oracle.lookup(a)) << a.to_string();
        if (a.is_v4())
            hosts.push_back(a.v4_host());
        else
            sixes.push_back(&a);
    }
    lpm.lookup_v4_burst(hosts.data(), got4.data(), static_cast<unsigned>(hosts.size()));
    lpm.lookup_v6_burst(sixes.data(), got6.data(), static_cast<unsigned>(sixes.size()));
    for (size_t i = 0; i < hosts.size(); ++i) ASSERT_EQ(got4[i], lpm.lookup_v4(hosts[i]));
    for (size_t i = 0; i < sixes.size(); ++i) ASSERT_EQ(got6[i], lpm.lookup_v6(*sixes[i]));
}

std::vector<IpAddress> edges(std::span<const LpmEntry> entries) {
    std::vector<IpAddress> out;
    for (const auto& e : entries)
        for (const auto& a : {e.prefix.first(), e.prefix.last()})
            for (const auto& b : {a, step(a, 1), step(a, -1)})
                if (b.is_v4() == e.prefix.is_v4()) out.push_back(b);
    return out;
}

/// Addresses share few leading bytes, so that prefixes nest and crowd.
IpAddress crowded(Random& rng, bool v4, unsigned spread) {
    IpAddress a = v4 ? IpAddress::v4(0x0a000000) : address("2001:db8::");
    for (int i = v4 ? 12 : 0; i < 16; ++i)
        if (rng() % 3 == 0) a.bytes[i] = static_cast<uint8_t>(rng() % spread * 37);
    return a;
}

std::vector<LpmEntry> random_entries(Random& rng, size_t count, unsigned spread) {
    std::vector<LpmEntry> out;
    for (size_t i = 0; i < count; ++i) {
        const bool v4 = rng() % 2;
        const auto length = static_cast<uint8_t>(rng() % (v4 ? 33 : 129));
        out.push_back({{crowded(rng, v4, spread), length}, static_cast<uint32_t>(rng() % 1000000)});
    }
    return out;
}

TEST(Lpm, EmptyTableFindsNothing) {
    const auto built = Lpm::build({});
    const Lpm unbuilt;
    ASSERT_TRUE(built);
    for (const Lpm* lpm : {&*built, &unbuilt}) {
        EXPECT_EQ(lpm->lookup(address("192.0.2.1")), Lpm::kNoRoute);
        EXPECT_EQ(lpm->lookup(address("2001:db8::1")), Lpm::kNoRoute);
        EXPECT_EQ(lpm->memory_bytes(), 0u);
    }
}

TEST(Lpm, DefaultRoutesStayInTheirFamily) {
    const auto v4 = Lpm::build(std::vector<LpmEntry>{{prefix("0.0.0.0/0"), 7}});
    EXPECT_EQ(v4->lookup(address("255.255.255.255")), 7u);
    EXPECT_EQ(v4->lookup(address("2001:db8::1")), Lpm::kNoRoute);
    const auto v6 = Lpm::build(std::vector<LpmEntry>{{prefix("::/0"), 8}});
    EXPECT_EQ(v6->lookup(address("0.0.0.0")), Lpm::kNoRoute);
    EXPECT_EQ(v6->lookup(address("::")), 8u);
    EXPECT_EQ(v6->lookup(address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), 8u);
    EXPECT_LE(v6->memory_bytes(), 8192u);
}

TEST(Lpm, HostRoutesAndNesting) {
    const std::vector<LpmEntry> entries{
        {prefix("192.0.2.1/32"), 1},    {prefix("192.0.2.0/24"), 2},  {prefix("192.0.2.0/31"), 3},
        {prefix("2001:db8::1/128"), 4}, {prefix("2001:db8::/32"), 5}, {prefix("0.0.0.0/0"), 6}};
    const auto lpm = Lpm::build(entries);
    EXPECT_EQ(lpm->lookup(address("192.0.2.1")), 1u);
    EXPECT_EQ(lpm->lookup(address("192.0.2.0")), 3u);
    EXPECT_EQ(lpm->lookup(address("192.0.2.2")), 2u);
    EXPECT_EQ(lpm->lookup(address("192.0.3.0")), 6u);
    EXPECT_EQ(lpm->lookup(address("2001:db8::1")), 4u);
    EXPECT_EQ(lpm->lookup(address("2001:db8::2")), 5u);
    EXPECT_EQ(lpm->lookup(address("2001:db9::")), Lpm::kNoRoute);
}

TEST(Lpm, LastDuplicateWinsAndHostBitsAreIgnored) {
    const std::vector<LpmEntry> entries{
        {prefix("10.0.0.0/8"), 1}, {prefix("9.0.0.0/8"), 2}, {{address("10.1.2.3"), 8}, 3}};
    EXPECT_EQ(Lpm::build(entries)->lookup(address("10.9.9.9")), 3u);
}

TEST(Lpm, RefusesWhatItCannotHold) {
    EXPECT_FALSE(Lpm::build(std::vector<LpmEntry>{{{IpAddress::v4(0), 33}, 1}}));
    EXPECT_FALSE(Lpm::build(std::vector<LpmEntry>{{{address("::"), 129}, 1}}));
    const auto large = Lpm::build(std::vector<LpmEntry>{{prefix("10.0.0.0/8"), Lpm::kNoRoute}});
    ASSERT_FALSE(large);
    EXPECT_NE(large.error().message.find("10.0.0.0/8"), std::string::npos);
    EXPECT_TRUE(Lpm::build(std::vector<LpmEntry>{{prefix("10.0.0.0/8"), Lpm::kNoRoute - 1}}));
}

TEST(Lpm, RandomTablesEqualOracle) {
    Random rng(1);
    for (size_t count : {1, 3, 10, 63, 64, 65, 200, 1000, 5000}) {
        for (unsigned spread : {2u, 5u, 200u}) {
            const auto entries = random_entries(rng, count, spread);
            const auto lpm = Lpm::build(entries);
            ASSERT_TRUE(lpm);
            auto probes = edges(entries);
            for (int i = 0; i < 2000; ++i) probes.push_back(crowded(rng, i % 2, spread));
            expect_equal(*lpm, Oracle(entries), probes);
            if (HasFatalFailure()) return;
        }
    }
}

// Up to so many are compared one after the other; beyond, there is a trie.
TEST(Lpm, FewPrefixesEqualOracle) {
    Random rng(5);
    for (unsigned round = 0; round < 400; ++round) {
        const auto entries = random_entries(rng, 1 + round % (3 * FewPrefixes::kMost), 3);
        const auto lpm = Lpm::build(entries);
        ASSERT_TRUE(lpm);
        std::vector<IpAddress> probes;
        for (unsigned i = 0; i < 50; ++i) probes.push_back(crowded(rng, true, 3));
        expect_equal(*lpm, Oracle(entries), probes);
    }
}

class LpmLarge : public ::testing::TestWithParam<uint32_t> {};

// A root of 24 bits where few values differ, and of 16 where more do than its slots tell apart.
TEST_P(LpmLarge, EqualsOracle) {
    Random rng(2);
    std::vector<LpmEntry> entries;
    for (uint32_t i = 0; i < 150000; ++i)
        entries.push_back({{IpAddress::v4(static_cast<uint32_t>(rng())), uint8_t(rng() % 18 + 8)},
                           i % GetParam()});
    for (uint32_t i = 0; i < 20000; ++i)
        entries.push_back({{IpAddress::v4(static_cast<uint32_t>(rng())), uint8_t(rng() % 25 + 8)},
                           i % GetParam()});
    const auto lpm = Lpm::build(entries);
    EXPECT_EQ(lpm->memory_bytes() > size_t{32} << 20, GetParam() != 170'000);
    auto probes = edges(entries);
    std::shuffle(probes.begin(), probes.end(), rng);
    probes.resize(100000);
    expect_equal(*lpm, Oracle(entries), probes);
}

INSTANTIATE_TEST_SUITE_P(Values, LpmLarge, ::testing::Values(1, 50, 40'000, 170'000));

TEST(Lpm, SparseHostsStaySmall) {
    Random rng(3);
    std::vector<LpmEntry> entries;
    for (uint32_t i = 0; i < 100000; ++i) {
        IpAddress a;
        for (auto& byte : a.bytes) byte = static_cast<uint8_t>(rng());
        entries.push_back({{a, 128}, i});
    }
    const auto lpm = Lpm::build(entries);
    EXPECT_LT(lpm->memory_bytes(), size_t{16} << 20);
    for (const auto& e : entries) ASSERT_EQ(lpm->lookup(e.prefix.address), e.value);
}

TEST(Lpm, FullInternetTable) {
    const auto path = test::data_path("routes/bgp-full-v4-901899-v6-160147.txt.gz");
    if (!path) GTEST_SKIP() << "the full route table is not on this machine (set RAVELIN_DATA)";
    std::vector<LpmEntry> entries;
    for (const auto& line : test::read_lines(*path)) {
        const auto parsed = Prefix::parse(line);
        ASSERT_TRUE(parsed) << parsed.error().message;
        entries.push_back({*parsed, static_cast<uint32_t>(entries.size() % 1000)});  // next hops
    }
    ASSERT_EQ(entries.size(), 901899u + 160147u);
    Random rng(4);
    for (bool shuffled : {false, true}) {
        if (shuffled) std::shuffle(entries.begin(), entries.end(), rng);
        const auto start = std::chrono::steady_clock::now();
        const auto lpm = Lpm::build(entries);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        RecordProperty(shuffled ? "shuffled_build_ms" : "build_ms", std::to_string(took.count()));
        std::printf("%s build %.0f ms, %.1f MiB\n", shuffled ? "shuffled" : "sorted", took.count(),
                    static_cast<double>(lpm->memory_bytes()) / 1048576);
        if (!shuffled) continue;
        std::vector<IpAddress> probes;
        while (probes.size() < 200000) {
            const auto& p = entries[rng() % entries.size()].prefix;
            const IpAddress a = rng() % 2 ? p.first() : p.last();
            probes.push_back(rng() % 3 == 0 ? a : step(a, rng() % 2 ? 1 : -1));
            if (rng() % 4 == 0) probes.back() = IpAddress::v4(static_cast<uint32_t>(rng()));
        }
        expect_equal(*lpm, Oracle(entries), probes);
    }
}

}  // namespace
}  // namespace ravelin
