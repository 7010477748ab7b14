// SPDX-License-Identifier: Apache-2.0
// Next hops of groups of four that can all be reached: a random flow of a random group each time.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "perf/micro/cases.h"
#include "pipelines/tables/resilient_group.h"

namespace ravelin {
namespace {

struct Key {
    uint32_t group, hash;
};
constexpr size_t kKeysEach = 16;  // of a group

size_t bytes_of(size_t groups) {
    return groups * (sizeof(ResilientGroup) + kKeysEach * sizeof(Key));
}

struct Full {
    explicit Full(size_t room) {
        const size_t n = micro::fitting(room, 4, 1 << 16, bytes_of);
        std::mt19937 random(1);
        for (uint32_t g = 0; g < n; ++g) {
            std::vector<ResilientGroup::Member> members;
            for (uint32_t m = 0; m < 4; ++m) members.push_back({4 * g + m, uint64_t{g} << 8 | m});
            groups.emplace_back(members);
        }
        for (size_t i = 0; i < kKeysEach * n; ++i)
            keys.push_back({static_cast<uint32_t>(random() % n), static_cast<uint32_t>(random())});
    }
    std::vector<ResilientGroup> groups;
    std::vector<Key> keys;
};

void groups_picked(benchmark::State& state) {
    auto& f = micro::kept<Full>(state);
    micro::measure(state, f.keys.size(), bytes_of(f.groups.size()), [&](size_t first, unsigned n) {
        for (unsigned i = 0; i < n; ++i) {
            const Key& key = f.keys[first + i];
            benchmark::DoNotOptimize(
                f.groups[key.group].pick(key.hash, [](uint32_t) { return true; }));
        }
    });
}
BENCHMARK(groups_picked)->Apply(micro::cases);

}  // namespace
}  // namespace ravelin

BENCHMARK_MAIN();
