// SPDX-License-Identifier: Apache-2.0
// What the tables before and beside filter deny, and what nat takes away from it.
#include "tests/unit/import_fixture.h"

namespace ravelin::import {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string table(const std::string& name, const std::string& lines) {
    return "*" + name + "\n" + lines + "COMMIT\n";
}

class ImportTables : public ImportFixture {
  protected:
    size_t place(const std::string& name) const {
        for (size_t i = 0; i < rules_.size(); ++i)
            if (rules_[i].starts_with("{name: " + name + ",")) return i;
        ADD_FAILURE() << "no rule " << name;
        return rules_.size();
    }
};

const std::string kLanOut = kAnswers + "-A FORWARD -i lan -o wan -j ACCEPT\n";

TEST_F(ImportTables, PoliciesOfMangleAndRawDeny) {
    take(table("mangle",
               ":FORWARD DROP [0:0]\n-A FORWARD -i lan -p tcp -j ACCEPT\n"
               "-A FORWARD -i lan -p udp -m mark --mark 1 -j ACCEPT\n") +
         filter(kLanOut));
    EXPECT_THAT(rules_[0], AllOf(HasSubstr("mangle-forward-policy"), HasSubstr("action: drop"),
                                 HasSubstr("protocol: [0, 1, 2, 3, 4, 5, 7,")));
    EXPECT_EQ(rules_[1],
              "{name: mangle-forward-policy-2, action: drop, family: ip4, in: wan, "
              "out: [lan, wan], protocol: tcp}");
    EXPECT_THAT(lost(), Contains(HasSubstr("4: what it accepts is denied")));
    take(table("raw", ":PREROUTING DROP [0:0]\n") + filter(kLanOut));
    EXPECT_EQ(rules_[0], "{name: raw-prerouting-policy, action: drop, family: ip4}");
}

TEST_F(ImportTables, DenialsBehindTheFilterAndInSecurity) {
    take(table("mangle",
               ":POSTROUTING ACCEPT [0:0]\n"
               "-A POSTROUTING -o wan -s 10.9.0.0/16 -j DROP\n") +
         table("security",
               ":FORWARD ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n"
               "-A FORWARD -p sctp -j DROP\n-A INPUT -p dccp -j DROP\n") +
         filter(kLanOut));
    EXPECT_THAT(rule("POSTROUTING-3"), AllOf(HasSubstr("action: drop"), HasSubstr("out: wan"),
                                             HasSubstr("from: 10.9.0.0/16")));
    EXPECT_LT(place("POSTROUTING-3"), place("FORWARD-15"));
    EXPECT_THAT(rule("FORWARD-8"), HasSubstr("protocol: 132"));
    EXPECT_THAT(rule("INPUT-9"), AllOf(HasSubstr("protocol: 33"), HasSubstr("out: local")));
}

TEST_F(ImportTables, UnknownTablesAreRemarkedLineByLine) {
    take(table("broute", "-A BROUTING -p tcp -j DROP\n") + filter(kLanOut));
    EXPECT_THAT(lost(), Contains("2: left out: the kernel has no table broute"));
}

TEST_F(ImportTables, WhatIsNotTranslatedIsDenied) {
    take(table("nat",
               ":PREROUTING ACCEPT [0:0]\n"
               "-A PREROUTING -i lan -s 10.0.1.9/32 -p tcp -j ACCEPT\n"
               "-A PREROUTING -i lan -p udp --dport 53 -j DNAT --to-destination 10.0.0.1\n"
               "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128\n"
               "-A PREROUTING -p gre -m mark --mark 7 -j NETMAP --to 10.3.0.0/16\n") +
         filter(kLanOut));
    EXPECT_EQ(rule("PREROUTING-4-untranslated"),
              "{name: PREROUTING-4-untranslated, action: drop, family: ip4, in: lan, "
              "protocol: udp, to-ports: 53, state: [new, untracked]}");
    EXPECT_THAT(rule("PREROUTING-5-untranslated"),
                AllOf(HasSubstr("to-ports: 80"), HasSubstr("drop")));
    EXPECT_THAT(rules_, Contains(AllOf(HasSubstr("PREROUTING-5-untranslated"),
                                       HasSubstr("in: wan, from: 10.0.1.9/32"))))
        << "what ACCEPT exempts is none of it";
    EXPECT_THAT(rule("PREROUTING-6-untranslated"), HasSubstr("protocol: 47"));
    EXPECT_LT(place("PREROUTING-5-untranslated"), place("FORWARD-12"));
    EXPECT_THAT(lost(), Contains(HasSubstr("6: left out: no counterpart of -m mark")));
}

TEST_F(ImportTables, WhatIsTranslatedIsNotDenied) {
    take(table("nat",
               "-A PREROUTING -d 192.0.2.1/32 -p tcp --dport 80 -j DNAT "
               "--to-destination 10.0.1.2\n") +
         filter(kLanOut));
    EXPECT_EQ(rules_[0].find("{name: PREROUTING-2, kind: destination"), 0u);
    for (const std::string& rule : rules_) EXPECT_THAT(rule, Not(HasSubstr("untranslated")));
}

// The second would send elsewhere what the first redirects.
TEST_F(ImportTables, ALaterTranslationDoesNotTakeWhatALeftOutOneTakes) {
    take(table("nat",
               "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128\n"
               "-A PREROUTING -d 192.0.2.1/32 -p tcp -j DNAT --to-destination 10.0.1.2\n") +
         filter(kLanOut));
    EXPECT_THAT(rule("PREROUTING-3"),
                AllOf(HasSubstr("kind: destination"), HasSubstr("to-ports: [0-79, 81-65535]")));
}

TEST_F(ImportTables, TproxyIsDenied) {
    take(table("mangle",
               ":PREROUTING ACCEPT [0:0]\n-A PREROUTING -i lan -p tcp --dport 80 "
               "-j TPROXY --on-port 3129 --on-ip 0.0.0.0 --tproxy-mark 0x1/0x1\n") +
         filter(kLanOut));
    EXPECT_THAT(rule("PREROUTING-3"), AllOf(HasSubstr("action: drop"), HasSubstr("to-ports: 80")));
}

TEST_F(ImportTables, Ipv6TranslationsAreDeniedToo) {
    take(table("nat",
               "-A PREROUTING -i lan -p udp --dport 53 -j DNAT --to-destination "
               "2001:db8::53\n") +
             filter(kLanOut),
         true);
    EXPECT_THAT(rule("PREROUTING-2-untranslated"),
                AllOf(HasSubstr("family: ip6"), HasSubstr("to-ports: 53")));
}

TEST_F(ImportTables, ADenialBeforeNatIsSaidForTheNewDestinationToo) {
    const std::string nat = table("nat",
                                  "-A PREROUTING -d 203.0.113.5/32 -p tcp --dport 80 -j DNAT "
                                  "--to-destination 10.0.0.5:8080\n");
    const std::string forward = kAnswers + "-A FORWARD -d 10.0.0.5 -p tcp --dport 8080 -j ACCEPT\n";
    take(table("raw",
               ":PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 198.51.100.0/24 "
               "-d 203.0.113.5 -p tcp --dport 80 -j DROP\n") +
         nat + filter(forward));
    EXPECT_THAT(rule("PREROUTING-3-translated"),
                AllOf(HasSubstr("drop"), HasSubstr("from: 198.51.100.0/24, to: 10.0.0.5/32"),
                      HasSubstr("to-ports: 8080")));
    EXPECT_LT(place("PREROUTING-3-translated"), place("FORWARD-14"));
    EXPECT_THAT(lost(), Not(Contains(HasSubstr("denies also"))));
    take(table("raw",
               ":PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.0.0.0/8 -p tcp --dport 8080 "
               "-j DROP\n") +
         nat + filter(forward));
    EXPECT_THAT(lost(), Contains("3: denies also what nat sends there"));
}

}  // namespace
}  // namespace ravelin::import
