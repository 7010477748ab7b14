// SPDX-License-Identifier: Apache-2.0
// Flows counted by source: against a plain map, by four threads at once, and as flows end.
#include "dataplane/source_counts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "dataplane/flow_table.h"
#include "dataplane/tcp_tracker.h"
#include "tests/unit/flow_support.h"

namespace ravelin {
namespace {

constexpr uint32_t kUnproven = SourceCounts::kUnproven;

std::unique_ptr<SourceCounts> counts_for(uint64_t flows) {
    auto made = SourceCounts::create(flows);
    EXPECT_TRUE(made.ok());
    return std::move(*made);
}
IpAddress v6(const char* text) { return *IpAddress::parse(text); }

TEST(SourceCounts, KnowsWhatIsOneSource) {
    const auto counts = counts_for(1000);
    const auto together = [&](const IpAddress& a, const IpAddress& b, uint32_t kind) {
        EXPECT_TRUE(counts->acquire(a, kind));
        const bool same = counts->count(b, kind) == 1;
        counts->release(a, kind);
        return same;
    };
    EXPECT_FALSE(together(IpAddress::v4(0x0a000001), IpAddress::v4(0x0a000002), 7));
    EXPECT_TRUE(together(IpAddress::v4(0x0a000001), IpAddress::v4(0x0a0000ff), kUnproven));
    EXPECT_FALSE(together(IpAddress::v4(0x0a000001), IpAddress::v4(0x0a000101), kUnproven));
    EXPECT_TRUE(together(v6("2001:db8::1"), v6("2001:db8::ffff:1"), 7));
    EXPECT_FALSE(together(v6("2001:db8::1"), v6("2001:db8:0:1::1"), 7));
    EXPECT_TRUE(together(v6("2001:db8::1"), v6("2001:db8:0:ff::1"), kUnproven));
    EXPECT_FALSE(together(v6("2001:db8::1"), v6("2001:db8:0:100::1"), kUnproven));
    counts->acquire(IpAddress::v4(1), 7);
    EXPECT_EQ(counts->count(IpAddress::v4(1), 8), 0u);
}

// As full as it gets: two keys a flow.
TEST(SourceCounts, CountsAsAMapDoesAndNeverRunsOutOfPlaces) {
    constexpr uint32_t kFlows = 20'000;
    const auto counts = counts_for(kFlows);
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> model;
    std::vector<std::pair<uint32_t, uint32_t>> live;
    std::mt19937_64 rng(4);
    for (unsigned step = 0; step < 300'000; ++step) {
        const bool begin = live.empty() || (live.size() < kFlows * 2 && rng() % 5 < 3);
        if (begin) {
            const std::pair key{static_cast<uint32_t>(rng() % 60'000),
                                static_cast<uint32_t>(rng() % 3)};
            const auto limit = static_cast<uint32_t>(1 + rng() % 3);
            const bool expected = model[key] < limit;
            ASSERT_EQ(counts->acquire(IpAddress::v4(key.first), key.second, limit), expected);
            if (!expected) continue;
            ++model[key];
            live.push_back(key);
        } else {
            const size_t at = rng() % live.size();
            std::swap(live[at], live.back());
            counts->release(IpAddress::v4(live.back().first), live.back().second);
            --model[live.back()];
            live.pop_back();
        }
    }
    EXPECT_GT(live.size(), kFlows);
    for (const auto& [key, count] : model)
        ASSERT_EQ(counts->count(IpAddress::v4(key.first), key.second), count);
}

TEST(SourceCounts, FourWorkersAreNeverOverTheNumberTogether) {
    constexpr uint32_t kLimit = 50, kRounds = 20'000;
    const auto counts = counts_for(1000);
    std::atomic<int> held{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> workers;
    for (unsigned w = 0; w < 4; ++w)
        workers.emplace_back([&, w] {
            std::mt19937 rng(w);
            unsigned mine = 0;
            for (unsigned i = 0; i < kRounds; ++i) {
                if (rng() % 2 == 0 && counts->acquire(IpAddress::v4(9), 1, kLimit)) {
                    ++mine;
                    if (held.fetch_add(1) + 1 > int{kLimit}) over = true;
                } else if (mine != 0) {
                    --mine;
                    held.fetch_sub(1);
                    counts->release(IpAddress::v4(9), 1);
                }
            }
            held.fetch_sub(static_cast<int>(mine));
            for (; mine != 0; --mine) counts->release(IpAddress::v4(9), 1);
        });
    for (auto& worker : workers) worker.join();
    EXPECT_FALSE(over);
    EXPECT_EQ(counts->count(IpAddress::v4(9), 1), 0u);
}

// A flow table in which every flow counts for its source and its rule, and for its source until it
// is proven. The counts must be those of the flows that are there, however they came and went.
class CountedFlows : public testing::Test {
  protected:
    static constexpr uint32_t kCapacity = 500, kSources = 40;
    CountedFlows() : memory_(test::memory_for(kCapacity)) {
        auto made = FlowTable::create(memory_.get(), FlowTable::bytes_for(kCapacity), kCapacity, 1);
        table_ = std::make_unique<FlowTable>(std::move(*made));
        table_->count_with(*counts_);
    }
    void begin() {
        const IpAddress source = IpAddress::v4(static_cast<uint32_t>(rng_() % kSources) << 8 | 1);
        bool swapped = false;
        const FlowKey key =
            FlowKey::make(source, IpAddress::v4(0xc0000201), next_port_++, 53, 17, 0, swapped);
        if (table_->find(key, key.hash()) != nullptr) return;
        Flow* flow = table_->insert(key, key.hash(), now_);
        if (flow == nullptr) return;
        if (swapped) flow->flags |= kFlowOriginatorSecond;
        flow->rule = static_cast<uint32_t>(rng_() % 3);
        datagram_track(*flow, Direction::originator);
        if (rng_() % 4 != 0 && counts_->acquire(source, flow->rule)) flow->flags |= kFlowCounted;
        if (rng_() % 4 != 0 && counts_->acquire(source, kUnproven)) flow->flags |= kFlowBudgeted;
    }
    void some_flow(const std::function<void(Flow&)>& act) {
        uint32_t cursor = static_cast<uint32_t>(rng_() % kCapacity);
        table_->for_each(cursor, 1, act);
    }
    void expect_exact() {
        std::map<std::pair<IpAddress, uint32_t>, uint32_t> expected;
        for (uint32_t s = 0; s < kSources; ++s)
            for (const uint32_t kind : {0u, 1u, 2u, kUnproven})
                expected[{IpAddress::v4(s << 8 | 1), kind}] = 0;
        uint32_t cursor = 0;
        table_->for_each(cursor, kCapacity, [&](const Flow& flow) {
            if (flow.flags & kFlowCounted) ++expected[{flow.originator(), flow.rule}];
            if (flow.flags & kFlowBudgeted) ++expected[{flow.originator(), kUnproven}];
            EXPECT_FALSE(flow.proven() && (flow.flags & kFlowBudgeted));
        });
        for (const auto& [key, count] : expected)
            ASSERT_EQ(counts_->count(key.first, key.second), count);
    }
    std::unique_ptr<SourceCounts> counts_ = counts_for(kCapacity);
    test::Memory memory_;
    std::unique_ptr<FlowTable> table_;
    std::mt19937_64 rng_{7};
    uint16_t next_port_ = 1;
    uint32_t now_ = 1000;
};

TEST_F(CountedFlows, AreCountedExactlyHoweverTheyEnd) {
    for (unsigned step = 0; step < 20'000; ++step) {
        const auto what = rng_() % 10;
        if (what < 6)
            begin();  // evicts when the table is full
        else if (what < 8)
            some_flow([&](Flow& flow) { table_->prove(flow); });
        else if (what < 9)
            some_flow([&](Flow& flow) { table_->remove(flow); });
        else
            table_->expire(now_ += 40, 1000);
        if (step % 500 == 0) expect_exact();
    }
    EXPECT_GT(table_->stats().shed_unproven, 0u);
    EXPECT_GT(table_->stats().expired, 0u);
    table_->expire(now_ + 60'000, 1'000'000);
    ASSERT_EQ(table_->size(), 0u);
    expect_exact();
}

TEST_F(CountedFlows, AreCountedAgainWhenAKilledProcessLeavesThem) {
    for (unsigned i = 0; i < 400; ++i) begin();
    for (unsigned i = 0; i < 100; ++i) some_flow([&](Flow& flow) { table_->prove(flow); });
    AdoptReport report;
    auto adopted = FlowTable::adopt(memory_.get(), FlowTable::bytes_for(kCapacity), kCapacity, 1,
                                    now_, report);
    ASSERT_TRUE(adopted.ok());
    ASSERT_EQ(report.adopted, 400u);
    table_ = std::make_unique<FlowTable>(std::move(*adopted));
    counts_ = counts_for(kCapacity);
    table_->count_with(*counts_);
    expect_exact();
    EXPECT_GT(counts_->count(IpAddress::v4(1), 0), 0u);
}

}  // namespace
}  // namespace ravelin
