// SPDX-License-Identifier: Apache-2.0
// iptables-save files as configurations: what is said, what is left out, and that the outcome
// loads.
#include <filesystem>
#include <fstream>

#include "tests/support/data.h"
#include "tests/unit/import_fixture.h"

namespace ravelin::import {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Import : public ImportFixture {};

TEST_F(Import, ARouterWhoseAnswersAreAccepted) {
    take(filter(kAnswers +
                "-A FORWARD -i lan -o wan -j ACCEPT\n"
                "-A FORWARD -i wan -o lan -d 10.0.1.2/32 -p tcp -m tcp --dport 80 "
                "-m comment --comment \"the web server\" -j ACCEPT\n"
                "-A INPUT -i lan -p tcp -m multiport --dports 22,8000:8100 -m state --state NEW "
                "-j ACCEPT\n"
                "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n"));
    EXPECT_THAT(lost(), IsEmpty());
    EXPECT_THAT(
        rules_,
        ElementsAre(
            "{name: FORWARD-5, action: accept, family: ip4, out: [lan, wan], state: [related]}",
            "{name: FORWARD-7, action: accept, family: ip4, in: lan, out: wan}",
            "{name: the-web-server, action: accept, family: ip4, in: wan, out: lan, "
            "to: 10.0.1.2/32, protocol: tcp, to-ports: 80}",
            "{name: FORWARD-10, action: reject, family: ip4, out: [lan, wan]}",
            "{name: forward-policy, action: drop, family: ip4, out: [lan, wan]}",
            "{name: INPUT-6, action: accept, family: ip4, out: local, state: [related]}",
            "{name: INPUT-9, action: accept, family: ip4, in: lan, out: local, "
            "protocol: tcp, to-ports: [22, 8000-8100], state: [new]}",
            "{name: input-policy, action: drop, family: ip4, out: local}"));
}

TEST_F(Import, WithoutARuleForAnswersEachPacketIsJudgedByItself) {
    take(
        filter("-A FORWARD -i lan -o wan -p udp --dport 514 -j ACCEPT\n"
               "-A FORWARD -i lan -o wan -p tcp -m state --state NEW -j ACCEPT\n"));
    ASSERT_EQ(rules_.size(), 3u);
    EXPECT_THAT(rules_[0], HasSubstr("to-ports: 514, stateful: false}"));
    EXPECT_THAT(lost(), Contains(HasSubstr("left out: no rule accepts the rest of its flows")));
}

TEST_F(Import, AnswersOfOneDirectionMakeItsFlowsLive) {
    take(
        filter("-A FORWARD -i lan -o wan -j ACCEPT\n"
               "-A FORWARD -i wan -o lan -m state --state ESTABLISHED -j ACCEPT\n"
               "-A FORWARD -i wan -o dmz -j ACCEPT\n"));
    EXPECT_THAT(rules_[0], AllOf(HasSubstr("in: lan, out: wan"), Not(HasSubstr("stateful"))));
    EXPECT_THAT(rules_[1], AllOf(HasSubstr("in: wan, out: dmz"), HasSubstr("stateful: false")));
}

TEST_F(Import, ADenialOfAnswersDeniesTheFlow) {
    take(filter("-A FORWARD -s 192.0.2.0/24 -j DROP\n" + kAnswers +
                "-A FORWARD -i lan -o wan -j ACCEPT\n"));
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("-unanswered"), HasSubstr("in: lan, out: wan"),
                                       HasSubstr("to: 192.0.2.0/24"), HasSubstr("action: drop"))));
    EXPECT_THAT(lost(), Contains(HasSubstr("denied from their first packet on")));
}

TEST_F(Import, ChainsReturnsAndNegationsAreExact) {
    take("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:hosts - [0:0]\n" + kAnswers +
         "-A FORWARD -i lan -p tcp -j hosts\n"
         "-A hosts ! -s 10.0.1.0/24 -j RETURN\n"
         "-A hosts -m iprange --dst-range 10.9.0.1-10.9.0.6 -j ACCEPT\n"
         "-A hosts -p tcp ! --dport 25 -j ACCEPT\nCOMMIT\n");
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("from: 10.0.1.0/24"),
                                       HasSubstr("to: [10.9.0.1/32, 10.9.0.2/31, 10.9.0.4/31, "
                                                 "10.9.0.6/32], protocol: tcp"))));
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("from: 10.0.1.0/24"),
                                       HasSubstr("to-ports: [0-24, 26-65535]"))));
    EXPECT_THAT(lost(), IsEmpty());
}

TEST_F(Import, WhatCannotBeSaidIsNeverMoreOpen) {
    take(filter(kAnswers + "-A FORWARD -m set --match-set bad src -p udp -j DROP\n"
                           "-A FORWARD -m mac --mac-source 02:00:00:00:00:01 -j ACCEPT\n"
                           "-A FORWARD -p icmp --icmp-type 3/4 -j ACCEPT\n"
                           "-A FORWARD -p tcp -j QUEUE\n"));
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("action: drop"), HasSubstr("protocol: udp"))));
    for (const std::string& rule : rules_) {
        if (rule.find("state: [related]") != rule.npos) continue;
        EXPECT_THAT(rule, Not(HasSubstr("accept")));
    }
    EXPECT_THAT(lost(), ElementsAre("7: denies more than it says: no counterpart of -m set",
                                    "8: left out: no counterpart of -m mac",
                                    "9: left out: no counterpart of the code of ICMP type 3/4",
                                    "10: target QUEUE has no counterpart; its packets are denied"));
    EXPECT_EQ(out_.lost(), 4u);
}

TEST_F(Import, AReturnNobodyUnderstandsLetsNothingThroughBehindIt) {
    take("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:some - [0:0]\n" + kAnswers +
         "-A FORWARD -i lan -j some\n"
         "-A some -d 10.0.0.0/8 -m mark --mark 1 -j RETURN\n"
         "-A some -p udp -j DROP\n"
         "-A some -j ACCEPT\nCOMMIT\n");
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("drop"), HasSubstr("protocol: udp"),
                                       Not(HasSubstr("to: ")))))
        << "whoever does not return is denied";
    for (const std::string& rule : rules_) {
        if (rule.find("some-") == rule.npos || rule.find("accept") == rule.npos) continue;
        EXPECT_THAT(rule, HasSubstr("to: [0.0.0.0/5"));
    }
}

TEST_F(Import, HeaderFieldsRatesAndLogs) {
    take(filter(kAnswers +
                "-A FORWARD -p tcp --tcp-flags SYN,FIN SYN,FIN -j DROP\n"
                "-A FORWARD -p tcp ! --syn -m state --state NEW -j LOG --log-prefix \"odd \"\n"
                "-A FORWARD -p tcp ! --syn -m state --state NEW -j DROP\n"
                "-A FORWARD -p icmp --icmp-type echo-request -m limit --limit 3/min "
                "--limit-burst 7 -m state --state NEW -j ACCEPT\n"
                "-A FORWARD -p tcp --dport 22 -m state --state NEW -m hashlimit "
                "--hashlimit-above 10/second --hashlimit-mode srcip --hashlimit-name ssh -j DROP\n"
                "-A FORWARD -m ttl --ttl-lt 5 -j DROP\n"
                "-A FORWARD -p tcp --dport 22 -m state --state NEW -j ACCEPT\n"));
    EXPECT_THAT(rules_, Contains(HasSubstr("tcp-flags: 'syn,fin/syn,fin'")));
    EXPECT_THAT(rules_,
                Contains(AllOf(HasSubstr("tcp-flags: 'none/syn'"), HasSubstr("log: true"))));
    EXPECT_THAT(rules_, Contains(HasSubstr("limit: {every: 20000000us, burst: 7}")));
    EXPECT_THAT(rules_, Contains(HasSubstr("limit: {rate: 10pps, per: source, over: true}")));
    EXPECT_THAT(rules_, Contains(HasSubstr("ttl: 0-5")));
}

TEST_F(Import, Nat) {
    take(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -i wan -d 192.0.2.1/32 -p tcp --dport 8080 -j DNAT "
        "--to-destination 10.0.1.2:80\n"
        "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128\n"
        "-A POSTROUTING -d 10.0.0.0/8 -j ACCEPT\n"
        "-A POSTROUTING -o wan -s 10.0.1.0/24 -j MASQUERADE\n"
        "-A POSTROUTING -o dsl -j SNAT --to-source 198.51.100.4-198.51.100.7\nCOMMIT\n" +
        filter(""));
    EXPECT_THAT(rules_, Contains("{name: PREROUTING-4, kind: destination, in: wan, "
                                 "to: 192.0.2.1/32, protocol: tcp, to-ports: 8080, "
                                 "address: 10.0.1.2/32, ports: 80}"));
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("kind: masquerade, out: wan, from: 10.0.1.0/24"),
                                       HasSubstr("to: [0.0.0.0/5"))));
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("kind: source, out: dsl"),
                                       HasSubstr("address: 198.51.100.4/30"))));
    EXPECT_THAT(lost(), Contains("5: left out: nat has no REDIRECT"));
}

TEST_F(Import, Ipv6AndTablesBeforeTheFilter) {
    take("*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 2001:db8:bad::/48 -j DROP\nCOMMIT\n" +
             filter(kAnswers + "-A FORWARD -i lan -o wan -j ACCEPT\n"
                               "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type "
                               "neighbour-solicitation -j ACCEPT\n"),
         true);
    EXPECT_THAT(rules_[0], AllOf(HasSubstr("drop"), HasSubstr("from: '2001:db8:bad::/48'")));
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("family: ip6"), HasSubstr("out: local"),
                                       HasSubstr("icmp-type-numbers: 135"))));
}

TEST_F(Import, WhatIsNoSuchFileIsRefusedWithItsPlace) {
    for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
             {"", "rules:1:1: no table"},
             {"-A INPUT -j ACCEPT\n", "rules:1:1: found '-A INPUT -j ACCEPT', expected a table"},
             {"*filter\nwhat\n", "rules:2:1: found 'what', expected *TABLE"},
             {"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j ACCEPT\n",
              "rules:4:1: found the end, expected COMMIT of *filter first"},
             {"*nat\n*filter\nCOMMIT\n", "rules:2:1: found '*filter', expected COMMIT of *nat"},
             {"*nat\nCOMMIT\n*nat\nCOMMIT\n", "rules:3:1: found '*nat', expected each table once"},
             {"*nat\nCOMMIT\n-A INPUT -j DROP\n", "rules:3:1: found '-A INPUT -j DROP'"},
             {"# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n" +
                  filter(""),
              "rules:1:1: found '# Warning"},
             {filter("") + "# Table `nat' is incompatible, use 'nft' tool.\n", "rules:6:1:"},
             {"# Table `raw' contains incompatible base-chains, use 'nft' tool to list them.\n",
              "rules:1:1:"}}) {
        const auto imported = import_iptables({{"rules", text, false}});
        ASSERT_FALSE(imported.ok());
        EXPECT_THAT(imported.error().message, HasSubstr(expected));
    }
}

TEST_F(Import, APolicyThatNobodySaysDenies) {
    take("*filter\n:INPUT - [0:0]\n-A FORWARD -p tcp -j ACCEPT\nCOMMIT\n");
    EXPECT_THAT(rule("forward-policy"), HasSubstr("action: drop"));
    EXPECT_THAT(rule("input-policy"), HasSubstr("action: drop"));
    EXPECT_THAT(lost(), Contains("0: the file has no policy ACCEPT or DROP: denied"));
    take("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n");
    EXPECT_THAT(lost(),
                ElementsAre("0: is not in the file: what no other table denies is accepted"));
}

TEST_F(Import, ACommentIsNoNegation) {
    take(filter("-A INPUT -p tcp -m comment --comment \"!\" -j DROP\n", "DROP", "ACCEPT"));
    EXPECT_THAT(rule("INPUT-5"), HasSubstr("action: drop"));
}

// Before connections are tracked a state says nothing that Ravelin could say.
TEST_F(Import, StatesInRawAreNotBelieved) {
    take(
        "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m state --state NEW -j ACCEPT\n"
        "-A PREROUTING -p tcp -m state --state INVALID -j DROP\nCOMMIT\n" +
        filter(""));
    EXPECT_EQ(rules_[0], "{name: PREROUTING-4, action: drop, family: ip4, protocol: tcp}");
}

TEST_F(Import, RealFilesLoadAndNothingIsDroppedInSilence) {
    const auto folder = test::data_path("rules/iptables");
    if (!folder) GTEST_SKIP() << "needs shared/data";
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
        const std::string name = entry.path().filename();
        if (name.find("_ip-r") != name.npos) continue;
        SCOPED_TRACE(name);
        std::ifstream in(entry.path());
        std::stringstream text;
        text << in.rdbuf();
        take(text.str());
        ++files;
    }
    EXPECT_EQ(files, 12u);
}

}  // namespace
}  // namespace ravelin::import
