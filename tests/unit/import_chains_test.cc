// SPDX-License-Identifier: Apache-2.0
// Chains: rates that several ways share, what returns by halves, jumps without end.
#include "tests/unit/import_fixture.h"

namespace ravelin::import {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ImportChains : public ImportFixture {
  protected:
    size_t count(const std::string& text) const {
        return static_cast<size_t>(std::ranges::count_if(
            rules_, [&](const std::string& rule) { return rule.find(text) != rule.npos; }));
    }
};

std::string with_chain(const std::string& name, const std::string& lines) {
    return "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:" + name + " - [0:0]\n" + kAnswers +
           lines + "COMMIT\n";
}

TEST_F(ImportChains, OneRateIsOneRulesRate) {
    take(with_chain("PING",
                    "-A INPUT -s 10.1.0.0/16 -j PING\n-A INPUT -s 10.2.0.0/16 -j PING\n"
                    "-A FORWARD -j PING\n"
                    "-A PING -p icmp --icmp-type 8 -m limit --limit 5/s -j ACCEPT\n"));
    EXPECT_EQ(count("limit: {rate: 5pps}"), 1u);
    EXPECT_THAT(lost(), Contains(HasSubstr("10: left out in part")));
}

TEST_F(ImportChains, WhatIsBeyondASharedRateIsDeniedAltogether) {
    take(with_chain("FLOOD",
                    "-A INPUT -s 10.1.0.0/16 -j FLOOD\n-A INPUT -s 10.2.0.0/16 -j FLOOD\n"
                    "-A FLOOD -p udp -m hashlimit --hashlimit-above 5/s --hashlimit-mode srcip "
                    "--hashlimit-name f -j DROP\n"));
    EXPECT_THAT(rule("FLOOD-9"), AllOf(HasSubstr("drop"), Not(HasSubstr("limit"))));
    EXPECT_THAT(rule("FLOOD-9-2"), AllOf(HasSubstr("drop"), Not(HasSubstr("limit"))));
    EXPECT_THAT(lost(), Contains(HasSubstr("9: denies more than it says: several rules")));
    // A rate of its own stays; one on the way there counts more than what is denied.
    const std::string above = "-m hashlimit --hashlimit-above 5/s --hashlimit-name f";
    take(with_chain("FLOOD", "-A INPUT -p udp " + above + " -j FLOOD\n-A FLOOD -j DROP\n"));
    EXPECT_THAT(rule("FLOOD-8"), HasSubstr("over: true"));
    EXPECT_THAT(lost(), IsEmpty());
    take(with_chain("FLOOD", "-A INPUT " + above + " -j FLOOD\n-A FLOOD -p udp -j DROP\n"));
    EXPECT_THAT(rule("FLOOD-8"), Not(HasSubstr("over: true")));
}

TEST_F(ImportChains, AReturnByRateIsRemarked) {
    take(with_chain("syn_flood",
                    "-A INPUT -p tcp --syn -j syn_flood\n"
                    "-A syn_flood -m limit --limit 25/s -j RETURN\n-A syn_flood -j DROP\n"));
    EXPECT_THAT(lost(), ElementsAre("8: what follows accepts less and denies more: header fields "
                                    "or a rate decide who returns"));
}

TEST_F(ImportChains, AcceptInRawAndMangleExempts) {
    take(
        "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 10.0.0.0/8 -j ACCEPT\n"
        "-A PREROUTING -p tcp --syn -s 192.0.2.0/24 -j ACCEPT\n-A PREROUTING -p tcp -j DROP\n"
        "COMMIT\n" +
        filter(""));
    EXPECT_THAT(rule("PREROUTING-5"), AllOf(HasSubstr("drop"), HasSubstr("from: [0.0.0.0/5")));
    EXPECT_THAT(lost(), Contains(HasSubstr("4: exempts nothing from what is denied behind it")));
}

TEST_F(ImportChains, OneOfManyInterfacesIsRemarked) {
    take(filter("-A INPUT -i ppp+ -j DROP\n-A INPUT -i lan -j ACCEPT\n"));
    EXPECT_THAT(lost(),
                Contains("0: ppp+ is taken for ppp0 alone; name further ports in its rules"));
}

TEST_F(ImportChains, TooDeepIsDenied) {
    std::string text = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n";
    for (int i = 0; i < 70; ++i) text += ":c" + std::to_string(i) + " - [0:0]\n";
    text += kAnswers + "-A INPUT -p tcp -j c0\n-A INPUT -j ACCEPT\n";
    for (int i = 0; i < 69; ++i)
        text += "-A c" + std::to_string(i) + " -j c" + std::to_string(i + 1) + "\n";
    take(text + "-A c69 -p tcp --dport 22 -j DROP\nCOMMIT\n");
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("action: drop"), HasSubstr("protocol: tcp"))));
    EXPECT_THAT(lost(), Contains(HasSubstr("its packets are denied: the jumps go too deep")));
}

TEST_F(ImportChains, ChainsWithoutEndAreRefused) {
    std::string twice = "*filter\n:INPUT DROP [0:0]\n-A INPUT -j c0\n";
    for (int i = 0; i < 40; ++i)
        for (int n = 0; n < 2; ++n)
            twice += "-A c" + std::to_string(i) + " -j c" + std::to_string(i + 1) + "\n";
    twice += "-A c40 -p tcp -j DROP\nCOMMIT\n";
    const auto many = import_iptables({{"rules", twice, false}});
    ASSERT_FALSE(many.ok());
    EXPECT_THAT(many.error().message, HasSubstr("has more than 65536 rules"));
    const auto loop =
        import_iptables({{"rules", "*filter\n-A a -j b\n-A b -j a\nCOMMIT\n", false}});
    ASSERT_FALSE(loop.ok());
    EXPECT_THAT(loop.error().message, HasSubstr("rules:2:1: chain a of *filter comes back"));
}

}  // namespace
}  // namespace ravelin::import
