// SPDX-License-Identifier: Apache-2.0
// Lpm on the full Internet table: addresses drawn from random routes, single and in bursts of 32.
#include <benchmark/benchmark.h>

#include <random>

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

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
