// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/dataplane_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "controlplane/link/apply_bytes.h"
#include "tests/support/fake_dataplane.h"

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class LinkTest : public ::testing::Test {
  protected:
    LinkTest() {
        std::string pattern = "/tmp/ravelin-link-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        link_.emplace(loop_, directory_ + "/dataplane.sock");
    }
    ~LinkTest() override { std::filesystem::remove_all(directory_); }
    template <typename Condition>
    bool turn_until(Condition condition) {
        for (int i = 0; i < 4000 && !condition(); ++i) loop_.turn(milliseconds(5));
        return condition();
    }
    std::string directory_;
    EventLoop loop_;
    std::optional<DataplaneLink> link_;
};

TEST(ApplyBytes, AreWhatProtobufWouldSend) {
    model::PolicySnapshot snapshot;
    snapshot.set_generation(300);
    snapshot.mutable_config()->set_text(std::string(5000, 'x'));
    model::ToDataplane parsed;
    ASSERT_TRUE(parsed.ParseFromString(apply_bytes(9, snapshot.SerializeAsString(), 60000)));
    EXPECT_EQ(parsed.id(), 9u);
    EXPECT_EQ(parsed.apply().confirm_ms(), 60000u);
    EXPECT_EQ(parsed.apply().policy().SerializeAsString(), snapshot.SerializeAsString());
}

TEST_F(LinkTest, GreetsAndConnectsAgain) {
    int connections = 0, losses = 0;
    link_->listen({.connected = [&](const auto&) { ++connections; },
                   .lost = [&](const auto&) { ++losses; },
                   .event = {}});
    link_->start();
    EXPECT_FALSE(link_->connected());
    EXPECT_THAT(link_->problem(), HasSubstr("no connection"));
    test::FakeDataplane dataplane(directory_ + "/dataplane.sock");
    ASSERT_TRUE(turn_until([&] { return connections == 1; }));
    dataplane.restart();
    ASSERT_TRUE(turn_until([&] { return connections == 2; }));
    EXPECT_EQ(losses, 1);
}

TEST_F(LinkTest, FailsOpenRequestsWhenTheConnectionIsLost) {
    test::FakeDataplane dataplane(directory_ + "/dataplane.sock");
    link_->start();
    ASSERT_TRUE(turn_until([&] { return link_->connected(); }));
    dataplane.die_on_apply = true;
    std::optional<bool> ok;
    link_->send_apply("", 0, milliseconds(60'000), [&](const auto& reply) { ok = reply.ok(); });
    ASSERT_TRUE(turn_until([&] { return ok.has_value(); }));
    EXPECT_FALSE(*ok);
}

TEST_F(LinkTest, GivesUpOnAnAnswerThatDoesNotCome) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    const UniqueFd silent(fds[1]);
    link_->adopt(UniqueFd(fds[0]));
    std::string problem;
    link_->send(model::ToDataplane(), milliseconds(1),
                [&](const auto& reply) { problem = reply.error().message; });
    EXPECT_FALSE(problem.empty()) << "not greeted yet";
}

// A descriptor's number is given to the next connection at once.
TEST_F(LinkTest, WhatCouldNotBeWrittenDoesNotDropTheNextConnection) {
    const auto pair = [this] {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        link_->adopt(UniqueFd(fds[0]));
        return UniqueFd(fds[1]);
    };
    int broken[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, broken), 0);
    ::close(broken[1]);
    link_->adopt(UniqueFd(broken[0]));  // its hello cannot be written
    link_->drop("something else was wrong");
    const UniqueFd second = pair();
    loop_.turn(milliseconds(5));
    char hello[256];
    ASSERT_GT(::recv(second.get(), hello, sizeof hello, 0), 0);
    EXPECT_EQ(::recv(second.get(), hello, sizeof hello, 0), -1) << "closed";
}

TEST_F(LinkTest, HandsEventsOn) {
    test::FakeDataplane dataplane(directory_ + "/dataplane.sock");
    std::string rule;
    link_->listen({.connected = {}, .lost = {}, .event = [&](const auto& event) {
                       rule = event.log().rule();
                   }});
    link_->start();
    ASSERT_TRUE(turn_until([&] { return link_->connected(); }));
    model::FromDataplane event;
    event.mutable_log()->set_rule("web");
    dataplane.send_event(event);
    EXPECT_TRUE(turn_until([&] { return rule == "web"; }));
}

}  // namespace
}  // namespace ravelin::control
