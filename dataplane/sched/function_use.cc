// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/function_use.h"

namespace ravelin::sched {

void FunctionUse::Counts::add(const Counts& other) noexcept {
    runs += other.runs;
    packets += other.packets;
    cycles += other.cycles;
    longest = std::max(longest, other.longest);
    not_run += other.not_run;
    for (unsigned i = 0; i < kBuckets; ++i) buckets[i] += other.buckets[i];
}

uint64_t FunctionUse::Counts::beyond_one_in(uint64_t of) const noexcept {
    uint64_t all = 0, within = 0;
    for (const uint64_t n : buckets) all += n;
    if (all == 0) return 0;
    const uint64_t wanted = all - all / of;
    for (unsigned i = 0; i < kBuckets; ++i) {
        within += buckets[i];
        if (within >= wanted) return end_of(i);
    }
    return end_of(kBuckets - 1);
}

FunctionUse::Counts FunctionUse::read() const noexcept {
    const auto load = [](const uint64_t& cell) {
        return std::atomic_ref(const_cast<uint64_t&>(cell)).load(kRelaxed);
    };
    Counts out;
    out.runs = load(counts_.runs);
    out.packets = load(counts_.packets);
    out.cycles = load(counts_.cycles);
    out.longest = load(counts_.longest);
    out.not_run = load(counts_.not_run);
    for (unsigned i = 0; i < kBuckets; ++i) out.buckets[i] = load(counts_.buckets[i]);
    return out;
}

void FunctionUse::go_on(const FunctionUse& before) noexcept {
    add(counts_.runs, before.counts_.runs);
    add(counts_.packets, before.counts_.packets);
    add(counts_.cycles, before.counts_.cycles);
    add(counts_.not_run, before.counts_.not_run);
    std::atomic_ref(counts_.longest)
        .store(std::max(counts_.longest, before.counts_.longest), kRelaxed);
    for (unsigned i = 0; i < kBuckets; ++i) add(counts_.buckets[i], before.counts_.buckets[i]);
}

}  // namespace ravelin::sched
