// SPDX-License-Identifier: Apache-2.0
// What memory alone costs a packet of one flow among many: lines at random places of a table, asked
// for long before they are needed and in any number at once. No table can be read faster than this.
// TSC cycles a packet, the median of batches; small: pages of 4 KiB, as tmpfs gives them; huge: of
// 2 MiB.
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr size_t kHugePage = 2u << 20;
#ifndef MADV_COLLAPSE
constexpr int MADV_COLLAPSE = 25;
#endif

// Shared, as the flow table's file is.
class Memory {
  public:
    Memory(size_t bytes, bool huge) : bytes_(bytes) {
        file_ = memfd_create("touch", 0);
        if (file_ < 0 || ftruncate64(file_, static_cast<long>(bytes)) != 0) std::abort();
        room_ = static_cast<char*>(mmap(nullptr, bytes + kHugePage, PROT_NONE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        const auto start = (reinterpret_cast<uintptr_t>(room_) + kHugePage - 1) & ~(kHugePage - 1);
        data_ = reinterpret_cast<char*>(start);
        if (mmap(data_, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_, 0) != data_)
            std::abort();
        std::memset(data_, 1, bytes);
        collapsed_ = huge && madvise(data_, bytes, MADV_COLLAPSE) == 0;
    }
    ~Memory() {
        munmap(room_, bytes_ + kHugePage);
        close(file_);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    [[nodiscard]] char* at(uint64_t random, size_t unit) const {
        return data_ + (random % (bytes_ / unit)) * unit;
    }
    [[nodiscard]] bool collapsed() const { return collapsed_; }

  private:
    size_t bytes_;
    int file_ = -1;
    char *room_ = nullptr, *data_ = nullptr;
    bool collapsed_ = false;
};

uint64_t random_of(uint64_t n) {  // splitmix64
    n *= 0x9e3779b97f4a7c15;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
    n = (n ^ n >> 27) * 0x94d049bb133111eb;
    return n ^ n >> 31;
}

constexpr unsigned kAhead = 24, kPackets = 4096;

// Of batches, cycles each: others may have the CPU in between.
void report(benchmark::State& state, std::vector<uint64_t>& batches, bool huge,
            const Memory& memory) {
    std::ranges::sort(batches);
    const auto at = [&](size_t part) {
        return static_cast<double>(batches[batches.size() * part / 100]) / kPackets;
    };
    state.counters["tsc"] = at(50);
    state.counters["tsc_p10"] = at(10);
    state.SetLabel(huge ? (memory.collapsed() ? "huge" : "no huge pages here") : "small");
}

// `lines` of 64 bytes at places of their own; written, or only read.
void lines(benchmark::State& state) {
    const auto count = static_cast<unsigned>(state.range(0));
    const bool write = state.range(1) != 0, huge = state.range(2) != 0;
    const Memory memory(static_cast<size_t>(state.range(3)) << 20, huge);
    uint64_t n = 0, sum = 0;
    std::vector<uint64_t> batches;
    for (auto _ : state) {
        const uint64_t start = __rdtsc();
        for (unsigned i = 0; i < kPackets; ++i, ++n)
            for (unsigned l = 0; l < count; ++l) {
                __builtin_prefetch(memory.at(random_of((n + kAhead) * 8 + l), 64));
                auto* word = reinterpret_cast<uint64_t*>(memory.at(random_of(n * 8 + l), 64));
                sum += *word;
                if (write) *word = n;
            }
        batches.push_back(__rdtsc() - start);
    }
    benchmark::DoNotOptimize(sum);
    report(state, batches, huge, memory);
}
BENCHMARK(lines)
    ->ArgNames({"lines", "write", "huge", "MiB"})
    ->ArgsProduct({{0, 1, 2, 3, 4}, {0, 1}, {0, 1}, {144}});
BENCHMARK(lines)
    ->ArgNames({"lines", "write", "huge", "MiB"})
    ->ArgsProduct({{1, 2}, {0, 1}, {0, 1}, {1, 11}});

// As the flow table of a million: a bucket says where the flow stands; both its lines are written.
// `beside`: a third line in an array of 8 bytes a flow.
void flow(benchmark::State& state) {
    constexpr size_t kFlows = 1 << 20;
    const bool huge = state.range(0) != 0, beside = state.range(1) != 0;
    const Memory buckets(kFlows / 6 * 64, huge), flows(kFlows * 128, huge), more(kFlows * 8, huge);
    uint64_t n = 0, sum = 0;
    std::vector<uint64_t> batches;
    for (auto _ : state) {
        const uint64_t start = __rdtsc();
        for (unsigned i = 0; i < kPackets; ++i, ++n) {
            __builtin_prefetch(buckets.at(random_of(n + 2 * kAhead), 64));
            // Needs the bucket, as an index that stands in it would.
            const auto bucket =
                *reinterpret_cast<uint64_t*>(buckets.at(random_of(n + kAhead), 64)) >> 60;
            char* soon = flows.at(random_of(n + kAhead) + bucket, 128);
            __builtin_prefetch(soon);
            __builtin_prefetch(soon + 64);
            if (beside) __builtin_prefetch(more.at(random_of(n + kAhead), 8));
            char* now = flows.at(random_of(n), 128);
            sum += *reinterpret_cast<uint64_t*>(now);
            *reinterpret_cast<uint64_t*>(now) = n;
            *reinterpret_cast<uint64_t*>(now + 64) = n;
            if (beside) sum += *reinterpret_cast<uint64_t*>(more.at(random_of(n), 8));
        }
        batches.push_back(__rdtsc() - start);
    }
    benchmark::DoNotOptimize(sum);
    report(state, batches, huge, flows);
}
BENCHMARK(flow)->ArgNames({"huge", "beside"})->ArgsProduct({{0, 1}, {0, 1}});

// One line that says where the next is: the time nobody can hide.
void chase(benchmark::State& state) {
    const bool huge = state.range(0) != 0;
    const Memory memory(static_cast<size_t>(state.range(1)) << 20, huge);
    uint64_t n = 0;
    std::vector<uint64_t> batches;
    for (auto _ : state) {
        const uint64_t start = __rdtsc();
        for (unsigned i = 0; i < kPackets; ++i)
            n += 1 + (*reinterpret_cast<uint64_t*>(memory.at(random_of(n), 64)) & 1);
        batches.push_back(__rdtsc() - start);
    }
    benchmark::DoNotOptimize(n);
    report(state, batches, huge, memory);
}
BENCHMARK(chase)->ArgNames({"huge", "MiB"})->ArgsProduct({{0, 1}, {1, 11, 144}});

}  // namespace
BENCHMARK_MAIN();
