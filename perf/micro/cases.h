// SPDX-License-Identifier: Apache-2.0
// Cases: every table with 1, 8, 32 and 64 packets at once, filled so far that the table and the
// keys it is asked for take half of L1, half of L2, half of L3, or four times L3 (dram). `perf/run
// micro` runs those of all tables.
#pragma once
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace ravelin::micro {

inline constexpr std::array kSets{"L1", "L2", "L3", "DRAM"};
inline constexpr size_t kMost = size_t{256} << 20;  ///< of a set, whatever L3 has

/// Of cache level 1 (data), 2 or 3, as a CPU of this machine sees it: bytes; 0: it does not say.
/// sysconf() may tell the whole host's.
inline size_t cache_bytes(size_t level) {
    // Index 1 is L1's instructions.
    const std::string path = "/sys/devices/system/cpu/cpu0/cache/index" +
                             std::to_string(level == 1 ? 0 : level) + "/size";
    size_t kib = 0;
    if (FILE* file = std::fopen(path.c_str(), "r"); file != nullptr) {
        if (std::fscanf(file, "%zuK", &kib) != 1) kib = 0;
        std::fclose(file);
    }
    return kib << 10;
}

/// Bytes of set `at` of kSets. A machine that does not tell its caches is taken to have 32 KiB,
/// 1 MiB and 32 MiB.
inline size_t set_bytes(size_t at) {
    constexpr std::array<size_t, 3> kUsual{32u << 10, 1u << 20, 32u << 20};
    const size_t level = std::min<size_t>(at, 2);
    const size_t told = cache_bytes(level + 1);
    const size_t cache = told != 0 ? told : kUsual[level];
    return std::min(at == 3 ? 4 * cache : cache / 2, kMost);
}

/// The most entries, of `least` to `most`, that are no larger than `room`; `bytes_of` grows with
/// them. `least` where not even they fit.
template <typename BytesOf>
size_t fitting(size_t room, size_t least, size_t most, BytesOf bytes_of) {
    size_t n = least;
    while (n < most && bytes_of(std::min(most, n + n / 4 + 1)) <= room)
        n = std::min(most, n + n / 4 + 1);
    return n;
}

/// As arguments: packets at once, set.
inline void cases(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"burst", "set"})->ArgsProduct({{1, 8, 32, 64}, {0, 1, 2, 3}});
}
inline unsigned burst_of(const benchmark::State& state) {
    return static_cast<unsigned>(state.range(0));
}
inline size_t room_of(const benchmark::State& state) {
    return set_bytes(static_cast<size_t>(state.range(1)));
}

/// The table of this case's set, which is made from its room and kept until another set is asked
/// for.
template <typename Table>
Table& kept(const benchmark::State& state) {
    static std::unique_ptr<Table> table;
    static size_t room = 0;
    if (room != room_of(state)) {
        table.reset();
        room = room_of(state);
        table = std::make_unique<Table>(room);
    }
    return *table;
}

/// False, and the case is left out, where the largest table there is has less than a quarter of the
/// set (sizes of some double), or the smallest more than all of it. `bytes`: of table and keys.
inline bool fills(benchmark::State& state, size_t bytes) {
    const size_t room = room_of(state);
    if (4 * bytes >= room && bytes <= room) return true;
    state.SkipWithError("no table of this kind has that size");
    return false;
}

/// Again from the first, where they are fewer than the largest burst has.
template <typename Key>
void fill_a_burst(std::vector<Key>& keys) {
    for (size_t i = 0; keys.size() < 64; ++i) keys.push_back(Key(keys[i]));
}

/// Counter `cycles`: TSC cycles a packet, the median of batches, so that what interrupts one is not
/// in it. `lookup(first, n)` asks for keys first to first + n of `keys`; `bytes`: as of fills().
template <typename Lookup>
void measure(benchmark::State& state, size_t keys, size_t bytes, Lookup lookup) {
    constexpr unsigned kPackets = 2048;
    if (!fills(state, bytes)) return;
    const unsigned burst = burst_of(state);
    std::vector<uint64_t> batches;
    size_t at = 0;
    for (size_t warm = 0; warm + burst <= keys; warm += burst) lookup(warm, burst);
    for (auto _ : state) {
        const uint64_t start = __rdtsc();
        for (unsigned done = 0; done < kPackets; done += burst) {
            if (at + burst > keys) at = 0;
            lookup(at, burst);
            at += burst;
        }
        batches.push_back(__rdtsc() - start);
    }
    if (batches.empty()) return;
    std::ranges::nth_element(batches, batches.begin() + static_cast<long>(batches.size() / 2));
    state.counters["cycles"] = static_cast<double>(batches[batches.size() / 2]) / kPackets;
    state.counters["bytes"] = static_cast<double>(bytes);
    state.SetLabel(kSets.at(static_cast<size_t>(state.range(1))));
}

}  // namespace ravelin::micro
