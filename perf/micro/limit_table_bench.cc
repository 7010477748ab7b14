// SPDX-License-Identifier: Apache-2.0
// A limit per source: each source of a table once, in random order, all within their rate.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "perf/micro/cases.h"
#include "pipelines/tables/limit_table.h"

namespace ravelin {
namespace {

LimitSpec spec_of(size_t sources) {
    return {.key = LimitSpec::Key::kSource,
            .cost = 1,
            .depth_ns = 1'000'000'000,
            .size = static_cast<uint32_t>(sources)};
}

size_t bytes_of(size_t sources) {
    return sources * (2 * 16 + sizeof(IpAddress));  // two places each
}

struct Full {
    explicit Full(size_t room)
        : table(spec_of(micro::fitting(room, 16, 1 << 22, [](size_t n) { return bytes_of(n); }))) {
        for (uint32_t i = 0; i < table.spec().size; ++i) sources.push_back(IpAddress::v4(i));
        std::ranges::shuffle(sources, std::mt19937(1));
        micro::fill_a_burst(sources);
    }
    LimitTable table;
    std::vector<IpAddress> sources;
};

// A cost of one nanosecond each, so that buckets are never idle and none loses its place.
void sources_limited(benchmark::State& state) {
    auto& f = micro::kept<Full>(state);
    const IpAddress to = IpAddress::v4(1);
    micro::measure(
        state, f.sources.size(), bytes_of(f.sources.size()), [&](size_t first, unsigned n) {
            for (unsigned i = 0; i < n; ++i)
                benchmark::DoNotOptimize(f.table.check(f.sources[first + i], to, 64, 1, true));
        });
}
BENCHMARK(sources_limited)->Apply(micro::cases);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
