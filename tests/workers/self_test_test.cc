// SPDX-License-Identifier: Apache-2.0
// Proofs of rules on a running box: what each says of a policy, and that the box notices nothing.
#include <gmock/gmock.h>

#include <map>

#include "dataplane/process/rule_proof.h"
#include "tests/support/live_rule.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

using ::testing::HasSubstr;

std::string configuration(const std::string& rules, const std::string& sets = "",
                          const std::string& end = "drop") {
    return R"(
workers: {count: 2, poll: adaptive, buffers: 1024, flows: 1024, hugepages: "off"}
ports:
  - {name: lan, device: net_ring_lan, addresses: [10.0.1.1/24, "2001:db8:1::1/64"], rpf: strict}
  - {name: wan, device: net_ring_wan, addresses: [198.51.100.1/24, "2001:db8:2::1/64"]}
)" + sets + R"(
pipeline:
  - parse
  - steer
  - route: {routes: [{to: 0.0.0.0/0, via: 198.51.100.2}, {to: "::/0", via: "2001:db8:2::2"}]}
  - firewall:
      default: )" +
           end + "\n      rules:\n" + rules + "  - neighbour\n  - local\n  - rewrite\n";
}

class SelfTest : public ::testing::Test {
  protected:
    SelfTest() : box_({"lan", "wan"}, 2) {}
    void prove(const std::string& rules, const std::string& sets = "",
               const std::string& end = "drop") {
        box_.apply(configuration(rules, sets, end));
        prove_all();
    }
    void prove_all() {
        proofs_.clear();
        auto spare = SparePipeline::make(*box_.store().appliance());
        ASSERT_TRUE(spare.ok()) << spare.error().message;
        uint32_t next = 0;
        do {
            // No time at all: one rule a call.
            auto some = prove_rules(**spare, *box_.store().current(), next, 0);
            ASSERT_TRUE(some.ok()) << some.error().message;
            ASSERT_EQ(some->rules.size(), 1u);
            proofs_[some->rules[0].rule] = some->rules[0];
            next = some->next;
        } while (next != 0);
    }
    std::string proof(const std::string& rule) {
        return std::string(name_of(proofs_.at(rule).proof));
    }
    RingBox box_;
    std::map<std::string, RuleProof> proofs_;
};

TEST_F(SelfTest, RulesOfEveryDimensionHold) {
    prove(R"(
        - {name: telnet, action: drop, protocol: tcp, to-ports: 23}
        - {name: hosts, action: drop, from: [10.0.1.64/26, "2001:db8:1:0:5::/80"]}
        - {name: far, action: reject, to: [203.0.113.0/24, 192.0.2.9]}
        - {name: types, action: drop, protocol: [icmp, icmp6], icmp-types: [redirect, time-exceeded], state: invalid}
        - {name: pings, action: drop, icmp-types: echo-request, in: wan}
        - {name: to-box, action: drop, out: local, protocol: udp}
        - {name: other, action: drop, protocol: [gre, esp, sctp]}
        - {name: odd, action: drop, protocol: tcp, tcp-flags: syn/syn, ttl: 1-5}
        - {name: marked, action: drop, dscp: [ef, cs6], length: 900-1200}
        - {name: pieces, action: drop, fragment: true}
        - {name: six, action: drop, family: ip6, to-ports: 1000-2000, protocol: udp}
        - {name: strays, action: drop, protocol: tcp, state: invalid}
        - {name: web, action: accept, from: 10.0.1.0/26, protocol: tcp, to-ports: [80, 443]}
        - {name: out, action: accept, in: lan, out: wan, protocol: udp}
)");
    for (const char* rule : {"telnet", "hosts", "far", "types", "pings", "to-box", "other", "odd",
                             "marked", "pieces", "six", "strays", "web", "out", "default"})
        EXPECT_EQ(proof(rule), "holds")
            << rule << ' ' << proofs_[rule].by << ' ' << proofs_[rule].packet;
    EXPECT_THAT(proofs_["telnet"].packet, HasSubstr(":23 "));
}

TEST_F(SelfTest, ARuleThatDeniesNothingIsNamedWithWhoPassesItsPackets) {
    prove(R"(
        - {name: all-tcp, action: accept, protocol: tcp}
        - {name: telnet, action: drop, protocol: tcp, to-ports: 23}
        - {name: no-udp, action: drop, protocol: udp}
        - {name: no-dns, action: reject, protocol: udp, to-ports: 53}
        - {name: part-1, action: accept, protocol: icmp, from: 10.0.1.0/25}
        - {name: part-2, action: accept, protocol: icmp, from: 10.0.1.128/25}
        - {name: both, action: drop, protocol: icmp, from: 10.0.1.0/24}
)");
    EXPECT_EQ(proof("telnet"), "shadowed");
    EXPECT_EQ(proofs_["telnet"].by, "all-tcp");
    EXPECT_EQ(proof("both"), "shadowed") << "covered by two rules, which no pairwise search finds";
    EXPECT_THAT(proofs_["both"].by, HasSubstr("part-"));
    EXPECT_EQ(proof("no-dns"), "covered") << "another denies them";
    EXPECT_EQ(proofs_["no-dns"].by, "no-udp");
    EXPECT_EQ(proof("no-udp"), "holds");
}

TEST_F(SelfTest, WhatCannotBeShownIsSaid) {
    prove(R"(
        - {name: off, action: drop, protocol: tcp, disabled: true}
        - {name: empty, action: drop, from: "@nobody"}
        - {name: listed, action: drop, from: "@bad"}
        - {name: flood, action: drop, protocol: udp, limit: {rate: 10pps, over: true}}
        - {name: answers, action: drop, protocol: tcp, state: related}
)",
          "sets: {nobody: [], bad: {type: prefixes, size: 16}}");
    EXPECT_EQ(proof("off"), "off");
    EXPECT_EQ(proof("empty"), "off");
    EXPECT_EQ(proof("listed"), "unproved") << "nothing is in the set";
    EXPECT_EQ(proof("flood"), "unproved");
    EXPECT_EQ(proof("answers"), "unproved");
}

TEST_F(SelfTest, NothingIsCountedAndNoFlowIsOpened) {
    prove(
        "        - {name: all, action: accept, limit: {rate: 1pps, burst: 1}}\n"
        "        - {name: rest, action: drop, protocol: tcp}\n");
    ASSERT_TRUE(box_.turn());
    EXPECT_GT(proofs_["all"].tried, 0u);
    EXPECT_EQ(box_.dropped(), 0u) << box_.drops();
    for (const char* counter : {"flows.created", "rx_packets", "tx_packets"})
        EXPECT_EQ(box_.counter(counter), 0u) << counter;
    for (const auto& worker : box_.store().appliance()->workers())
        for (uint32_t slot = 0; slot < limits::kMaxRules; ++slot)
            ASSERT_EQ(worker->context().counters.rule(slot).packets, 0u) << slot;
}

TEST_F(SelfTest, LiveRulesAreProvedInTheirPlaces) {
    constexpr uint32_t kSlot = 900;
    prove("        - {name: web, action: accept, protocol: tcp, to-ports: 80}\n");
    auto first = rule_added("{name: stop, action: drop, protocol: tcp, from: 10.0.1.64/26}", kSlot);
    first.set_place(model::RuleChange::FIRST);
    ASSERT_TRUE(change_rule(box_.store(), first).ok());
    ASSERT_TRUE(change_rule(box_.store(),
                            rule_added("{name: late, action: drop, protocol: tcp, to-ports: 80, "
                                       "in: wan}",
                                       kSlot + 1))
                    .ok());
    for (const bool merged : {false, true}) {
        for (int i = 0; merged && i < 1000 && box_.store().live().merges() == 0; ++i) {
            box_.store().merge_rules(kInAPause);
            ASSERT_TRUE(box_.turn());
        }
        EXPECT_EQ(box_.store().live().merges(), merged ? 1u : 0u);
        prove_all();
        EXPECT_EQ(proof("stop"), "holds") << merged << proofs_["stop"].packet;
        EXPECT_EQ(proofs_["stop"].action, "drop");
        EXPECT_EQ(proof("late"), "shadowed") << merged;
        EXPECT_EQ(proofs_["late"].by, "web");
    }
    ASSERT_TRUE(change_rule(box_.store(), rule_removed("web")).ok());
    prove_all();
    EXPECT_EQ(proofs_.count("web"), 0u);
    EXPECT_EQ(proof("late"), "holds");
}

TEST_F(SelfTest, ADefaultIsNotBlamedForWhatRulesAccept) {
    prove("        - {name: everything, action: accept}\n");
    EXPECT_EQ(proof("default"), "covered");
}

TEST_F(SelfTest, ADefaultThatAcceptsDeniesNothing) {
    prove("        - {name: telnet, action: drop, protocol: tcp, to-ports: 23}\n", "", "accept");
    EXPECT_EQ(proof("telnet"), "holds");
    EXPECT_EQ(proof("default"), "holds");
    EXPECT_EQ(proofs_["default"].action, "accept");
}

}  // namespace
}  // namespace ravelin::test
