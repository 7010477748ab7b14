// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/route_source.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>

#include "tests/unit/netlink_messages.h"

namespace ravelin::control {
namespace {

/// A source over the real kernel, which answers the dumps; what a test adds comes in between.
struct Listening {
    explicit Listening(size_t limit, std::chrono::milliseconds patience = RouteSource::kPatience)
        : source(
              loop, socket.get(), {254, {186}}, limit, [this] { ++changes; }, patience) {}
    template <typename Condition>
    bool turn_until(Condition condition) {
        for (int i = 0; i < 2000 && !condition(); ++i) loop.turn(std::chrono::milliseconds(5));
        return condition();
    }
    EventLoop loop;
    unsigned changes = 0;
    UniqueFd socket = std::move(*RouteSource::open_socket());
    RouteSource source;
};

TEST(RouteSource, AsksAgainForWhatWasLeftOutOnceThereIsRoom) {
    Listening kernel(2);
    RouteSource& source = kernel.source;
    ASSERT_TRUE(source.start().ok());
    ASSERT_TRUE(kernel.turn_until([&] { return source.complete(); }));
    const auto fill = [&] {
        for (unsigned n = 1; n <= 3; ++n)
            source.take(plain(RTM_NEWROUTE, nth(n), "10.0.2.2").done());
    };
    fill();
    EXPECT_EQ(source.rib().size(), 2u);
    EXPECT_EQ(source.rib().beyond_limit(), 1u);
    EXPECT_EQ(source.resyncs(), 0u);
    source.take(plain(RTM_DELROUTE, nth(1), "10.0.2.2").done());
    EXPECT_EQ(source.resyncs(), 1u);
    EXPECT_TRUE(kernel.turn_until([&] { return source.rib().size() == 0; })) << "it dumped";
    fill();
    source.take(plain(RTM_DELROUTE, nth(1), "10.0.2.2").done());
    EXPECT_EQ(source.resyncs(), 1u) << "not all the time";
    source.set_limit(3);
    EXPECT_TRUE(kernel.turn_until([&] { return source.rib().size() == 0; })) << "more room";
}

Bytes part_of_dump(uint32_t sequence, const std::string& to) {
    Bytes bytes = plain(RTM_NEWROUTE, to, "10.0.2.2").done();
    nlmsghdr head{};
    std::memcpy(&head, bytes.data(), sizeof head);
    head.nlmsg_flags = NLM_F_MULTI;
    head.nlmsg_seq = sequence;
    std::memcpy(bytes.data(), &head, sizeof head);
    return bytes;
}

/// The kernel's own answer never arrives.
void take_away_dump(int socket, uint32_t sequence) {
    Bytes answer(64 << 10);
    for (bool done = false; !done;) {
        const ssize_t got = ::recv(socket, answer.data(), answer.size(), 0);
        nlmsghdr head{};
        for (size_t at = 0; got > 0 && at + sizeof head <= static_cast<size_t>(got);
             at += NLMSG_ALIGN(head.nlmsg_len)) {
            std::memcpy(&head, answer.data() + at, sizeof head);
            done |= head.nlmsg_type == NLMSG_DONE && head.nlmsg_seq == sequence;
        }
    }
}

TEST(RouteSource, ADumpThatGoesOnIsNotBegunAnew) {
    constexpr std::chrono::milliseconds kPatience{400};
    Listening kernel(1000, kPatience);
    RouteSource& source = kernel.source;
    ASSERT_TRUE(source.start().ok());
    take_away_dump(kernel.socket.get(), 1);
    for (unsigned n = 0; n < 16; ++n) {
        source.take(part_of_dump(1, nth(n)));
        kernel.loop.turn(std::chrono::milliseconds(0));
        std::this_thread::sleep_for(kPatience / 4);
    }
    EXPECT_EQ(source.rib().size(), 16u);
    EXPECT_FALSE(source.complete());
    source.take(end_of_dump(1));
    EXPECT_TRUE(kernel.turn_until([&] { return source.complete(); }));
}

TEST(RouteSource, DumpsAgainAfterAnOverrunAndLosesNothing) {
    Listening kernel(1000);
    RouteSource& source = kernel.source;
    ASSERT_TRUE(source.start().ok());
    ASSERT_TRUE(kernel.turn_until([&] { return source.complete(); }));
    // A route that the kernel does not have, as after a lost withdrawal.
    source.take(plain(RTM_NEWROUTE, "20.1.0.0/16", "10.0.2.2").done());
    EXPECT_EQ(source.rib().size(), 1u);
    source.overrun();
    EXPECT_TRUE(kernel.turn_until([&] { return source.rib().size() == 0; }));
    EXPECT_EQ(source.resyncs(), 1u);
    source.take(end_of_dump(999'999));  // of nobody's dump
    source.take(Bytes{1, 2, 3});
    EXPECT_GT(kernel.changes, 0u);
}

}  // namespace
}  // namespace ravelin::control
