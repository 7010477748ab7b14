// SPDX-License-Identifier: Apache-2.0
// Classifier, CutTrees and find_shadowed on 10,000 ClassBench rules; packets are drawn near random
// rules, or match nothing (the longest search).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <type_traits>

#include "perf/micro/cases.h"
#include "pipelines/tables/cut_trees.h"
#include "pipelines/tables/shadow.h"
#include "tests/support/classbench.h"

namespace ravelin {
namespace {

constexpr const char* kSets[] = {"acl1_10k.gz", "fw1_10k.gz", "ipc1_10k.gz"};
constexpr size_t kProbes = 1 << 14;

std::vector<ClassifierRule> load(benchmark::State& state) {
    const char* name = kSets[state.range(0)];
    state.SetLabel(name);
    const auto path = test::data_path(std::string("rules/classbench/") + name);
    if (path) return test::read_classbench(*path);
    state.SkipWithError("no ClassBench rules on this machine");
    return {};
}

void classifier_build(benchmark::State& state) {
    const auto rules = load(state);
    for (auto _ : state) benchmark::DoNotOptimize(Classifier::build(rules));
    state.counters["bytes"] = static_cast<double>(Classifier::build(rules)->memory_bytes());
}
BENCHMARK(classifier_build)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

void cut_trees_build(benchmark::State& state) {
    const auto rules = load(state);
    for (auto _ : state) benchmark::DoNotOptimize(CutTrees::build(rules));
    state.counters["bytes"] = static_cast<double>(CutTrees::build(rules).memory_bytes());
}
BENCHMARK(cut_trees_build)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

template <typename Table>
void match_near(benchmark::State& state, std::span<const ClassifierRule> rules,
                const Table& table) {
    std::mt19937_64 rng(1);
    std::vector<ClassifierKey> keys;
    while (keys.size() < kProbes) keys.push_back(test::key_near(rules[rng() % rules.size()], rng));
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(table.match(keys[i++ % kProbes]));
}

void classifier_match(benchmark::State& state) {
    const auto rules = load(state);
    if (!rules.empty()) match_near(state, rules, *Classifier::build(rules));
}
BENCHMARK(classifier_match)->DenseRange(0, 2);

void cut_trees_match(benchmark::State& state) {
    const auto rules = load(state);
    if (!rules.empty()) match_near(state, rules, CutTrees::build(rules));
}
BENCHMARK(cut_trees_match)->DenseRange(0, 2);

void classifier_miss(benchmark::State& state) {
    auto rules = load(state);
    if (rules.empty()) return;
    // The sets end in rules for any address, which would leave nothing to miss.
    std::erase_if(rules, [](const auto& r) { return r.sources.empty() && r.destinations.empty(); });
    const auto classifier = Classifier::build(rules);
    std::mt19937_64 rng(1);
    std::vector<ClassifierKey> keys;
    for (size_t tries = 0; keys.size() < 1024 && tries < 1000000; ++tries) {
        auto key = test::key_near(rules[rng() % rules.size()], rng);
        key.source = test::key_near(rules[rng() % rules.size()], rng).source;
        if (classifier->match(key) == Classifier::kNoMatch) keys.push_back(key);
    }
    if (keys.empty()) return state.SkipWithError("every packet matches");
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(classifier->match(keys[i++ % keys.size()]));
}
BENCHMARK(classifier_miss)->DenseRange(0, 2);

/// Hosts and networks at random to one port each, and a packet of each.
std::vector<ClassifierRule> some_rules(size_t n) {
    std::mt19937_64 rng(1);
    std::vector<ClassifierRule> rules;
    for (size_t i = 0; i < n; ++i) {
        const auto prefix = [&] {
            const auto length = static_cast<uint8_t>(rng() % 2 == 0 ? 32 : 24);
            const auto host = static_cast<uint32_t>(rng());
            return Prefix{Prefix{IpAddress::v4(host), length}.first(), length};
        };
        const auto port = static_cast<uint16_t>(rng());
        rules.push_back({.sources = {prefix()},
                         .destinations = {prefix()},
                         .protocols = {6},
                         .destination_ports = {{port, port}}});
    }
    return rules;
}
std::vector<ClassifierKey> keys_of(const std::vector<ClassifierRule>& rules) {
    std::vector<ClassifierKey> keys;
    for (const ClassifierRule& rule : rules)
        keys.push_back({.source = rule.sources.front().last(),
                        .destination = rule.destinations.front().last(),
                        .source_port = 1024,
                        .destination_port = rule.destination_ports.front().low,
                        .protocol = 6,
                        .state = 1});
    std::ranges::shuffle(keys, std::mt19937(1));
    return keys;
}

/// The largest that fits, of up to `Most` rules: what is built of more takes minutes.
template <typename Table, size_t Most>
struct Full {
    static Table built(size_t n) {
        if constexpr (std::is_same_v<Table, CutTrees>)
            return CutTrees::build(some_rules(n));
        else
            return std::move(*Classifier::build(some_rules(n)));
    }
    explicit Full(size_t room) {
        const size_t n = micro::fitting(room, 16, Most, [](size_t m) {
            return built(m).memory_bytes() + m * sizeof(ClassifierKey);
        });
        table = built(n);
        keys = keys_of(some_rules(n));
        micro::fill_a_burst(keys);
        bytes = table.memory_bytes() + n * sizeof(ClassifierKey);
    }
    Table table;
    std::vector<ClassifierKey> keys;
    size_t bytes = 0;
};

template <typename Table, size_t Most>
void match_each(benchmark::State& state) {
    const auto& f = micro::kept<Full<Table, Most>>(state);
    micro::measure(state, f.keys.size(), f.bytes, [&](size_t first, unsigned n) {
        for (unsigned i = 0; i < n; ++i) benchmark::DoNotOptimize(f.table.match(f.keys[first + i]));
    });
}
void rules_by_sets(benchmark::State& state) { match_each<Classifier, 1 << 14>(state); }
BENCHMARK(rules_by_sets)->Apply(micro::cases);

// As the firewall asks: the packets of a burst that came together.
using Trees = Full<CutTrees, 1 << 18>;
void rules_by_trees(benchmark::State& state) {
    const auto& f = micro::kept<Trees>(state);
    if (f.table.empty()) return state.SkipWithError("rules without trees");
    const uint32_t kind = f.table.kind_of(6, 1, 0), place = f.table.place_of(0, 0);
    const auto some = [&](const ClassifierKey* keys, unsigned n) {
        Probes probes;
        columns::Column<uint32_t> rules;
        probes.kind.fill(kind);
        probes.place.fill(place);
        for (unsigned i = 0; i < n; ++i) {
            probes.value[0][i] = keys[i].source.v4_host();
            probes.value[1][i] = keys[i].destination.v4_host();
            probes.value[2][i] = keys[i].source_port;
            probes.value[3][i] = keys[i].destination_port;
        }
        f.table.match_burst(probes, rules, n);
        benchmark::DoNotOptimize(rules);
    };
    micro::measure(state, f.keys.size(), f.bytes, [&](size_t first, unsigned n) {
        for (unsigned i = 0; i < n; i += Probes::kMost)
            some(&f.keys[first + i], std::min(n - i, Probes::kMost));
    });
}
BENCHMARK(rules_by_trees)->Apply(micro::cases);

void shadow_search(benchmark::State& state) {
    const auto rules = load(state);
    for (auto _ : state) benchmark::DoNotOptimize(find_shadowed(rules));
}
BENCHMARK(shadow_search)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
