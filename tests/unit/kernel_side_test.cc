// SPDX-License-Identifier: Apache-2.0
// What the data plane answers late, after the policy has changed.
#include "controlplane/kernel/kernel_side.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "pipelines/model/frame.h"

namespace ravelin::control {
namespace {

using config::Node;
using std::chrono::milliseconds;

/// A port, with a TAP that nobody made, and routes to learn.
Node policy(bool learning, bool tap = true) {
    Node tree = Node::map(), ports = Node::list(), port = Node::map(), routes = Node::map(),
         protocols = Node::list();
    port.set("name", Node::text("lan"));
    if (tap) port.set("tap", Node::text("rv-nowhere"));
    ports.add(port);
    tree.set("ports", ports);
    protocols.add(Node::text("bgp"));
    routes.set("table", Node::integer(254));
    routes.set("protocols", protocols);
    routes.set("limit", Node::integer(1000));
    if (learning) tree.set("kernel-routes", routes);
    return tree;
}

/// A process of this name among the children of `parent`; 0: none.
pid_t child_of(pid_t parent, const std::string& name) {
    const std::string id = std::to_string(parent);
    std::ifstream children("/proc/" + id + "/task/" + id + "/children");
    for (pid_t pid = 0; children >> pid;) {
        std::string comm;
        std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), comm);
        if (comm == name) return pid;
    }
    return 0;
}

TEST(TapHelper, OneThatIsKilledIsReplacedAndAskedAgainButNotForEver) {
    EventLoop loop;
    TapHelper helper(loop, false);
    unsigned answers = 0;
    std::string problem;
    const std::vector<TapPort> ports{{"lan", "rv-nowhere", "", 1500, {}}};
    const auto turn_until = [&](const auto& done) {
        for (int i = 0; i < 4000 && !done(); ++i) loop.turn(milliseconds(5));
        return done();
    };
    helper.sync(ports, [&](const TapHelper::Outcome& outcome) {
        ++answers;
        problem = outcome.problem;
    });
    ASSERT_TRUE(turn_until([&] { return answers == 1; }));
    const std::string first = problem;
    const pid_t keeper = child_of(::getpid(), "ravelin-taps");
    ASSERT_NE(keeper, 0);
    for (unsigned killed = 1; killed <= TapHelper::kMostRestarts; ++killed) {
        ASSERT_EQ(::kill(child_of(keeper, "ravelin-mirror"), SIGKILL), 0);
        EXPECT_TRUE(turn_until([&] { return answers == killed + 1; })) << killed;
        EXPECT_EQ(problem, first) << "the same request";
    }
    ASSERT_EQ(::kill(child_of(keeper, "ravelin-mirror"), SIGKILL), 0);
    EXPECT_TRUE(turn_until([&] {
        helper.sync(ports, [&](const TapHelper::Outcome& outcome) { problem = outcome.problem; });
        return problem == "the process that mirrors TAPs does not listen";
    }));
}

class KernelSideTest : public ::testing::Test {
  protected:
    KernelSideTest() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        dataplane_.reset(ends[1]);
        link_.emplace(loop_, "");
        link_->adopt(UniqueFd(ends[0]));  // the lower descriptor: what it has is served first
        side_.emplace(loop_, *link_, false);
        link_->listen({.connected = [this](const auto&) { side_->connected(); },
                       .lost = [this](const auto&) { side_->lost(); },
                       .event = {}});
    }
    /// The next request of any kind.
    model::ToDataplane request() {
        for (int i = 0; i < 4000; ++i) {
            loop_.turn(milliseconds(5));
            EXPECT_TRUE(model::receive(dataplane_.get(), reader_).ok());
            if (const auto frame = reader_.next()) {
                model::ToDataplane out;
                EXPECT_TRUE(out.ParseFromString(*frame));
                return out;
            }
        }
        ADD_FAILURE() << "nothing is asked";
        return {};
    }
    void answer(const model::ToDataplane& request, uint64_t routes) {
        model::FromDataplane out;
        out.set_id(request.id());
        model::DataplaneStatus& status = *out.mutable_reply()->mutable_status();
        status.set_version(model::kProtocolVersion);
        status.set_generation(1);
        out.mutable_reply()->set_total(routes);
        const std::string bytes = out.SerializeAsString();
        EXPECT_TRUE(
            model::write_frame(dataplane_.get(),
                               {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})
                .ok());
    }
    EventLoop loop_;
    UniqueFd dataplane_;
    model::FrameReader reader_;
    std::optional<DataplaneLink> link_;
    std::optional<KernelSide> side_;
};

TEST_F(KernelSideTest, AnAnswerAboutRoutesThatAreNoLongerLearnedIsNotHeard) {
    answer(request(), 0);  // hello
    side_->policy_changed(policy(true));
    const model::ToDataplane under_way = request();
    ASSERT_TRUE(under_way.has_routes());
    // The process that mirrors TAPs has no time to answer before this is read.
    answer(under_way, 7);
    side_->policy_changed(policy(false));
    loop_.turn(milliseconds(0));
    EXPECT_FALSE(side_->state().learning);
    EXPECT_EQ(side_->state().feed.in_dataplane, 0u) << "it was of the routes before";
    const model::ToDataplane last = request();
    ASSERT_TRUE(last.has_routes());
    EXPECT_TRUE(last.routes().begin() && last.routes().end());
    EXPECT_EQ(last.routes().routes_size(), 0) << "none are left";
}

TEST_F(KernelSideTest, APrefixByNoTapOfOursCountsOnceHoweverOftenItIsTold) {
    answer(request(), 0);  // hello
    answer(request(), 0);  // that nothing is learned
    for (int i = 0; i < 10; ++i) loop_.turn(milliseconds(5));
    RouteFeed feed(*link_, [] {});
    feed.configure({.ports = {{7, 0}}, .limit = 10});
    KernelRib rib({.table = 254, .protocols = {186}}, 10);
    KernelRoute route;
    route.table = 254;
    route.protocol = 186;
    route.prefix = *Prefix::parse("20.1.0.0/16");
    const auto told = [&](uint8_t weight, bool gone, int interface) {
        route.hops = {{.ifindex = interface, .gateway = IpAddress::v4(1), .weight = weight}};
        route.gone = gone;
        rib.take(route);
        feed.push(&rib, true);
        answer(request(), 0);
        for (int i = 0; i < 10; ++i) loop_.turn(milliseconds(5));
        return feed.state().unusable;
    };
    EXPECT_EQ(told(1, false, 9), 1u);
    EXPECT_EQ(told(2, false, 9), 1u) << "with another weight";
    EXPECT_EQ(told(2, false, 7), 0u) << "by a TAP of a port";
    EXPECT_EQ(told(2, false, 9), 1u);
    EXPECT_EQ(told(2, true, 9), 0u) << "gone";
}

TEST_F(KernelSideTest, WithoutATapThereIsRoomForRoutesThatLeadNowhere) {
    answer(request(), 0);  // hello
    side_->policy_changed(policy(true, false));
    const model::ToDataplane first = request();
    ASSERT_TRUE(first.has_routes());
    EXPECT_EQ(first.routes().limit(), 1000u);
}

}  // namespace
}  // namespace ravelin::control
