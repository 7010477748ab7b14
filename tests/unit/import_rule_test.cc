// SPDX-License-Identifier: Apache-2.0
// Single rules of iptables-save whose words say more than they seem to.
#include "tests/unit/import_fixture.h"

namespace ravelin::import {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ImportRule : public ImportFixture {};

TEST_F(ImportRule, MatchesBehindTheTargetAreMatches) {
    take(filter(kAnswers + "-A INPUT -j ACCEPT -s 10.0.0.0/8\n"
                           "-A INPUT -p tcp -j ACCEPT --dport 22\n"
                           "-A INPUT -p udp -j ACCEPT -m limit --limit 3/min\n"
                           "-A INPUT -p udp -j ACCEPT -m mac --mac-source 02:00:00:00:00:01\n"
                           "-A INPUT -p gre -j REJECT --reject-with icmp-port-unreachable -d "
                           "10.1.1.1/32 -m comment --comment said\n"));
    EXPECT_THAT(rule("INPUT-7"), HasSubstr("from: 10.0.0.0/8"));
    EXPECT_THAT(rule("INPUT-8"), HasSubstr("protocol: tcp, to-ports: 22"));
    EXPECT_THAT(rule("INPUT-9"), HasSubstr("limit: {every: 20000000us}"));
    EXPECT_EQ(rule("INPUT-10"), "");
    EXPECT_THAT(rule("said"), HasSubstr("to: 10.1.1.1/32"));
    EXPECT_THAT(lost(), Contains("10: left out: no counterpart of -m mac"));
}

TEST_F(ImportRule, MatchesBehindATranslationAreMatches) {
    take(
        "*nat\n:PREROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -d 192.0.2.1/32 -j DNAT --to-destination 10.0.1.2 --persistent -p tcp "
        "--dport 80 -s 10.9.0.0/16\nCOMMIT\n" +
        filter(""));
    EXPECT_THAT(rule("PREROUTING-3"),
                AllOf(HasSubstr("from: 10.9.0.0/16"), HasSubstr("protocol: tcp, to-ports: 80"),
                      HasSubstr("address: 10.0.1.2/32")));
}

TEST_F(ImportRule, ALogsTextIsNoMatch) {
    take(filter(kAnswers + "-A FORWARD -p udp -j LOG --log-prefix \"-- denied: \" --log-level 4\n"
                           "-A FORWARD -p udp -j DROP\n"));
    EXPECT_THAT(rule("FORWARD-8"), HasSubstr("log: true"));
    EXPECT_THAT(lost(), IsEmpty());
}

// Here are IGMP and ICMP without flows untracked; in Linux nothing in IPv4 is.
TEST_F(ImportRule, UntrackedMeansSomethingElseThere) {
    take(filter("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,UNTRACKED -j ACCEPT\n"));
    EXPECT_THAT(rule("INPUT-5"), HasSubstr("state: [related]"));
    for (const std::string& line : rules_) EXPECT_THAT(line, Not(HasSubstr("untracked")));
    EXPECT_TRUE(std::ranges::any_of(out_.remarks, [](const Remark& r) {
        return r.why.starts_with("UNTRACKED is left out") && !r.lost;
    }));
    take(filter("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,UNTRACKED -j ACCEPT\n"), true);
    EXPECT_THAT(rules_, Contains(HasSubstr("protocol: icmp6, icmp-type-numbers: [130, 131, 132, "
                                           "133, 134, 135, 136, 143], state: [untracked]")));
}

TEST_F(ImportRule, ANewStateHoldsTheRequestsThatLinuxTracks) {
    take(filter(kAnswers + "-A INPUT -p icmp -m state --state NEW,UNTRACKED -j ACCEPT\n"));
    EXPECT_THAT(rule("INPUT-7"), HasSubstr("protocol: icmp, state: [new]"));
    EXPECT_THAT(rule("INPUT-7-2"),
                HasSubstr("icmp-type-numbers: [13, 15, 17], state: [untracked]"));
}

TEST_F(ImportRule, WhatLinuxCallsInvalidIsDeniedThoughItIsUntrackedHere) {
    const std::string invalid =
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
        "-A INPUT -m conntrack --ctstate INVALID -j DROP\n";
    take(filter(invalid + "-A INPUT -p icmp -j ACCEPT\n"));
    EXPECT_THAT(rule("INPUT-6"), HasSubstr("state: [invalid]"));
    EXPECT_THAT(rule("INPUT-6-2"),
                AllOf(HasSubstr("action: drop"), HasSubstr("protocol: icmp, icmp-type-numbers: "),
                      HasSubstr("[1, 2, 6, 7, 9, 10, 14, 16, 18, 19, 20,"), HasSubstr(", 255]"),
                      HasSubstr("state: [untracked]")));
    take(filter(invalid + "-A INPUT -p tcp -j ACCEPT\n"));
    EXPECT_EQ(rule("INPUT-6-2"), "") << "nothing behind it accepts ICMP";
    take(filter(invalid + "-A INPUT -p ipv6-icmp -j ACCEPT\n"), true);
    EXPECT_THAT(rule("INPUT-6-2"), HasSubstr("icmp-type-numbers: [137, 138, 140, 141, 142, 144,"));
}

TEST_F(ImportRule, AStatelessAcceptIsForAllStatesOnly) {
    take(filter("-A FORWARD -i lan -o wan -m state --state NEW,ESTABLISHED -j ACCEPT\n"));
    EXPECT_EQ(rule("FORWARD-5"), "");
    EXPECT_THAT(lost(), Contains("5: left out: no rule accepts the answers"));
    take(
        filter("-A FORWARD -i lan -p udp -m state --state ESTABLISHED -j DROP\n"
               "-A FORWARD -i lan -o wan -p udp -j ACCEPT\n"));
    EXPECT_EQ(rule("FORWARD-6"), "");
    EXPECT_THAT(lost(), Contains("6: left out: a rule before it denies parts of its flows"));
}

// It is decremented before FORWARD there, behind the firewall here.
TEST_F(ImportRule, ForwardSeesTheHopLimitLessOne) {
    take(
        "*mangle\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -m ttl --ttl-lt 5 -j DROP\n-A POSTROUTING -m ttl --ttl-eq 7 -j DROP\n"
        "COMMIT\n" +
        filter("-A INPUT -m ttl --ttl-lt 5 -j DROP\n"
               "-A FORWARD -m ttl --ttl-gt 100 -j DROP\n"
               "-A FORWARD -m ttl --ttl-eq 255 -j ACCEPT\n",
               "ACCEPT", "ACCEPT"));
    EXPECT_THAT(rule("PREROUTING-4"), HasSubstr("ttl: 0-4"));
    EXPECT_THAT(rule("POSTROUTING-5"), HasSubstr("ttl: 8-8"));
    EXPECT_THAT(rule("INPUT-11"), HasSubstr("ttl: 0-4"));
    EXPECT_THAT(rule("FORWARD-12"), HasSubstr("ttl: 102-255"));
    EXPECT_EQ(rule("FORWARD-13"), "");
}

TEST_F(ImportRule, RatesAreNeverRoundedUp) {
    take(
        filter("-A INPUT -p udp -m limit --limit 7/min -j ACCEPT\n"
               "-A INPUT -p tcp -m hashlimit --hashlimit-upto 1/sec --hashlimit-mode srcip "
               "--hashlimit-name a -m limit --limit 1000/sec -j ACCEPT\n"
               "-A INPUT -p gre -m limit -j ACCEPT\n",
               "DROP", "DROP"));
    EXPECT_THAT(rule("INPUT-5"), HasSubstr("every: 8571429us"));
    EXPECT_EQ(rule("INPUT-6") + rule("INPUT-7"), "");
    EXPECT_THAT(lost(), Contains("6: left out: no counterpart of two rates"));
    EXPECT_THAT(lost(), Contains("7: left out: no counterpart of a rate nobody says"));
}

TEST_F(ImportRule, WhatATargetChangesIsNotMatched) {
    take(
        "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j DSCP --set-dscp 10\n"
        "COMMIT\n" +
        filter("-A INPUT -p udp -m dscp --dscp 10 -j DROP\n"
               "-A INPUT -p tcp -m dscp --dscp 46 -j ACCEPT\n",
               "DROP", "ACCEPT"));
    EXPECT_EQ(rule("INPUT-9"),
              "{name: INPUT-9, action: drop, family: ip4, out: local, protocol: udp}");
    EXPECT_EQ(rule("INPUT-10"), "");
    EXPECT_THAT(lost(), Contains(HasSubstr("no counterpart of dscp, which a target changes")));
}

TEST_F(ImportRule, WhatIsNotTrackedIsDenied) {
    take(
        "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j CT --notrack\n"
        "-A PREROUTING -p udp --dport 53 -j NOTRACK\n-A PREROUTING -p tcp -j CT --zone 1\n"
        "COMMIT\n" +
        filter("-A INPUT -p tcp -m state --state NEW,ESTABLISHED -j ACCEPT\n"));
    EXPECT_THAT(rule("PREROUTING-3"), AllOf(HasSubstr("drop"), HasSubstr("to-ports: 80")));
    EXPECT_THAT(rule("PREROUTING-4"), AllOf(HasSubstr("drop"), HasSubstr("to-ports: 53")));
    EXPECT_EQ(rule("PREROUTING-5"), "");
    EXPECT_THAT(lost(), Contains(HasSubstr("3: target CT has no counterpart; its packets are")));
}

}  // namespace
}  // namespace ravelin::import
