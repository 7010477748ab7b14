// SPDX-License-Identifier: Apache-2.0
// Membership tests of live sets with 100,000 elements, and what a change of one costs the writer.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>

#include "dataplane/live_set.h"
#include "perf/micro/cases.h"

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

// Addresses that are in it, as prefixes of one length; each once, in random order.
struct Full {
    static constexpr uint32_t kLeast = 16;
    // What a set has however small it is, is the writer's.
    static size_t bytes_of(size_t elements) {
        return LiveSet::bytes_for(static_cast<uint32_t>(kLeast + elements)) -
               LiveSet::bytes_for(kLeast) + elements * sizeof(IpAddress);
    }
    explicit Full(size_t room) {
        const auto n = static_cast<uint32_t>(
            micro::fitting(room, kLeast, LiveSet::kMaxSize - kLeast, bytes_of));
        set = std::move(*LiveSet::create({"s", SetType::kPrefixes, n}));
        for (uint32_t i = 0; i < n; ++i) {
            probes.push_back(IpAddress::v4(i * 2'654'435'761u));
            set->add({probes.back(), {}, 128, 0}, 0);
        }
        std::ranges::shuffle(probes, std::mt19937(1));
        micro::fill_a_burst(probes);
    }
    std::unique_ptr<LiveSet> set;
    std::vector<IpAddress> probes;
};

void addresses_held(benchmark::State& state) {
    const Full& f = micro::kept<Full>(state);
    micro::measure(state, f.probes.size(), Full::bytes_of(f.probes.size()),
                   [&](size_t first, unsigned n) {
                       for (unsigned i = 0; i < n; ++i)
                           benchmark::DoNotOptimize(f.set->holds_address(f.probes[first + i]));
                   });
}
BENCHMARK(addresses_held)->Apply(micro::cases);

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
