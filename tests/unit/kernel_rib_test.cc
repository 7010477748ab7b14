// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/kernel_rib.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <random>

#include "controlplane/kernel/route_source.h"

namespace ravelin::control {
namespace {

using Bytes = std::vector<uint8_t>;

/// A netlink message, put together by hand.
class Message {
  public:
    Message(uint16_t type, uint16_t flags, uint32_t sequence = 0) {
        nlmsghdr head{};
        head.nlmsg_type = type;
        head.nlmsg_flags = flags;
        head.nlmsg_seq = sequence;
        put(head);
    }
    template <typename T>
    Message& put(const T& value) {
        return put(&value, sizeof value);
    }
    Message& put(const void* data, size_t length) {
        const auto* from = static_cast<const uint8_t*>(data);
        bytes_.insert(bytes_.end(), from, from + length);
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
        return *this;
    }
    Message& attribute(uint16_t type, const void* data, size_t length) {
        put(rtattr{static_cast<unsigned short>(sizeof(rtattr) + length), type});
        return put(data, length);
    }
    Message& number(uint16_t type, uint32_t value) { return attribute(type, &value, 4); }
    Message& address(uint16_t type, const std::string& text) {
        const IpAddress a = *IpAddress::parse(text);
        return a.is_v4() ? attribute(type, a.bytes.data() + 12, 4)
                         : attribute(type, a.bytes.data(), 16);
    }
    [[nodiscard]] Bytes done() {
        auto length = static_cast<uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &length, 4);
        return bytes_;
    }

  private:
    Bytes bytes_;
};

Message route(uint16_t type, const std::string& to, uint8_t protocol, uint16_t flags = 0) {
    const Prefix prefix = *Prefix::parse(to);
    rtmsg head{};
    head.rtm_family = prefix.is_v4() ? AF_INET : AF_INET6;
    head.rtm_dst_len = prefix.length;
    head.rtm_table = RT_TABLE_MAIN;
    head.rtm_protocol = protocol;
    head.rtm_type = RTN_UNICAST;
    Message out(type, flags);
    out.put(head);
    if (prefix.length != 0) out.address(RTA_DST, prefix.address.to_string());
    return out;
}

Message plain(uint16_t type, const std::string& to, const std::string& via, uint32_t metric = 20) {
    Message out = route(type, to, 186);
    out.number(RTA_PRIORITY, metric).number(RTA_OIF, 7).address(RTA_GATEWAY, via);
    return out;
}

Bytes end_of_dump(uint32_t sequence, uint16_t flags = NLM_F_MULTI) {
    return Message(NLMSG_DONE, flags, sequence).put(int32_t{0}).done();
}

KernelRib rib_of_bgp() { return KernelRib({254, {186}}); }

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

// The real kernel answers the dumps; what a test adds comes before or after.
TEST(RouteSource, DumpsAgainAfterAnOverrunAndLosesNothing) {
    EventLoop loop;
    unsigned changes = 0;
    auto socket = RouteSource::open_socket();
    ASSERT_TRUE(socket.ok()) << socket.error().message;
    RouteSource source(loop, socket->get(), {254, {186}}, [&] { ++changes; });
    ASSERT_TRUE(source.start().ok());
    const auto turn_until = [&](auto condition) {
        for (int i = 0; i < 2000 && !condition(); ++i) loop.turn(std::chrono::milliseconds(5));
        return condition();
    };
    ASSERT_TRUE(turn_until([&] { return source.complete(); }));
    // A route that the kernel does not have, as after a lost withdrawal.
    source.take(plain(RTM_NEWROUTE, "20.1.0.0/16", "10.0.2.2").done());
    EXPECT_EQ(source.rib().size(), 1u);
    source.overrun();
    EXPECT_TRUE(turn_until([&] { return source.rib().size() == 0; }));
    EXPECT_EQ(source.resyncs(), 1u);
    source.take(end_of_dump(999'999));  // of nobody's dump
    source.take(Bytes{1, 2, 3});
    EXPECT_GT(changes, 0u);
}

}  // namespace
}  // namespace ravelin::control
