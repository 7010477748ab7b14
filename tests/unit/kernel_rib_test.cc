// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/kernel_rib.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/netlink_messages.h"

namespace ravelin::control {
namespace {

KernelRib rib_of_bgp(size_t limit = 1000) { return KernelRib({254, {186}}, limit); }

TEST(RouteMessage, ReadsAPlainRoute) {
    const auto r = decode_route(plain(RTM_NEWROUTE, "20.1.0.0/16", "10.0.2.2").done());
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->prefix.to_string(), "20.1.0.0/16");
    EXPECT_EQ(r->protocol, 186);
    EXPECT_EQ(r->metric, 20u);
    ASSERT_EQ(r->hops.size(), 1u);
    EXPECT_EQ(r->hops[0].ifindex, 7);
    EXPECT_EQ(r->hops[0].gateway->to_string(), "10.0.2.2");
}

TEST(RouteMessage, ReadsMultipathWithWeightsAndAGatewayOfTheOtherFamily) {
    Bytes hops;
    for (const int index : {3, 4}) {
        rtnexthop head{};
        head.rtnh_ifindex = index;
        head.rtnh_hops = static_cast<uint8_t>(index);
        const IpAddress via = *IpAddress::parse("fe80::1");
        const rtattr inner{sizeof(rtattr) + 18, RTA_VIA};
        const uint16_t family = AF_INET6;
        head.rtnh_len = sizeof head + sizeof inner + 18;
        const auto add = [&](const void* data, size_t n) {
            const auto* from = static_cast<const uint8_t*>(data);
            hops.insert(hops.end(), from, from + n);
        };
        add(&head, sizeof head);
        add(&inner, sizeof inner);
        add(&family, 2);
        add(via.bytes.data(), 16);
        hops.resize((hops.size() + 3) / 4 * 4);
    }
    const auto r = decode_route(route(RTM_NEWROUTE, "20.1.0.0/16", 186)
                                    .attribute(RTA_MULTIPATH, hops.data(), hops.size())
                                    .done());
    ASSERT_TRUE(r.has_value());
    ASSERT_EQ(r->hops.size(), 2u);
    EXPECT_EQ(r->hops[1].ifindex, 4);
    EXPECT_EQ(r->hops[1].weight, 5);
    EXPECT_EQ(r->hops[1].gateway->to_string(), "fe80::1");
}

TEST(RouteMessage, ReadsDefaultRoutesOfBothFamilies) {
    for (const char* to : {"0.0.0.0/0", "::/0"}) {
        const auto r = decode_route(route(RTM_NEWROUTE, to, 186).number(RTA_OIF, 1).done());
        ASSERT_TRUE(r.has_value());
        EXPECT_EQ(r->prefix.to_string(), to);
    }
}

TEST(RouteMessage, LeavesMappedPrefixesAlone) {
    rtmsg head{};
    head.rtm_family = AF_INET6;
    head.rtm_dst_len = 96;
    head.rtm_table = RT_TABLE_MAIN;
    head.rtm_type = RTN_UNICAST;
    const IpAddress mapped = *IpAddress::parse("::ffff:0:0");
    Message message(RTM_NEWROUTE, 0);
    message.put(head);
    message.attribute(RTA_DST, mapped.bytes.data(), 16).number(RTA_OIF, 7);
    EXPECT_FALSE(decode_route(message.done())) << "would be 0.0.0.0/96 to whoever takes it";
}

TEST(RouteMessage, NeverReadsBeyondTheMessage) {
    const Bytes whole = plain(RTM_NEWROUTE, "2001:db8::/32", "fe80::9").done();
    for (size_t n = 0; n < whole.size(); ++n) {
        Bytes cut(whole.begin(), whole.begin() + static_cast<long>(n));
        (void)decode_route(cut);
        if (n < 4) continue;
        const auto length = static_cast<uint32_t>(n);
        std::memcpy(cut.data(), &length, 4);
        (void)decode_route(cut);
    }
    std::mt19937 random(5);
    for (unsigned i = 0; i < 100'000; ++i) {
        Bytes damaged = whole;
        for (unsigned k = 0; k < 4; ++k)
            damaged[4 + random() % (damaged.size() - 4)] = static_cast<uint8_t>(random());
        (void)decode_route(damaged);
    }
}

TEST(KernelRib, TheLowestMetricWinsAndTheNextStepsIn) {
    KernelRib rib = rib_of_bgp();
    const Prefix to = *Prefix::parse("20.1.0.0/16");
    for (const uint32_t metric : {20u, 10u})
        rib.take(*decode_route(plain(RTM_NEWROUTE, "20.1.0.0/16", "10.0.2.2", metric).done()));
    EXPECT_EQ(rib.best(to)->metric, 10u);
    EXPECT_EQ(rib.take_changed(10).size(), 1u) << "changed twice, taken once";
    rib.take(*decode_route(plain(RTM_DELROUTE, "20.1.0.0/16", "10.0.2.2", 10).done()));
    EXPECT_EQ(rib.best(to)->metric, 20u);
    rib.take(*decode_route(plain(RTM_DELROUTE, "20.1.0.0/16", "10.0.2.2", 20).done()));
    EXPECT_EQ(rib.best(to), nullptr);
    EXPECT_EQ(rib.take_changed(10).size(), 1u);
}

TEST(KernelRib, WhatIsGoneIsToldFirst) {
    KernelRib rib = rib_of_bgp();
    auto low = *decode_route(plain(RTM_NEWROUTE, "20.1.0.0/16", "10.0.2.2").done());
    auto high = *decode_route(plain(RTM_NEWROUTE, "20.9.0.0/16", "10.0.2.2").done());
    rib.take(high);
    rib.take_changed(10);
    rib.take(low);
    high.gone = true;
    rib.take(high);
    EXPECT_EQ(rib.take_changed(1), std::vector{high.prefix});
    EXPECT_EQ(rib.take_changed(10), std::vector{low.prefix});
    rib.begin_dump();
    rib.take(*decode_route(plain(RTM_NEWROUTE, "20.0.0.0/16", "10.0.2.2").done()));
    rib.end_dump();
    EXPECT_EQ(rib.take_changed(1), std::vector{low.prefix}) << "at the end of a dump as well";
    rib.take_changed(10);
    low.gone = false;
    rib.take(low);
    low.gone = true;
    rib.take(low);
    low.gone = false;
    rib.take(low);
    EXPECT_EQ(rib.take_changed(10), std::vector{low.prefix}) << "once, whatever it was between";
    EXPECT_FALSE(rib.changed());
}

TEST(KernelRib, ForgetsAtTheEndOfADumpWhatWasNotNamed) {
    KernelRib rib = rib_of_bgp();
    const auto one = *decode_route(plain(RTM_NEWROUTE, "20.1.0.0/16", "10.0.2.2").done());
    const auto two = *decode_route(plain(RTM_NEWROUTE, "20.2.0.0/16", "10.0.2.2").done());
    rib.take(one);
    rib.take(two);
    rib.take_changed(10);
    rib.begin_dump();
    rib.take(one);
    rib.end_dump();
    EXPECT_EQ(rib.size(), 1u);
    EXPECT_EQ(rib.take_changed(10), std::vector{two.prefix})
        << "what stayed as it was did not change";
}

TEST(KernelRib, AnIpv6NextHopComesAndGoesAlone) {
    KernelRib rib = rib_of_bgp();
    const Prefix to = *Prefix::parse("2001:db8::/32");
    rib.take(*decode_route(plain(RTM_NEWROUTE, "2001:db8::/32", "fe80::1").done()));
    auto more = *decode_route(plain(RTM_NEWROUTE, "2001:db8::/32", "fe80::2").done());
    more.appended = true;
    rib.take(more);
    EXPECT_EQ(rib.best(to)->hops.size(), 2u);
    rib.take(*decode_route(plain(RTM_DELROUTE, "2001:db8::/32", "fe80::1").done()));
    ASSERT_EQ(rib.best(to)->hops.size(), 1u);
    EXPECT_EQ(rib.best(to)->hops[0].gateway->to_string(), "fe80::2");
}

TEST(KernelRib, LeavesOtherTablesProtocolsAndCachesAlone) {
    KernelRib rib = rib_of_bgp();
    auto r = *decode_route(plain(RTM_NEWROUTE, "20.1.0.0/16", "10.0.2.2").done());
    r.protocol = 2;
    rib.take(r);
    r.protocol = 186;
    r.table = 100;
    rib.take(r);
    r.table = 254;
    r.cloned = true;
    rib.take(r);
    EXPECT_EQ(rib.size(), 0u);
}

TEST(KernelRib, HoldsAsManyPrefixesAsItMayAndSaysWhenThereIsRoomAgain) {
    KernelRib rib = rib_of_bgp(32);
    for (unsigned n = 0; n < 40; ++n) rib.take(plain_route(nth(n)));
    EXPECT_EQ(rib.size(), 32u);
    EXPECT_EQ(rib.beyond_limit(), 8u);
    rib.take(plain_route(nth(3), 10));
    EXPECT_EQ(rib.best(*Prefix::parse(nth(3)))->metric, 10u) << "a prefix it has may change";
    EXPECT_EQ(rib.beyond_limit(), 8u);
    for (unsigned n = 0; n < 3; ++n) {
        EXPECT_FALSE(rib.wants_dump()) << n;
        auto gone = plain_route(nth(n));
        gone.gone = true;
        rib.take(gone);
    }
    EXPECT_TRUE(rib.wants_dump()) << "a sixteenth is free";
    rib.begin_dump();
    EXPECT_FALSE(rib.wants_dump());
    EXPECT_EQ(rib.beyond_limit(), 0u);
    rib.set_limit(4);
    EXPECT_EQ(rib.size(), 4u);
    EXPECT_EQ(rib.beyond_limit(), 25u);
    EXPECT_EQ(rib.best(*Prefix::parse(nth(31))), nullptr);
}

TEST(KernelRib, KeepsTheBestPathsOfAPrefixAndAsksAgainWhenOneGoes) {
    KernelRib rib = rib_of_bgp();
    const Prefix to = *Prefix::parse("20.1.0.0/16");
    for (uint32_t metric = 100; metric > 0; --metric) rib.take(plain_route("20.1.0.0/16", metric));
    EXPECT_EQ(rib.best(to)->metric, 1u);
    EXPECT_EQ(rib.beyond_limit(), 100 - kMaxKernelPaths);
    EXPECT_FALSE(rib.wants_dump());
    rib.take_changed(10);
    rib.take(plain_route("20.1.0.0/16", 50));
    EXPECT_FALSE(rib.changed()) << "the worst of too many";
    for (uint32_t metric = 1; metric <= kMaxKernelPaths; ++metric) {
        ASSERT_NE(rib.best(to), nullptr) << metric;
        EXPECT_EQ(rib.best(to)->metric, metric);
        auto gone = plain_route("20.1.0.0/16", metric);
        gone.gone = true;
        rib.take(gone);
        EXPECT_TRUE(rib.wants_dump());
    }
    EXPECT_EQ(rib.best(to), nullptr);
}

TEST(KernelRib, CutsTheNextHopsOfAPathAlsoWhereTheyComeOneByOne) {
    KernelRib rib = rib_of_bgp();
    const Prefix to = *Prefix::parse("2001:db8::/32");
    auto many = *decode_route(plain(RTM_NEWROUTE, "2001:db8::/32", "fe80::1").done());
    many.hops.resize(2000, many.hops.front());
    rib.take(many);
    EXPECT_EQ(rib.best(to)->hops.size(), kMaxKernelHops);
    EXPECT_EQ(rib.beyond_limit(), 1u);
    auto one = *decode_route(plain(RTM_NEWROUTE, "2001:db8::/32", "fe80::2").done());
    one.metric = 30;
    one.appended = true;
    for (int n = 0; n < 200; ++n) {
        one.hops.front().ifindex = 100 + n;
        rib.take(one);
    }
    one.gone = true;
    many.gone = true;
    rib.take(many);
    ASSERT_NE(rib.best(to), nullptr);
    EXPECT_EQ(rib.best(to)->metric, 30u);
    EXPECT_EQ(rib.best(to)->hops.size(), kMaxKernelHops);
}

TEST(KernelRib, WhatNobodyTakesDoesNotGrowForEver) {
    KernelRib rib = rib_of_bgp(10);
    for (unsigned n = 0; n < 200; ++n) {
        auto route = plain_route(nth(n));
        rib.take(route);
        if (n == 0) continue;
        route.gone = true;
        rib.take(route);
    }
    EXPECT_TRUE(rib.lost_track());
    EXPECT_FALSE(rib.changed());
    rib.mark_all();
    EXPECT_FALSE(rib.lost_track());
    EXPECT_EQ(rib.take_changed(1000), std::vector{*Prefix::parse(nth(0))});
}

}  // namespace
}  // namespace ravelin::control
