// SPDX-License-Identifier: Apache-2.0
// Whom flows are charged to, and how many they may be. On one worker and on four, where a flow is
// judged by its owner whatever worker received it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/principal_flows.h"
#include "pipelines/stages/firewall_view.h"
#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kPrincipals = R"(
principals:
  - {name: org, prefixes: [10.0.0.0/8, "2001:db8::/32"]}
  - {name: org/web, prefixes: 10.0.7.0/24}
  - {name: guests, caps: {flows: 3}}
  - {name: other}
)";

/// Two ports of one wire; lan is the guests'.
std::string wire(const std::string& rules, const std::string& principals = kPrincipals) {
    return principals + "mode: wire\nports:\n" +
           "  - {name: lan, device: 'null', principal: guests}\n  - {name: wan, device: 'null'}\n" +
           "pipeline: [parse, wire, {firewall: {rules: [" + rules + "]}}, classify]\n";
}
const std::string kAll = "{name: all, action: accept}";
const std::string kDns =
    "{name: dns, action: accept, protocol: udp, to-ports: 53, "
    "principal: other}, " +
    kAll;

class PrincipalsTest : public BoxTest {
  protected:
    /// Whom the one flow there is of this originator is charged to.
    [[nodiscard]] std::string charged(const std::string& originator) const {
        std::string out = "no flow";
        for (const Flow& flow : flows())
            if (flow.originator() == *IpAddress::parse(originator))
                out = firewall::describe(flow, {}, box_->policy(), 0).principal;
        return out;
    }
    void expect_counted(const std::string& name, uint32_t own, uint32_t all) const {
        const Principals& principals = *box_->policy().principals;
        const auto id = principals.table.find(name);
        EXPECT_EQ(principals.flows->own(id), own) << name;
        EXPECT_EQ(principals.flows->all(id), all) << name;
    }
};

std::string from(const std::string& address, unsigned port = 1000) {
    return "udp " + address + ":" + std::to_string(port) + " > 198.51.100.9:53";
}

TEST_F(PrincipalsTest, ARuleBindsBeforeAPrefixAndThatBeforeAPort) {
    start(wire(kDns));
    in("lan", from("10.0.1.1"));
    in("lan", "tcp 10.0.1.2:1000 > 198.51.100.9:80 syn");
    in("lan", "tcp 10.0.7.2:1000 > 198.51.100.9:80 syn");
    in("lan", "tcp 192.0.2.2:1000 > 198.51.100.9:80 syn");
    in("wan", "tcp 192.0.2.3:1000 > 198.51.100.9:80 syn");
    in("lan", "tcp [2001:db8::2]:1000 > [2001:db9::9]:80 syn");
    EXPECT_EQ(charged("10.0.1.1"), "other");
    EXPECT_EQ(charged("10.0.1.2"), "org");
    EXPECT_EQ(charged("10.0.7.2"), "org/web");
    EXPECT_EQ(charged("192.0.2.2"), "guests");
    EXPECT_EQ(charged("192.0.2.3"), "core");
    EXPECT_EQ(charged("2001:db8::2"), "org");
    expect_counted("org", 2, 3);
    expect_counted("org/web", 1, 1);
    expect_counted("guests", 1, 1);
}

// The side that opened the flow pays, whoever talks.
TEST_F(PrincipalsTest, AnAnswerIsChargedToWhoAsked) {
    start(wire(kAll));
    in("wan", "udp 192.0.2.3:53 > 10.0.7.2:1000");
    in("lan", "udp 10.0.7.2:1000 > 192.0.2.3:53");
    EXPECT_EQ(charged("192.0.2.3"), "core");
    EXPECT_EQ(flows().size(), 1u);
    expect_counted("org/web", 0, 0);
}

TEST_F(PrincipalsTest, AFlowIsChargedAnewUnderTheNextPolicy) {
    start(wire(kAll));
    in("lan", from("10.0.7.2"));
    const auto web = box_->policy().principals->table.find("org/web");
    box_->apply(wire(kAll,
                     "principals: [{name: guests}, {name: lab, prefixes: 10.0.7.0/24}, "
                     "{name: org/web}]\n"));
    EXPECT_EQ(box_->policy().principals->table.find("org/web"), web);
    EXPECT_EQ(charged("10.0.7.2"), "");  // not judged yet
    in("wan", "udp 198.51.100.9:53 > 10.0.7.2:1000");
    EXPECT_EQ(charged("10.0.7.2"), "lab");
    expect_counted("lab", 1, 1);
    expect_counted("org/web", 0, 0);
    expect_counted("org", 0, 0);
    box_->apply(
        "mode: wire\nports: [{name: lan, device: 'null'}, {name: wan, device: 'null'}]\n"
        "pipeline: [parse, wire, {firewall: {rules: [" +
        kAll + "]}}]\n");
    in("lan", from("10.0.7.2"));
    EXPECT_EQ(charged("10.0.7.2"), "");
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{}));
}

// An id goes to nobody else while a flow that was not judged again is counted under it.
TEST_F(PrincipalsTest, AnIdWithFlowsIsNotGivenAway) {
    start(wire(kAll));
    in("lan", from("10.0.7.2"));
    const auto web = box_->policy().principals->table.find("org/web");
    for (const char* name : {"a", "b", "c", "d"}) {
        box_->apply(
            wire(kAll, std::string("principals: [{name: guests}, {name: ") + name + "}]\n"));
        EXPECT_NE(box_->policy().principals->table.find(name), web);
    }
    box_->advance(60'000);  // the flow is over
    for (const char* name : {"e", "f", "g", "h", "i", "j"})
        box_->apply(
            wire(kAll, std::string("principals: [{name: guests}, {name: f}, {name: g}, {name: h}, "
                                   "{name: i}, {name: j}, {name: k") +
                           name + "}]\n"));
    EXPECT_FALSE(box_->policy().principals->name(index(web)).empty());
    expect_counted(box_->policy().principals->name(index(web)), 0, 0);
}

TEST_F(PrincipalsTest, ACapOnFlowsHoldsForTheBoxAndIsGivenBack) {
    start(wire(kAll));
    for (unsigned port = 1; port <= 5; ++port) in("lan", from("192.0.2.2", port));
    EXPECT_EQ(flows().size(), 3u);
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"firewall.principal_flows", 2}}));
    in("lan", from("10.0.1.1"));  // another's
    EXPECT_EQ(flows().size(), 4u);
    box_->advance(60'000);
    in("lan", from("192.0.2.2", 6));
    EXPECT_EQ(flows().size(), 1u);
    expect_counted("guests", 1, 1);
}

TEST_F(PrincipalsTest, ACapHoldsForAllBelow) {
    start(wire(kAll,
               "principals: [{name: guests}, {name: org, caps: {flows: 2}},"
               "{name: org/a, prefixes: 10.0.1.0/24}, {name: org/b, prefixes: 10.0.2.0/24}]\n"));
    for (const char* host : {"10.0.1.1", "10.0.2.1", "10.0.1.2", "10.0.2.2"}) in("lan", from(host));
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"firewall.principal_flows", 2}}));
    expect_counted("org", 0, 2);
    expect_counted("org/a", 1, 1);
    expect_counted("org/b", 1, 1);
}

// A policy that does not come into force, or goes again, leaves those in force where they are.
TEST_F(PrincipalsTest, ATrialOfAnotherPolicyMovesNobody) {
    const std::string org =
        "principals: [{name: guests}, {name: org, caps: {flows: 2}}, "
        "{name: org/a, prefixes: 10.0.1.0/24}]\n";
    start(wire(kAll, org));
    EXPECT_ANY_THROW(box_->apply(
        wire("{name: a, action: accept, principal: org/a}", "principals: [{name: guests}]\n")));
    in("lan", from("10.0.1.1"));
    expect_counted("org", 0, 1);
    box_->apply(wire(kAll, "principals: [{name: guests}]\n"));
    box_->apply(wire(kAll, org));
    for (unsigned port = 1; port <= 4; ++port) in("lan", from("10.0.1.1", port));
    expect_counted("org", 0, 2);
    EXPECT_EQ(flows().size(), 3u) << "and the first, not judged again since org went and came";
}

TEST_F(PrincipalsTest, ClassifyStaysBehindTheFirewallThatItWasBehind) {
    start(wire(kAll));
    std::string swapped = wire(kAll);
    const size_t at = swapped.find("{firewall");
    swapped.insert(at, "classify, ");
    swapped.erase(swapped.rfind(", classify"), std::string(", classify").size());
    EXPECT_ANY_THROW(box_->apply(swapped));
}

std::string error_of(const std::string& yaml) {
    try {
        (void)backend().make(yaml, true);
    } catch (const std::exception& error) {
        return error.what();
    }
    return "accepted";
}

TEST_F(PrincipalsTest, RefusesWhoIsNotDeclaredAndWhatIsBoundTwice) {
    EXPECT_THAT(error_of(wire(kAll, "principals: [{name: x}]\n")),
                HasSubstr("ports[0]: principal: found 'guests', expected one declared"));
    EXPECT_THAT(
        error_of(wire("{name: a, action: accept, principal: nobody}")),
        AllOf(HasSubstr("rules[0] 'a'"), HasSubstr("principal: found 'nobody', expected one")));
    EXPECT_THAT(error_of(wire("{name: a, action: accept, principal: core}")),
                HasSubstr("principal: found 'core'"));
    EXPECT_THAT(error_of(wire(kAll,
                              "principals: [{name: guests, prefixes: 10.0.0.0/8}, "
                              "{name: b, prefixes: 10.0.0.0/8}]\n")),
                HasSubstr("principals[1]: prefixes: 10.0.0.0/8 is bound to 'guests' too"));
    EXPECT_THAT(error_of(wire(kAll, "principals: [{name: guests}, {name: a//b}]\n")),
                HasSubstr("principals[1]: name: found 'a//b'"));
}

}  // namespace
}  // namespace ravelin::test
