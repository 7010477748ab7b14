// SPDX-License-Identifier: Apache-2.0
// The MACs of neighbours that are known, each once, in random order. A table holds 16,384, so there
// are none that fill L3.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/neighbour_table.h"
#include "perf/micro/cases.h"

namespace ravelin {
namespace {

struct Full {
    static size_t bytes_of(size_t neighbours) {
        return NeighbourTable(static_cast<uint32_t>(neighbours)).memory_bytes() +
               neighbours * sizeof(IpAddress);
    }
    explicit Full(size_t room) {
        const auto n =
            static_cast<uint32_t>(micro::fitting(room, 16, NeighbourTable::kCapacity, bytes_of));
        table = std::make_unique<NeighbourTable>(n);
        for (uint32_t i = 0; i < n; ++i) {
            const IpAddress address = IpAddress::v4(0x0a000000 + i);
            if (table->insert(0, address, {{2, 0, 0, 0, 0, 1}}, NeighbourState::kPermanent, 0) !=
                NeighbourTable::kNoSlot)
                addresses.push_back(address);
        }
        std::ranges::shuffle(addresses, std::mt19937(1));
        micro::fill_a_burst(addresses);
    }
    std::unique_ptr<NeighbourTable> table;
    std::vector<IpAddress> addresses;
};

void neighbours_found(benchmark::State& state) {
    const Full& f = micro::kept<Full>(state);
    MacAddress mac;
    micro::measure(
        state, f.addresses.size(), Full::bytes_of(f.addresses.size()),
        [&](size_t first, unsigned n) {
            for (unsigned i = 0; i < n; ++i)
                benchmark::DoNotOptimize(f.table->lookup(0, f.addresses[first + i], mac));
        });
}
BENCHMARK(neighbours_found)->Apply(micro::cases);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
