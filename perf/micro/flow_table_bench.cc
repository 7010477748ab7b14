// SPDX-License-Identifier: Apache-2.0
// Cost of a flow lookup, burst lookup, insert with removal, and TCP tracking; per packet.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include "dataplane/flow_table.h"
#include "dataplane/tcp_tracker.h"
#include "perf/micro/cases.h"

namespace ravelin {
namespace {

FlowKey key_of(uint32_t n) {
    bool swapped;
    return FlowKey::make(IpAddress::v4(0x0a000000 + n), IpAddress::v4(0xc0a80001),
                         static_cast<uint16_t>(n * 7), 443, 6, 0, swapped);
}

struct Filled {
    explicit Filled(uint32_t flows)
        : memory(std::aligned_alloc(64, FlowTable::bytes_for(flows))),
          table(std::move(*FlowTable::create(memory, FlowTable::bytes_for(flows), flows, 1))) {
        for (uint32_t n = 0; n < flows; ++n) {
            const FlowKey key = key_of(n);
            table.insert(key, key.hash(), 0);
        }
        std::mt19937 random(1);
        for (int i = 0; i < 1 << 16; ++i) {
            keys.push_back(key_of(static_cast<uint32_t>(random()) % flows));
            hashes.push_back(keys.back().hash());
        }
    }
    ~Filled() { std::free(memory); }
    Filled(const Filled&) = delete;
    Filled& operator=(const Filled&) = delete;
    void* memory;
    FlowTable table;
    std::vector<FlowKey> keys;
    std::vector<uint32_t> hashes;
};

void hash_key(benchmark::State& state) {
    const Filled f(1000);
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(f.keys[i++ & 0xffff].hash());
}
BENCHMARK(hash_key);

void find_one(benchmark::State& state) {
    const Filled f(static_cast<uint32_t>(state.range(0)));
    size_t i = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(f.table.find(f.keys[i], f.hashes[i]));
        i = (i + 1) & 0xffff;
    }
}
BENCHMARK(find_one)->Arg(10'000)->Arg(1'000'000);

void find_burst_of_32(benchmark::State& state) {
    const Filled f(static_cast<uint32_t>(state.range(0)));
    Flow* out[32];
    size_t i = 0;
    for (auto _ : state) {
        f.table.find_burst(&f.keys[i], &f.hashes[i], out, 32);
        benchmark::DoNotOptimize(out);
        i = (i + 32) & 0xffff;
    }
    state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(find_burst_of_32)->Arg(10'000)->Arg(1'000'000);

// Every flow of the table once, in random order.
struct Full : Filled {
    static constexpr uint32_t kLeast = 64;
    // What a table has however small it is, no lookup reads.
    static size_t bytes_of(size_t flows) {
        return FlowTable::bytes_for(static_cast<uint32_t>(kLeast + flows)) -
               FlowTable::bytes_for(kLeast) + flows * (sizeof(FlowKey) + sizeof(uint32_t));
    }
    explicit Full(size_t room)
        : Filled(static_cast<uint32_t>(micro::fitting(room, kLeast, 1 << 22, bytes_of))) {
        keys.clear();
        hashes.clear();
        for (uint32_t n = 0; n < table.size(); ++n) keys.push_back(key_of(n));
        std::ranges::shuffle(keys, std::mt19937(1));
        for (const FlowKey& key : keys) hashes.push_back(key.hash());
    }
};

void flows_found(benchmark::State& state) {
    const Full& f = micro::kept<Full>(state);
    Flow* out[64];
    micro::measure(state, f.keys.size(), Full::bytes_of(f.keys.size()),
                   [&](size_t first, unsigned n) {
                       f.table.find_burst(&f.keys[first], &f.hashes[first], out, n);
                       benchmark::DoNotOptimize(out);
                   });
}
BENCHMARK(flows_found)->Apply(micro::cases);

// A full table under a flood of new flows: every insert evicts.
void insert_with_eviction(benchmark::State& state) {
    Filled f(static_cast<uint32_t>(state.range(0)));
    uint32_t n = 100'000'000;
    for (auto _ : state) {
        const FlowKey key = key_of(n++);
        benchmark::DoNotOptimize(f.table.insert(key, key.hash(), 0));
    }
}
BENCHMARK(insert_with_eviction)->Arg(10'000)->Arg(1'000'000);

void adopt(benchmark::State& state) {
    Filled f(static_cast<uint32_t>(state.range(0)));
    AdoptReport report;
    for (auto _ : state)
        benchmark::DoNotOptimize(
            FlowTable::adopt(f.memory, f.table.memory_bytes(), f.table.capacity(), 1, 1, report));
}
BENCHMARK(adopt)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void track_data_segment(benchmark::State& state) {
    Flow flow{};
    flow.key.protocol = 6;
    tcp_track(flow, Direction::originator, {.seq = 1, .window = 60000, .flags = kTcpSyn});
    tcp_track(flow, Direction::responder,
              {.seq = 1, .ack = 2, .window = 60000, .flags = kTcpSyn | kTcpAck});
    TcpSegment data{.seq = 2, .ack = 2, .payload_len = 1000, .window = 60000, .flags = kTcpAck};
    TcpSegment ack{.seq = 2, .ack = 2, .window = 60000, .flags = kTcpAck};
    for (auto _ : state) {
        benchmark::DoNotOptimize(tcp_track(flow, Direction::originator, data));
        data.seq = ack.ack += 1000;
        benchmark::DoNotOptimize(tcp_track(flow, Direction::responder, ack));
    }
    state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(track_data_segment);

}  // namespace
}  // namespace ravelin
BENCHMARK_MAIN();
