// SPDX-License-Identifier: Apache-2.0
// Lpm on the full Internet table: addresses drawn from random routes, single and in bursts of 32.
#include <benchmark/benchmark.h>

#include <random>

#include "perf/micro/cases.h"
#include "pipelines/tables/lpm.h"
#include "tests/support/data.h"

namespace ravelin {
namespace {

constexpr size_t kProbes = 1 << 16;

struct Table {
    std::vector<LpmEntry> entries;
    Lpm lpm;
    std::vector<uint32_t> v4;
    std::vector<IpAddress> v6;
};

Table load() {
    Table t;
    const auto path = test::data_path("routes/bgp-full-v4-901899-v6-160147.txt.gz");
    if (!path) return t;
    for (const auto& line : test::read_lines(*path))
        if (const auto p = Prefix::parse(line))
            t.entries.push_back({*p, static_cast<uint32_t>(t.entries.size())});
    if (auto built = Lpm::build(t.entries)) t.lpm = std::move(*built);
    std::mt19937_64 rng(1);
    while (t.v4.size() < kProbes || t.v6.size() < kProbes) {
        const auto& p = t.entries[rng() % t.entries.size()].prefix;
        if (p.is_v4() && t.v4.size() < kProbes) t.v4.push_back(p.last().v4_host());
        if (!p.is_v4() && t.v6.size() < kProbes) t.v6.push_back(p.last());
    }
    return t;
}

/// Empty where the data is missing.
const Table& table() {
    static const Table t = load();
    return t;
}

bool missing(benchmark::State& state) {
    if (table().entries.empty()) state.SkipWithError("the full route table is not on this machine");
    return table().entries.empty();
}

void lpm_build(benchmark::State& state) {
    if (missing(state)) return;
    for (auto _ : state) benchmark::DoNotOptimize(Lpm::build(table().entries));
    state.counters["bytes"] = static_cast<double>(table().lpm.memory_bytes());
}
BENCHMARK(lpm_build)->Unit(benchmark::kMillisecond);

void lpm_v4(benchmark::State& state) {
    if (missing(state)) return;
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(table().lpm.lookup_v4(table().v4[i++ % kProbes]));
}
BENCHMARK(lpm_v4);

void lpm_v6(benchmark::State& state) {
    if (missing(state)) return;
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(table().lpm.lookup_v6(table().v6[i++ % kProbes]));
}
BENCHMARK(lpm_v6);

void lpm_v4_burst(benchmark::State& state) {
    if (missing(state)) return;
    uint32_t values[32];
    size_t i = 0;
    for (auto _ : state) {
        table().lpm.lookup_v4_burst(&table().v4[i], values, 32);
        benchmark::DoNotOptimize(values);
        i = (i + 32) % kProbes;
    }
    state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(lpm_v4_burst);

void lpm_v6_burst(benchmark::State& state) {
    if (missing(state)) return;
    std::vector<const IpAddress*> at;
    for (const auto& a : table().v6) at.push_back(&a);
    uint32_t values[32];
    size_t i = 0;
    for (auto _ : state) {
        table().lpm.lookup_v6_burst(&at[i], values, 32);
        benchmark::DoNotOptimize(values);
        i = (i + 32) % kProbes;
    }
    state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(lpm_v6_burst);

/// So many prefixes at random, most of /24 (IPv6: /48); each value is its index.
std::vector<LpmEntry> some_prefixes(size_t n, bool v4) {
    std::mt19937_64 rng(1);
    std::vector<LpmEntry> entries;
    for (uint32_t i = 0; i < n; ++i) {
        const auto shorter = static_cast<uint8_t>(rng() % 10 < 6 ? 0 : rng() % 8);
        IpAddress address = IpAddress::v4(0x01000000 + static_cast<uint32_t>(rng() % 0xde000000));
        if (!v4) {
            address = *IpAddress::parse("2000::");
            for (int byte = 1; byte < 6; ++byte) address.bytes[byte] = static_cast<uint8_t>(rng());
        }
        const auto length = static_cast<uint8_t>((v4 ? 24 : 48) - shorter);
        entries.push_back({{Prefix{address, length}.first(), length}, i});
    }
    return entries;
}

/// The largest table that fits, up to four million prefixes; and the first address of each, in
/// random order.
template <bool V4>
struct Full {
    static constexpr size_t kKey = V4 ? sizeof(uint32_t) : sizeof(IpAddress);
    static Lpm built(size_t n) { return std::move(*Lpm::build(some_prefixes(n, V4))); }
    explicit Full(size_t room) {
        const size_t n = micro::fitting(
            room, 16, 1 << 22, [](size_t m) { return built(m).memory_bytes() + m * kKey; });
        lpm = built(n);
        for (const LpmEntry& e : some_prefixes(n, V4)) {
            addresses.push_back(e.prefix.first());
            if (V4) hosts.push_back(e.prefix.first().v4_host());
        }
        for (const IpAddress& a : addresses) at.push_back(&a);
        micro::fill_a_burst(at);
        if (V4) micro::fill_a_burst(hosts);
        bytes = lpm.memory_bytes() + n * kKey;
    }
    Lpm lpm;
    std::vector<uint32_t> hosts;
    std::vector<IpAddress> addresses;
    std::vector<const IpAddress*> at;
    size_t bytes = 0;
};

void routes_v4(benchmark::State& state) {
    const auto& f = micro::kept<Full<true>>(state);
    uint32_t values[64];
    micro::measure(state, f.hosts.size(), f.bytes, [&](size_t first, unsigned n) {
        f.lpm.lookup_v4_burst(&f.hosts[first], values, n);
        benchmark::DoNotOptimize(values);
    });
}
BENCHMARK(routes_v4)->Apply(micro::cases);

void routes_v6(benchmark::State& state) {
    const auto& f = micro::kept<Full<false>>(state);
    uint32_t values[64];
    micro::measure(state, f.at.size(), f.bytes, [&](size_t first, unsigned n) {
        f.lpm.lookup_v6_burst(&f.at[first], values, n);
        benchmark::DoNotOptimize(values);
    });
}
BENCHMARK(routes_v6)->Apply(micro::cases);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
