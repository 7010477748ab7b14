// SPDX-License-Identifier: Apache-2.0
// A flow that is counted for its source begins and ends: each source of a table in random order.
// One flow of each is counted throughout, so a third of the places are taken.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "dataplane/source_counts.h"
#include "perf/micro/cases.h"

namespace ravelin {
namespace {

size_t bytes_of(size_t sources) {
    return (*SourceCounts::create(sources))->memory_bytes() + sources * sizeof(IpAddress);
}

struct Full {
    explicit Full(size_t room)
        : flows(static_cast<uint32_t>(micro::fitting(room, 64, 1 << 22, bytes_of))),
          counts(std::move(*SourceCounts::create(flows))) {
        for (uint32_t i = 0; i < flows; ++i) sources.push_back(IpAddress::v4(i));
        for (const IpAddress& source : sources) (void)counts->acquire(source, 1);
        std::ranges::shuffle(sources, std::mt19937(1));
    }
    uint32_t flows;
    std::unique_ptr<SourceCounts> counts;
    std::vector<IpAddress> sources;
};

void sources_counted(benchmark::State& state) {
    auto& f = micro::kept<Full>(state);
    micro::measure(state, f.sources.size(), bytes_of(f.sources.size()),
                   [&](size_t first, unsigned n) {
                       for (unsigned i = 0; i < n; ++i)
                           benchmark::DoNotOptimize(f.counts->acquire(f.sources[first + i], 1));
                       for (unsigned i = 0; i < n; ++i) f.counts->release(f.sources[first + i], 1);
                   });
}
BENCHMARK(sources_counted)->Apply(micro::cases);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
