// SPDX-License-Identifier: Apache-2.0
// What a worker other than 0 gives to worker 0: packets without a MAC, and ARP. The fixture's one
// context plays both workers in turn.
#include <gtest/gtest.h>

#include "dataplane/net/packet_text.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

const char* const kConfig =
    "ports: [{name: lan, device: 'null', addresses: 10.0.0.1/24}, {name: wan, device: 'null', "
    "addresses: 192.0.2.1/24}]\n"
    "pipeline: [parse: {}, route: {routes: [{to: 0.0.0.0/0, via: 192.0.2.9}]}, neighbour: {}, "
    "local: {}, rewrite: {}]\n";
const char* const kMovedGateway =
    "ports: [{name: lan, device: 'null', addresses: 10.0.0.1/24}, {name: wan, device: 'null', "
    "addresses: 192.0.2.1/24}]\n"
    "pipeline: [parse: {}, route: {routes: [{to: 9.0.0.0/8, kind: blackhole}, {to: 0.0.0.0/0, via: "
    "192.0.2.8}]},"
    " neighbour: {}, local: {}, rewrite: {}]\n";

Bytes frame(const std::string& text) {
    PacketTextDefaults defaults;
    defaults.port_macs = {{"lan", {{2, 0, 0, 0, 1, 0}}}, {"wan", {{2, 0, 0, 0, 1, 1}}}};
    auto parsed = parse_packet_text(text, defaults);
    if (!parsed) ADD_FAILURE() << parsed.error().message;
    return parsed ? parsed->frame : Bytes{};
}

class NeighbourHandoff : public testing::Test {
  protected:
    NeighbourHandoff() : fixture_(kConfig), matrix_(2), zero_(matrix_, 0), one_(matrix_, 1) {}
    void on_worker_one(const std::string& port, const std::string& text) {
        Handoff* before = fixture_.context().handoff;
        fixture_.context().worker = 1;
        fixture_.context().handoff = &one_;
        fixture_.receive(port, {frame(text)});
        EXPECT_EQ(one_.flush().all, 0u);
        fixture_.context().handoff = before;
        fixture_.context().worker = 0;
    }
    unsigned resume_on_zero() {
        rte_mbuf* frames[8];
        const unsigned n = zero_.receive(1, frames, 8);
        fixture_.pipeline().resume(frames, n, fixture_.context());
        fixture_.receive("lan", {});  // flushes
        return n;
    }
    StageFixture fixture_;
    HandoffMatrix matrix_;
    Handoff zero_, one_;
};

TEST_F(NeighbourHandoff, WorkerZeroHoldsWhatAnotherCouldNotSend) {
    on_worker_one("lan", "in=lan udp 10.0.0.9:1 > 8.8.8.8:53 ttl=64");
    EXPECT_TRUE(fixture_.sent().empty());
    EXPECT_EQ(resume_on_zero(), 1u);
    auto sent = fixture_.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_NE(describe_frame(sent[0].frame).find("who-has 192.0.2.9"), std::string::npos);
    on_worker_one("wan",
                  "in=wan src-mac=02:00:00:00:09:09 dst-mac=02:00:00:00:01:01 arp 192.0.2.9 is-at "
                  "02:00:00:00:09:09 to 192.0.2.1");
    EXPECT_TRUE(fixture_.sent().empty());
    EXPECT_EQ(resume_on_zero(), 1u);
    sent = fixture_.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_NE(describe_frame(sent[0].frame).find("8.8.8.8:53"), std::string::npos);
    EXPECT_NE(describe_frame(sent[0].frame).find("ttl=63"), std::string::npos);  // counted once
}

TEST_F(NeighbourHandoff, UsesTheRouteOfTheGenerationItIsResumedUnder) {
    on_worker_one("lan", "in=lan udp 10.0.0.9:1 > 8.8.8.8:53");
    fixture_.apply(kMovedGateway);
    EXPECT_EQ(resume_on_zero(), 1u);
    const auto sent = fixture_.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_NE(describe_frame(sent[0].frame).find("who-has 192.0.2.8"), std::string::npos);
}

TEST_F(NeighbourHandoff, AnythingThatIsResolvedLeavesFromItsOwnWorker) {
    fixture_.context().neighbours->insert(1, IpAddress::v4(0xc0000209), {{2, 0, 0, 0, 9, 9}},
                                          NeighbourState::kReachable, fixture_.context().now.ms);
    on_worker_one("lan", "in=lan udp 10.0.0.9:1 > 8.8.8.8:53");
    EXPECT_EQ(resume_on_zero(), 0u);
    EXPECT_EQ(fixture_.sent().size(), 1u);
}

}  // namespace
}  // namespace ravelin::test
