// SPDX-License-Identifier: Apache-2.0
// Single rules of iptables-save whose words say more than they seem to.
#include "tests/unit/import_fixture.h"

namespace ravelin::import {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace ravelin::import
