// SPDX-License-Identifier: Apache-2.0
// Reservations come and go live, under traffic through two workers: each change puts another link
// in the place of the one before, and no frame, count or budget is lost by that. And how they stand
// to generations: carried over by one that says nothing of them, as a sync says, back with a
// rollback.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "dataplane/net/packet_text.h"
#include "dataplane/paced_ports.h"
#include "pipelines/model/tree_codec.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

using config::Node;
using sched::Use;

std::string configuration(const std::string& more = "") {
    return fmt::format(
        "mode: wire\n"
        "workers: {{count: 2, poll: busy, buffers: 4096, flows: 4096, hugepages: \"off\"}}\n"
        "principals: [{{name: a, prefixes: 10.0.1.0/24}}, {{name: b, prefixes: 10.0.2.0/24}}]\n"
        "ports: [{{name: lan, device: net_ring_lan, rate: 1Gbit}}, "
        "{{name: wan, device: net_ring_wan, rate: 400Mbit}}]\n{}"
        "pipeline: [parse, wire, classify]\n",
        more);
}

class LiveReservations : public testing::Test {
  protected:
    LiveReservations() { box_.apply(configuration()); }
    [[nodiscard]] const PacedLink& link(PortId port = 1) {
        return *box_.store().current()->paced->link(port);
    }
    [[nodiscard]] model::LiveChange fresh(uint64_t serial) {
        model::LiveChange change;
        change.set_generation(box_.store().current()->generation);
        change.set_serial(serial);
        return change;
    }
    static void grant(model::LiveChange& change, const std::string& principal, int64_t rate,
                      const std::string& out = "wan") {
        Node node = Node::map();
        for (const auto& [member, value] :
             {std::pair("name", "r-" + principal), {"principal", principal}})
            node.set(member, Node::text(value));
        Node ports = Node::list();
        ports.add(Node::text(out));
        node.set("out", std::move(ports));
        node.set("bytes", Node::integer(1500));
        node.set("rate", Node::integer(rate));
        node.set("deadline", Node::integer(5'000'000));
        model::encode(node, *change.add_reservations()->mutable_grant());
    }
    Status reserve(const std::string& principal, int64_t rate, const std::string& out = "wan") {
        auto change = fresh(box_.store().live().serial() + 1);
        grant(change, principal, rate, out);
        return box_.store().change(change, Now::read(), Now::read().ns);
    }
    Status release(const std::string& name) {
        auto change = fresh(box_.store().live().serial() + 1);
        change.add_reservations()->set_release(name);
        return box_.store().change(change, Now::read(), Now::read().ns);
    }
    /// Period of what the principal has reserved of wan, ns; 0: nothing.
    [[nodiscard]] uint64_t period_of(const std::string& principal) {
        const auto id = box_.store().current()->principals->table.find(principal);
        for (const Promise& promise : link().plan().promises)
            if (promise.principal == id) return promise.contract.period_ns;
        return 0;
    }
    RingBox box_{{"lan", "wan"}, 2};
};

TEST_F(LiveReservations, ComeAndGoWithoutAnEpoch) {
    const uint32_t epoch = box_.store().current()->epoch;
    const PacedLink *lan = &link(0), *wan = &link();
    ASSERT_TRUE(reserve("a", 1000).ok());
    EXPECT_EQ(period_of("a"), 1'000'000u);
    EXPECT_EQ(&link(0), lan) << "nothing has changed there";
    EXPECT_NE(&link(), wan);
    ASSERT_TRUE(reserve("b", 500).ok());
    EXPECT_EQ(period_of("b"), 2'000'000u);
    EXPECT_EQ(reserve("a", 10).error().message,
              "live reservation r-a: name: 'r-a' is another's too, expected a different one");
    EXPECT_FALSE(reserve("c", 10).ok()) << "nobody has declared it";
    EXPECT_FALSE(reserve("b", 10, "dmz").ok());
    EXPECT_TRUE(release("x").ok()) << "the control plane may know one that no sync could bring";
    ASSERT_TRUE(release("r-a").ok());
    EXPECT_EQ(period_of("a"), 0u);
    EXPECT_EQ(period_of("b"), 2'000'000u);
    EXPECT_EQ(box_.store().current()->epoch, epoch);
    auto crooked = fresh(box_.store().live().serial() + 1);
    model::encode(Node::map(), *crooked.add_reservations()->mutable_grant());
    EXPECT_FALSE(box_.store().change(crooked, Now::read(), 0).ok()) << "without its members";
}

// Its sets would have begun epochs that the snapshot with its links knows nothing of.
TEST_F(LiveReservations, DoNotChangeTogetherWithSets) {
    box_.apply(configuration("sets: {x: {type: prefixes, size: 8}}\n"));
    auto both = fresh(box_.store().live().serial() + 1);
    grant(both, "a", 10);
    both.add_sets()->set_set("x");
    both.mutable_sets(0)->set_action(model::SetChange::FLUSH);
    const Status refused = box_.store().change(both, Now::read(), 0);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message, "reservations change alone, without rules and sets");
    EXPECT_EQ(period_of("a"), 0u);
    EXPECT_TRUE(reserve("a", 10).ok()) << "alone it may";
}

TEST_F(LiveReservations, OutliveGenerationsAndAreAsASyncSays) {
    PolicyStore& store = box_.store();
    ASSERT_TRUE(reserve("a", 1000).ok());
    box_.apply(configuration("sets: {x: {type: prefixes, size: 8}}\n"));
    EXPECT_EQ(period_of("a"), 1'000'000u) << "carried over";
    EXPECT_FALSE(box_.try_apply(configuration("reservations: [{name: r-a, principal: b, out: wan, "
                                              "bytes: 100B, rate: 1pps}]\n"))
                     .ok());
    box_.apply(configuration(), 60'000);
    EXPECT_NE(reserve("b", 10).error().message.find("awaits confirmation"), std::string::npos);
    EXPECT_FALSE(release("r-a").ok());
    ASSERT_TRUE(store.roll_back(Now::read()).ok());
    EXPECT_EQ(period_of("a"), 1'000'000u);
    auto sync = fresh(store.live().serial() + 1);
    sync.set_sync(true);
    grant(sync, "b", 250);
    ASSERT_TRUE(store.change(sync, Now::read(), 0).ok());
    EXPECT_EQ(period_of("a"), 0u);
    EXPECT_EQ(period_of("b"), 4'000'000u);
}

// What is rolled back to is of before the sync: nobody may take it for what the sync said.
TEST_F(LiveReservations, ARollbackBehindASyncAsksForAnother) {
    PolicyStore& store = box_.store();
    ASSERT_TRUE(reserve("a", 1000).ok());
    box_.apply(configuration(), 60'000);
    auto sync = fresh(store.live().serial() + 1);
    sync.set_sync(true);
    grant(sync, "b", 250);
    ASSERT_TRUE(store.change(sync, Now::read(), 0).ok());
    const uint64_t synced = store.live().serial();
    EXPECT_EQ(period_of("b"), 4'000'000u);
    ASSERT_TRUE(store.roll_back(Now::read()).ok());
    EXPECT_EQ(period_of("b"), 0u);
    EXPECT_NE(store.live().serial(), synced);
    auto next = fresh(synced + 1);
    grant(next, "a", 10, "lan");
    EXPECT_FALSE(store.change(next, Now::read(), 0).ok()) << "it builds on what is not there";
    sync.set_generation(store.current()->generation);
    ASSERT_TRUE(store.change(sync, Now::read(), 0).ok());
    EXPECT_EQ(period_of("a"), 0u);
    EXPECT_EQ(period_of("b"), 4'000'000u);
    EXPECT_EQ(store.live().serial(), synced);
    // Without a sync in between the serial stands.
    box_.apply(configuration(), 60'000);
    ASSERT_TRUE(store.roll_back(Now::read()).ok());
    EXPECT_EQ(store.live().serial(), synced);
}

TEST_F(LiveReservations, ChangeUnderTrafficWithoutALoss) {
    rte_mempool* pool = rte_pktmbuf_pool_create("traffic", 4095, 0, sizeof(PacketMeta),
                                                RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ASSERT_NE(pool, nullptr);
    std::vector<Bytes> frames;
    for (unsigned i = 0; i < 16; ++i)
        frames.push_back(parse_packet_text(fmt::format("in=lan udp 10.0.{}.{}:1 > 192.0.2.1:53 "
                                                       "len=400",
                                                       1 + i % 2, i + 1),
                                           {})
                             ->frame);
    std::atomic<bool> stop = false;
    uint64_t sent = 0, arrived = 0;
    const auto take = [&] {
        for (rte_mbuf* frame : box_.receive(1)) {
            rte_pktmbuf_free(frame);
            ++arrived;
        }
    };
    std::thread wire([&] {
        while (!stop.load()) {
            while (sent - arrived - box_.dropped() < 256) {
                const Bytes& bytes = frames[sent % frames.size()];
                rte_mbuf* frame = rte_pktmbuf_alloc(pool);
                if (frame == nullptr) break;
                std::copy(bytes.begin(), bytes.end(),
                          reinterpret_cast<uint8_t*>(
                              rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size()))));
                box_.send(0, frame);
                ++sent;
            }
            take();
        }
        for (unsigned i = 0; i < 5000 && arrived + box_.dropped() < sent; ++i) {
            take();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    for (unsigned i = 0; i < 200; ++i) {
        EXPECT_TRUE(reserve("a", 1000 + i).ok());
        if (i % 2 == 0) {
            EXPECT_TRUE(reserve("b", 100).ok());
            EXPECT_TRUE(release("r-b").ok());
        }
        EXPECT_TRUE(release("r-a").ok());
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    stop.store(true);
    wire.join();
    EXPECT_TRUE(box_.turn());
    EXPECT_GT(sent, 1000u);
    EXPECT_EQ(arrived, sent) << box_.drops();
    EXPECT_EQ(box_.dropped(), 0u) << box_.drops();
    uint64_t counted = 0;
    for (const char* name : {"a", "b"})
        counted +=
            link().usage().get(box_.store().current()->principals->table.find(name), Use::kPackets);
    EXPECT_EQ(counted, sent) << "counted on over six hundred links";
    rte_mempool_free(pool);
}

}  // namespace
}  // namespace ravelin::test
