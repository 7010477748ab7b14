// SPDX-License-Identifier: Apache-2.0
// Deltas of learned routes into a running box, and their end when nobody vouches for them.
#include "dataplane/process/learn.h"

#include <gmock/gmock.h>

#include <functional>

#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kConfig = R"(
workers: {count: 4, poll: adaptive, buffers: 2048, flows: 1024, hugepages: "off"}
ports:
  - {name: lan, device: net_ring_lan, addresses: 10.0.1.1/24}
pipeline: [parse, steer, route, neighbour, local, rewrite]
)";
constexpr uint64_t kStale = 5'000'000'000;

std::string bytes_of_address(const std::string& text) {
    const IpAddress address = *IpAddress::parse(text);
    return {address.bytes.begin(), address.bytes.end()};
}

void add(model::RouteDelta& delta, const std::string& address, uint32_t length, bool gone = false) {
    model::LearnedRoute& route = *delta.add_routes();
    route.set_address(bytes_of_address(address));
    route.set_length(length);
    route.set_protocol(186);
    if (gone) return;
    route.add_hops()->set_kind(static_cast<uint32_t>(RouteKind::kForward));
    route.mutable_hops(0)->set_gateway(bytes_of_address("10.0.1.2"));
}

model::RouteDelta whole(uint64_t stale_ns) {
    model::RouteDelta delta;
    delta.set_begin(true);
    delta.set_end(true);
    delta.set_limit(100);
    delta.set_stale_ns(stale_ns);
    add(delta, "20.1.0.0", 16);
    add(delta, "2001:db8::", 32);
    return delta;
}

class LearnTest : public ::testing::Test {
  protected:
    LearnTest() : box_({"lan"}, 4) { box_.apply(kConfig); }
    Appliance& appliance() { return *box_.store().appliance(); }
    model::Reply tell(const model::RouteDelta& delta) {
        model::Reply reply;
        learner_.learn(appliance(), delta, reply);
        return reply;
    }
    size_t expire(uint64_t ns) { return learner_.expire(appliance(), Now::from_ns(ns)); }

    RingBox box_;
    RouteLearner learner_;
};

TEST_F(LearnTest, StaleRoutesAreKeptForTheirTimeThenRemovedAndCounted) {
    EXPECT_EQ(tell(whole(kStale)).total(), 2u);
    EXPECT_EQ(expire(UINT64_MAX), 0u) << "the control plane is there";
    learner_.lost(Now::from_ns(1'000));
    learner_.lost(Now::from_ns(4'000'000'000));  // one that came and told nothing
    EXPECT_EQ(expire(kStale + 999), 0u);
    EXPECT_EQ(appliance().learned().size(), 2u);
    EXPECT_EQ(expire(kStale + 1'000), 2u);
    EXPECT_EQ(appliance().learned().size(), 0u);
    EXPECT_EQ(appliance().learned().stale(), 2u);
    EXPECT_EQ(appliance().learned().lookup(*IpAddress::parse("20.1.0.1")).length, -1);
    EXPECT_EQ(tell(whole(kStale)).total(), 2u) << "and learned again";
}

TEST_F(LearnTest, ANewSyncEndsTheWaitAndAChangeAloneDoesNot) {
    tell(whole(kStale));
    learner_.lost(Now::from_ns(1'000));
    tell(whole(kStale));
    EXPECT_EQ(expire(UINT64_MAX), 0u);
    learner_.lost(Now::from_ns(1'000));
    model::RouteDelta change;
    add(change, "20.2.0.0", 16);
    EXPECT_EQ(tell(change).total(), 3u);
    EXPECT_EQ(expire(UINT64_MAX), 3u) << "who has not said all vouches for nothing";
}

TEST_F(LearnTest, WhatGoesMakesRoomForWhatComesInTheSameDelta) {
    model::RouteDelta first = whole(0);
    first.set_limit(2);
    tell(first);
    model::RouteDelta change;
    add(change, "20.0.0.0", 16);
    add(change, "20.1.0.0", 16, true);
    const model::Reply reply = tell(change);
    EXPECT_EQ(reply.refused(), 0u);
    EXPECT_EQ(reply.total(), 2u);
    EXPECT_NE(appliance().learned().lookup(*IpAddress::parse("20.0.0.1")).length, -1);
    EXPECT_EQ(appliance().learned().lookup(*IpAddress::parse("20.1.0.1")).length, -1);
}

TEST_F(LearnTest, WithoutATimeTheyStay) {
    tell(whole(0));
    learner_.lost(Now::from_ns(1'000));
    EXPECT_EQ(expire(UINT64_MAX), 0u);
    EXPECT_EQ(appliance().learned().size(), 2u);
}

TEST_F(LearnTest, AMalformedDeltaChangesNothing) {
    tell(whole(kStale));
    const auto refused = [&](const std::function<void(model::LearnedRoute&)>& damage) {
        model::RouteDelta delta;
        add(delta, "20.3.0.0", 16);
        add(delta, "20.4.0.0", 16);
        damage(*delta.mutable_routes(1));
        return tell(delta).error();
    };
    EXPECT_THAT(refused([](auto& r) { r.set_length(33); }), HasSubstr("20.4.0.0/33"));
    EXPECT_THAT(refused([](auto& r) { r.set_address("abcd"); }), HasSubstr("no address"));
    EXPECT_THAT(refused([](auto& r) { r.mutable_hops(0)->set_port(9); }), HasSubstr("port 9"));
    EXPECT_THAT(refused([](auto& r) { r.mutable_hops(0)->set_gateway("x"); }),
                HasSubstr("gateway"));
    for (const RouteKind kind :
         {RouteKind::kNone, RouteKind::kLocal, RouteKind::kGroup, RouteKind::kBroadcast})
        EXPECT_THAT(
            refused([kind](auto& r) { r.mutable_hops(0)->set_kind(static_cast<uint32_t>(kind)); }),
            HasSubstr("kind"));
    EXPECT_EQ(appliance().learned().size(), 2u);
}

}  // namespace
}  // namespace ravelin::test
