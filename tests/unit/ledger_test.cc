// SPDX-License-Identifier: Apache-2.0
// Reservations of a configuration and of operators: granted, refused, entered again, given back.
#include "controlplane/reservations/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ravelin::control {
namespace {

using config::Node;
using ::testing::HasSubstr;

constexpr int64_t kMs = 1'000'000;

struct Asked {
    const char* name = "org/web";
    const char* cpu = nullptr;
    const char* bytes = "1500";
    int64_t rate = 10'000, deadline = 2 * kMs;
    const char* in = nullptr;
    const char* out = "wan";
};

Node reservation(const Asked& asked) {
    Node node = Node::map();
    const auto text = [&](const char* member, const char* value) {
        if (value != nullptr) node.set(member, Node::text(value));
    };
    text("name", asked.name);
    text("cpu", asked.cpu);
    text("bytes", asked.bytes);
    node.set("rate", Node::integer(asked.rate));
    if (asked.deadline != 0) node.set("deadline", Node::integer(asked.deadline));
    text("in", asked.in);
    text("out", asked.out);
    return node;
}

Node port(const char* name, int64_t rate, const char* parent = nullptr) {
    Node node = Node::map();
    node.set("name", Node::text(name));
    if (rate != 0) node.set("rate", Node::integer(rate));
    if (parent == nullptr) return node;
    node.set("parent", Node::text(parent));
    node.set("vlan", Node::text("10.20"));
    return node;
}

/// wan sends `rate` bits/s, lan as it likes; wan.10 stands on wan with two tags.
Node tree(std::vector<Node> reservations = {}, int64_t rate = 1'000'000'000) {
    Node out = Node::map(), ports = Node::list(), principals = Node::list(), list = Node::list();
    for (Node& node : std::vector{port("lan", 0), port("wan", rate), port("wan.10", 0, "wan")})
        ports.add(std::move(node));
    for (const char* name : {"org/web", "org/voice", "org/bulk"}) {
        Node principal = Node::map();
        principal.set("name", Node::text(name));
        principals.add(std::move(principal));
    }
    for (Node& node : reservations) list.add(std::move(node));
    out.set("mode", Node::text("router"));
    out.set("ports", std::move(ports));
    out.set("principals", std::move(principals));
    out.set("reservations", std::move(list));
    return out;
}

std::string refusal(const Ledger& ledger, const Asked& asked) {
    const auto decided = ledger.decide(reservation(asked));
    EXPECT_FALSE(decided);
    return decided ? "" : decided.error().message;
}

/// Decides and enters.
Node grant(Ledger& ledger, const Asked& asked) {
    const auto decided = ledger.decide(reservation(asked));
    EXPECT_TRUE(decided) << decided.error().message;
    EXPECT_TRUE(ledger.enter(*decided));
    return *decided;
}

TEST(Ledger, GrantsWhatALinkCanKeep) {
    Ledger ledger(tree(), {});
    const Node granted = grant(ledger, {});
    EXPECT_EQ(granted["link-time"].as_integer(), 2 * kMs);
    EXPECT_TRUE(ledger.has("org/web"));
    // 10,000 packets of 1,500 bytes and 38 that the wire takes beside.
    EXPECT_EQ(ledger.use().front().used, 15'380'000u);
    EXPECT_EQ(ledger.use().front().capacity, 125'000'000u);
    EXPECT_EQ(ledger.use().front().resource, "port wan");
}

TEST(Ledger, ARefusalNamesThePortAndTheNearestContract) {
    Ledger ledger(tree(), {});
    grant(ledger, {});
    const std::string rate = refusal(ledger, {.name = "org/bulk", .rate = 80'000});
    EXPECT_THAT(rate, HasSubstr("port wan has not 1538 bytes on the wire every 12.5 us to spare"));
    EXPECT_THAT(rate, HasSubstr("with one packet in"));
    const std::string time = refusal(ledger, {.name = "org/bulk", .rate = 100, .deadline = 50'000});
    EXPECT_THAT(time, HasSubstr("port wan binds"));
    EXPECT_THAT(time, HasSubstr("; with a deadline of "));
}

TEST(Ledger, RefusesWhatNobodyWouldKeep) {
    const Ledger ledger(tree(), {});
    EXPECT_THAT(refusal(ledger, {.out = "lan"}), HasSubstr("out: port lan has no rate"));
    EXPECT_THAT(refusal(ledger, {.cpu = "600cyc/pkt"}), HasSubstr("cpu: found cycles to reserve"));
    EXPECT_THAT(refusal(ledger, {.cpu = "shared-with org/voice"}), HasSubstr("cpu: found cycles"));
    EXPECT_THAT(refusal(ledger, {.bytes = "shared-with org/voice"}),
                HasSubstr("port wan serves nobody from another's reservation"));
    EXPECT_THAT(refusal(ledger, {.name = "org/x"}),
                HasSubstr("name: found 'org/x', expected a principal of the policy"));
    EXPECT_THAT(refusal(ledger, {.out = "dmz"}), HasSubstr("out: found 'dmz'"));
    EXPECT_THAT(refusal(ledger, {.in = "dmz"}), HasSubstr("in: found 'dmz'"));
}

TEST(Ledger, SaysWhatIsWrittenWrong) {
    const Ledger ledger(tree(), {});
    EXPECT_THAT(refusal(ledger, {.bytes = "1500KB"}),
                HasSubstr("bytes: found '1500KB', expected 1 to 9600, like 1500, or shared-with"));
    EXPECT_THAT(refusal(ledger, {.bytes = "0"}), HasSubstr("bytes: found '0'"));
    EXPECT_THAT(refusal(ledger, {.cpu = "600 cycles"}), HasSubstr("cpu: found '600 cycles'"));
    EXPECT_THAT(refusal(ledger, {.out = nullptr}), HasSubstr("out: is missing"));
    EXPECT_THAT(refusal(ledger, {.bytes = nullptr}), HasSubstr("bytes: is missing"));
    EXPECT_THAT(refusal(ledger, {.bytes = nullptr, .out = nullptr}),
                HasSubstr("found neither cpu nor bytes"));
}

TEST(Ledger, ASubInterfaceTakesOfItsParentWithItsTags) {
    Ledger ledger(tree(), {});
    grant(ledger, {.bytes = "1500B", .out = "wan.10"});
    ASSERT_EQ(ledger.use().size(), 1u);
    EXPECT_EQ(ledger.use().front().used, 15'460'000u);
}

TEST(Ledger, TheLeastOfMeasuredAndDeclaredCounts) {
    const Ledger slow(tree(), {.links = {{"wan", 10'000'000}}});
    EXPECT_EQ(slow.use().front().capacity, 10'000'000u);
    EXPECT_THAT(refusal(slow, {}), HasSubstr("port wan has not 1538 bytes"));
    const Ledger fast(tree(), {.links = {{"wan", 1'250'000'000}}});
    EXPECT_EQ(fast.use().front().capacity, 125'000'000u);
    // What the worker may not look at the port for is not there to be promised.
    const Ledger sleepy(tree(), {.wake = 3 * kMs});
    EXPECT_THAT(refusal(sleepy, {}), HasSubstr("port wan binds"));
}

TEST(Ledger, ReleaseGivesBackExactly) {
    Ledger ledger(tree(), {});
    grant(ledger, {});
    const Asked tight{.name = "org/voice", .bytes = "200", .rate = 1, .deadline = 100'000};
    const auto before = ledger.decide(reservation(tight));
    ASSERT_TRUE(before);
    const std::string refused = refusal(ledger, {.name = "org/voice", .rate = 80'000});
    grant(ledger, {.name = "org/bulk", .rate = 60'000, .deadline = 5 * kMs});
    EXPECT_NE(refusal(ledger, {.name = "org/voice", .rate = 80'000}), refused);
    ASSERT_TRUE(ledger.release("org/bulk", false));
    EXPECT_EQ(refusal(ledger, {.name = "org/voice", .rate = 80'000}), refused);
    EXPECT_EQ(*ledger.decide(reservation(tight)), *before);
    EXPECT_EQ(ledger.use().front().used, 15'380'000u);
    EXPECT_THAT(ledger.release("org/bulk", false).error().message, HasSubstr("has no reservation"));
}

TEST(Ledger, WhatWasGrantedIsEnteredAgainAsItWas) {
    Ledger ledger(tree(), {});
    const std::vector<Node> granted{grant(ledger, {}), grant(ledger, {.name = "org/voice"})};
    Ledger again(tree(), {});
    for (const Node& node : granted) ASSERT_TRUE(again.enter(node));
    EXPECT_EQ(again.use().front().used, ledger.use().front().used);
    EXPECT_FALSE(again.enter(granted[0])) << "twice";
    EXPECT_TRUE(again.holds());
    EXPECT_THAT(again.enter(reservation({.name = "org/bulk"})).error().message,
                HasSubstr("link-time: is missing"));
}

TEST(Ledger, APolicysReservationsAreGrantedInOrder) {
    Node wanted = tree({reservation({}), reservation({.name = "org/bulk", .rate = 80'000})});
    const auto refused = admit_all(wanted, Node::map(), {}, {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("reservations[1]: port wan has not"));
    Node fits = tree({reservation({}), reservation({.name = "org/bulk", .rate = 60'000})});
    const auto ledger = admit_all(fits, Node::map(), {}, {});
    ASSERT_TRUE(ledger);
    EXPECT_EQ(ledger->size(), 2u);
    EXPECT_TRUE(fits["reservations"].items()[1].has("link-time"));
}

TEST(Ledger, WhoStaysKeepsItsTimeAndNobodyWhoCameLiveIsLost) {
    Node before = tree({reservation({})});
    auto first = admit_all(before, Node::map(), {}, {});
    ASSERT_TRUE(first);
    std::vector<Node> items = before["reservations"].items();
    items[0].set("link-time", Node::integer(kMs));  // as another version might have split it
    const Node was = tree(items);
    const Node live = *first->decide(reservation({.name = "org/voice", .rate = 20'000}));
    Node next = tree({reservation({.name = "org/bulk", .rate = 60'000}), reservation({})});
    EXPECT_THAT(admit_all(next, was, {live}, {}).error().message,
                HasSubstr("reservations[0]: port wan has not"));
    Node again = tree({reservation({.name = "org/bulk", .rate = 10'000}), reservation({})});
    const auto ledger = admit_all(again, was, {live}, {});
    ASSERT_TRUE(ledger) << ledger.error().message;
    EXPECT_EQ(ledger->size(), 3u);
    EXPECT_EQ(again["reservations"].items()[1]["link-time"].as_integer(), kMs);
}

TEST(Ledger, ALowerRateIsRefusedWhileReservationsNeedMore) {
    Node before = tree({reservation({})});
    auto first = admit_all(before, Node::map(), {}, {});
    ASSERT_TRUE(first);
    Node slower = tree({reservation({})}, 100'000'000);
    EXPECT_THAT(admit_all(slower, before, {}, {}).error().message,
                HasSubstr("port wan: not all reservations would keep their deadlines"));
    Node without = tree({}, 0);
    const Node live = *first->decide(reservation({.name = "org/voice"}));
    EXPECT_THAT(admit_all(without, before, {live}, {}).error().message,
                HasSubstr("reservation 'org/voice' would not be kept, release it first: out: port "
                          "wan has no rate"));
}

}  // namespace
}  // namespace ravelin::control
