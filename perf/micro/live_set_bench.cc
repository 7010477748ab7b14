// SPDX-License-Identifier: Apache-2.0
// Membership tests of live sets with 100,000 elements, and what a change of one costs the writer.
#include <benchmark/benchmark.h>

#include <random>

#include "dataplane/live_set.h"

namespace ravelin {
namespace {

constexpr uint32_t kElements = 100'000;

/// Prefixes of `lengths` different lengths, from /32 down.
std::unique_ptr<LiveSet> prefixes(unsigned lengths, std::mt19937_64& rng) {
    auto set = std::move(*LiveSet::create({"s", SetType::kPrefixes, kElements}));
    while (set->size() < kElements) {
        const auto length = static_cast<uint8_t>(32 - rng() % lengths);
        const Prefix p{IpAddress::v4(static_cast<uint32_t>(rng()) & 0x3fffffff), length};
        set->add({p.first(), {}, p.mapped_length(), 0}, 0);
    }
    return set;
}

void holds_address(benchmark::State& state) {
    std::mt19937_64 rng(1);
    const auto set = prefixes(static_cast<unsigned>(state.range(0)), rng);
    std::vector<IpAddress> probes;
    for (int i = 0; i < 1 << 14; ++i)
        probes.push_back(IpAddress::v4(static_cast<uint32_t>(rng()) | 0x40000000));
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(set->holds_address(probes[i++ % probes.size()]));
    state.counters["bytes"] = static_cast<double>(set->memory_bytes());
}
BENCHMARK(holds_address)->Arg(1)->Arg(4)->Arg(16);

void holds_endpoint(benchmark::State& state) {
    auto set = std::move(*LiveSet::create({"s", SetType::kEndpoints, kElements}));
    for (uint32_t i = 0; i < kElements; ++i) set->add({IpAddress::v4(i * 7), {}, 443, 0}, 0);
    uint32_t i = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(set->holds_endpoint(IpAddress::v4(i++ * 7919), 443));
}
BENCHMARK(holds_endpoint);

void add_and_remove(benchmark::State& state) {
    std::mt19937_64 rng(1);
    const auto set = prefixes(1, rng);
    const SetElement element{IpAddress::v4(0x7f000001), {}, 128, 0};
    SetElement first{};
    set->for_each([&](const SetElement& e, uint64_t) { first = e; });
    set->remove(first);
    for (auto _ : state) {
        set->add(element, 0);
        set->remove(element);
        set->reclaim();
    }
}
BENCHMARK(add_and_remove);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
