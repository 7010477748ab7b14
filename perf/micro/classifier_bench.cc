// SPDX-License-Identifier: Apache-2.0
// Classifier, CutTrees and find_shadowed on 10,000 ClassBench rules; packets are drawn near random
// rules, or match nothing (the longest search).
#include <benchmark/benchmark.h>

#include <random>

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

void shadow_search(benchmark::State& state) {
    const auto rules = load(state);
    for (auto _ : state) benchmark::DoNotOptimize(find_shadowed(rules));
}
BENCHMARK(shadow_search)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
