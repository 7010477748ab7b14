// SPDX-License-Identifier: Apache-2.0
// Translated flows by their outer ends, against a map; and after a crash.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/flow_support.h"

namespace ravelin {
namespace {
using test::kBootTag;
using test::TableOf;

constexpr uint32_t kOuter = 0xc0000201;  // 192.0.2.1

FlowKey inner_key(uint32_t n, bool& swapped) {
    return FlowKey::make(IpAddress::v4(0x0a000000 + n), IpAddress::v4(0xcb007107 + n % 3), 1000, 53,
                         17, 0, swapped);
}
FlowKey outer_key(uint32_t n, uint16_t port) {
    bool swapped = false;
    return FlowKey::make(IpAddress::v4(0xcb007107 + n % 3), IpAddress::v4(kOuter), 53, port, 17, 0,
                         swapped);
}

Flow* open(FlowTable& table, uint32_t n, uint16_t port) {
    bool swapped = false;
    const FlowKey key = inner_key(n, swapped);
    Flow* flow = table.insert(key, key.hash(), 0);
    if (flow == nullptr) return nullptr;
    if (swapped) flow->flags = kFlowOriginatorSecond;
    table.translate(*flow, {.source = kOuter, .source_port = port});
    return flow;
}

TEST(FlowOuter, IsFoundUntilItsFlowGoes) {
    constexpr uint32_t kCapacity = 500;
    TableOf t(kCapacity);
    std::mt19937 random(3);
    std::map<uint32_t, Flow*> there;  // port = n: no two alike
    for (unsigned step = 0; step < 50'000; ++step) {
        const auto n = static_cast<uint32_t>(1 + random() % 3000);
        if (const auto at = there.find(n); at != there.end()) {
            t.table.remove(*at->second);
            there.erase(at);
        } else if (there.size() < kCapacity) {
            there[n] = open(t.table, n, static_cast<uint16_t>(n));
        }
        const auto asked = static_cast<uint32_t>(1 + random() % 3000);
        const FlowKey key = outer_key(asked, static_cast<uint16_t>(asked));
        const auto expected = there.find(asked);
        ASSERT_EQ(t.table.find_outer(key, key.hash()),
                  expected == there.end() ? nullptr : expected->second);
    }
    ASSERT_GT(there.size(), kCapacity / 2);
}

TEST(FlowOuter, EvictedAndExpiredFlowsGiveItBack) {
    TableOf t(4);
    for (uint32_t n = 1; n <= 8; ++n)
        ASSERT_NE(open(t.table, n, static_cast<uint16_t>(n)), nullptr);
    const auto found = [&](uint32_t n) {
        const FlowKey key = outer_key(n, static_cast<uint16_t>(n));
        return t.table.find_outer(key, key.hash()) != nullptr;
    };
    for (uint32_t n = 1; n <= 4; ++n) EXPECT_FALSE(found(n)) << n;
    for (uint32_t n = 5; n <= 8; ++n) EXPECT_TRUE(found(n)) << n;
    t.table.expire(1'000'000, 100'000);
    for (uint32_t n = 5; n <= 8; ++n) EXPECT_FALSE(found(n)) << n;
}

TEST(FlowOuter, EchoHasOneIdentifierAtBothEnds) {
    TableOf t(4);
    bool swapped = false;
    const FlowKey key =
        FlowKey::make(IpAddress::v4(0x0a000001), IpAddress::v4(0xcb007107), 7, 7, 1, 0, swapped);
    Flow* flow = t.table.insert(key, key.hash(), 0);
    if (swapped) flow->flags = kFlowOriginatorSecond;
    t.table.translate(*flow, {.source = kOuter, .source_port = 4000});
    const FlowKey answer =
        FlowKey::make(IpAddress::v4(0xcb007107), IpAddress::v4(kOuter), 4000, 4000, 1, 0, swapped);
    EXPECT_EQ(t.table.find_outer(answer, answer.hash()), flow);
}

TEST(FlowOuter, ComesBackAfterACrash) {
    constexpr uint32_t kCapacity = 100;
    TableOf t(kCapacity);
    for (uint32_t n = 1; n <= 60; ++n) open(t.table, n, static_cast<uint16_t>(n));
    // What no process would have written: nothing translated, and two flows with one outer end.
    bool swapped = false;
    FlowKey key = inner_key(1, swapped);
    t.table.translate(*t.table.find(key, key.hash()), {});
    key = inner_key(2, swapped);
    t.table.translate(*t.table.find(key, key.hash()), {.source = kOuter, .source_port = 5});
    AdoptReport report;
    auto again = FlowTable::adopt(t.memory.get(), FlowTable::bytes_for(kCapacity), kCapacity,
                                  kBootTag, 10, report);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(report.adopted, 58u);
    EXPECT_EQ(report.invalid, 2u);
    for (uint32_t n = 3; n <= 60; ++n) {
        const FlowKey outer = outer_key(n, static_cast<uint16_t>(n));
        const Flow* flow = again->find_outer(outer, outer.hash());
        if (n == 5 && flow == nullptr) continue;  // one of the two with its end is gone
        ASSERT_NE(flow, nullptr) << n;
        EXPECT_EQ(again->translation(*flow).source_port, n);
    }
}

Flow* open_proxied(FlowTable& table, uint16_t port, const FlowProxy& proxy, uint8_t protocol = 6) {
    bool swapped = false;
    const FlowKey key = FlowKey::make(IpAddress::v4(0x0a000001), IpAddress::v4(0xcb007107), port,
                                      80, protocol, 0, swapped);
    Flow* flow = table.insert(key, key.hash(), 0);
    table.put_proxy(*flow, proxy);
    return flow;
}

TEST(FlowProxy, ComesBackAfterACrashUnlessItCannotBeOne) {
    constexpr uint32_t kCapacity = 100;
    TableOf t(kCapacity);
    const FlowProxy good{.sequence = 0xdeadbeef, .timestamp = 77, .announced_scale = 7};
    for (uint16_t port = 1; port <= 10; ++port) open_proxied(t.table, port, good);
    open_proxied(t.table, 11, {.announced_scale = 15});
    open_proxied(t.table, 12, {.responder_scale = 15});
    open_proxied(t.table, 13, {.originator_scale = 15});
    open_proxied(t.table, 14, good, 17);
    AdoptReport report;
    auto again = FlowTable::adopt(t.memory.get(), FlowTable::bytes_for(kCapacity), kCapacity,
                                  kBootTag, 10, report);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(report.adopted, 10u);
    EXPECT_EQ(report.invalid, 4u);
    uint32_t cursor = 0;
    again->for_each(cursor, kCapacity, [&](const Flow& flow) {
        EXPECT_EQ(flow.flags & kFlowProxied, kFlowProxied);
        EXPECT_EQ(again->proxy(flow), good);
    });
}

}  // namespace
}  // namespace ravelin
