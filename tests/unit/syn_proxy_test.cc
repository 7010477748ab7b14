// SPDX-License-Identifier: Apache-2.0
// The SYN proxy between a client and a server: nothing is remembered before the client has shown
// that it is there, and afterwards both believe that they speak to each other.
#include "tests/support/live_rule.h"
#include "tests/unit/syn_proxy_support.h"

namespace ravelin::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Drops = std::map<std::string, uint64_t>;

class Everywhere : public SynProxyTest, public ::testing::WithParamInterface<Place> {};
INSTANTIATE_TEST_SUITE_P(SynProxy, Everywhere, ::testing::ValuesIn(places()),
                         [](const auto& place) { return place.param.name; });

TEST_P(Everywhere, OneConnectionFromSynToFin) {
    begin(GetParam());
    shake(kAll);
    EXPECT_THAT(
        last(place_.server_port),
        HasSubstr(fmt::format("win=65535 mss={} sack-permitted ts=112/0 wscale=8", place_.mss)));
    ASSERT_EQ(flows().size(), 1u);
    EXPECT_FALSE(flows()[0].proven());
    server(fmt::format("syn,ack {}", kAnswer));
    const uint32_t c = cookie() + 1;
    // 28,960 bytes are 226 of 128; the client's window is as it was.
    expect({fmt::format("ack seq={} ack=1001 win=226 ts={}/112 len=0", c, time())},
           {"ack seq=1001 ack=5001 win=502 ts=112/777 len=0"});
    ASSERT_EQ(flows().size(), 1u);
    EXPECT_TRUE(flows()[0].proven());
    EXPECT_EQ(flows()[0].state, FlowState::tcp_established);

    client(fmt::format("ack,psh seq=1001 ack={} win=502 ts=120/{} len=10", c, time()));
    expect({}, {"ack,psh seq=1001 ack=5001 win=502 ts=120/777 len=10"});
    server("ack,psh seq=5001 ack=1011 win=227 ts=790/120 len=1000");
    expect({fmt::format("ack,psh seq={} ack=1011 win=227 ts={}/120 len=1000", c, time() + 13)}, {});
    server("ack seq=6101 ack=1011 win=227 ts=791/120 len=100");
    expect({fmt::format("ack seq={} len=100", c + 1100)}, {});
    client(fmt::format("ack seq=1011 ack={} win=502 ts=121/{} sack={}-{}", c + 1000, time() + 13,
                       c + 1100, c + 1200));
    expect({}, {"ack seq=1011 ack=6001 ts=121/790 sack=6101-6201"});

    server("fin,ack seq=6201 ack=1011 win=227 ts=800/121");
    expect({fmt::format("fin,ack seq={} ts={}/121", c + 1200, time() + 23)}, {});
    client(fmt::format("fin,ack seq=1011 ack={} win=502 ts=130/{}", c + 1201, time() + 23));
    expect({}, {"fin,ack seq=1011 ack=6202 ts=130/800"});
    server("ack seq=6202 ack=1012 win=227 ts=801/130");
    expect({fmt::format("ack seq={} ack=1012", c + 1201)}, {});
    EXPECT_EQ(flows()[0].state, FlowState::tcp_time_wait);
    EXPECT_EQ(box_->drops(), Drops{});
    EXPECT_EQ(box_->counter("firewall.syn_cookies"), 1u);
    EXPECT_EQ(box_->counter("firewall.syn_proxied"), 1u);
    EXPECT_EQ(box_->counter("firewall.syn_proxy_mismatch"), 0u);
    expect_no_buffer_in_use();
}

TEST_P(Everywhere, WhatTheClientDoesNotOfferIsNotPromised) {
    begin(GetParam());
    const bool v6 = place_.client[0] == '[';
    shake("");
    EXPECT_THAT(last(place_.server_port), HasSubstr(v6 ? "mss=1220" : "mss=536"));
    for (const char* option : {"wscale", "sack", "ts="})
        EXPECT_THAT(last(place_.server_port), Not(HasSubstr(option)));
    server("syn,ack seq=4294967295 ack=1001 win=28960 mss=1460");
    expect({fmt::format("ack seq={} ack=1001 win=28960", cookie() + 1)},
           {"ack seq=1001 ack=0 win=502"});
    EXPECT_EQ(box_->counter("firewall.syn_proxy_mismatch"), 0u);
}

TEST_P(Everywhere, WithoutTimestampsScaleAndSackAreKept) {
    begin(GetParam());
    shake("mss=1460 wscale=8 sack-permitted");
    EXPECT_THAT(last(place_.server_port), HasSubstr("sack-permitted wscale=8"));
    EXPECT_THAT(last(place_.server_port), Not(HasSubstr("ts=")));
}

TEST_P(Everywhere, AnAnswerIsNeverLongerThanItsSyn) {
    begin(GetParam());
    unsigned port = 1000;
    for (const char* options :
         {"", "mss=1460", "wscale=8", "sack-permitted", "ts=1/0", "mss=1460 wscale=8",
          "sack-permitted wscale=8", "mss=1460 ts=1/0", "mss=1460 sack-permitted ts=1/0", kAll}) {
        place_.client =
            place_.client.substr(0, place_.client.rfind(':') + 1) + std::to_string(++port);
        const std::string text = fmt::format("{} tcp {} > {} syn seq=7 {}", place_.tag,
                                             place_.client, place_.target, options);
        const auto answer = in(place_.client_port, std::vector{text});
        ASSERT_EQ(answer.size(), 1u);
        EXPECT_LE(answer[0].frame.size(), frame("in=" + place_.client_port + " " + text).size())
            << options;
    }
    EXPECT_TRUE(flows().empty());
}

class SynProxy : public SynProxyTest {};

TEST_F(SynProxy, AFloodLeavesNothingBehindAndReachesNobody) {
    begin(
        wire_place("", "        # budget\n      unproven-budget: {percent: 1, when-full: drop}\n"));
    std::vector<std::string> flood;
    for (unsigned i = 0; i < 5000; ++i)
        flood.push_back(fmt::format("tcp 198.18.{}.{}:{} > 10.0.0.9:80 syn seq={} mss=1460",
                                    i / 250, i % 250 + 1, 1024 + i, i));
    const auto out = in("wan", flood);
    EXPECT_EQ(out.size(), flood.size());
    for (const Sent& sent : out) EXPECT_EQ(sent.port, "wan");
    EXPECT_TRUE(flows().empty());
    EXPECT_EQ(box_->counter("firewall.syn_cookies"), flood.size());
    connect(kAll, kAnswer);
    EXPECT_EQ(box_->drops(), Drops{});
    expect_no_buffer_in_use();
}

// Guesses at the acknowledgment, or at anything else.
TEST_F(SynProxy, ForgedAcksOpenNothing) {
    begin(wire_place());
    client("syn seq=1000 win=64240 mss=1460");
    expect({"syn,ack"}, {});
    const uint32_t c = number_in(last("wan"), "seq=");
    for (unsigned bit = 0; bit < 32; ++bit) {
        client(fmt::format("ack seq=1001 ack={}", (c ^ 1u << bit) + 1));
        if (bit > 0) client(fmt::format("ack seq={} ack={}", (1000u ^ 1u << bit) + 1, c + 1));
    }
    EXPECT_EQ(box_->drops(), (Drops{{"firewall.syn_proxy_forged", 63}}));
    EXPECT_TRUE(flows().empty());
    expect({}, {});
    client(fmt::format("ack seq=1001 ack={}", c + 1));
    expect({}, {"syn seq=1000"});
}

TEST_F(SynProxy, ACookieIsOldAfterTwoMinutes) {
    begin(wire_place());
    client("syn seq=1000 win=64240 mss=1460");
    expect({"syn,ack"}, {});
    const uint32_t c = number_in(last("wan"), "seq=");
    box_->advance(121'000);
    client(fmt::format("ack seq=1001 ack={}", c + 1));
    EXPECT_EQ(box_->drops(), (Drops{{"firewall.syn_proxy_expired", 1}}));
    EXPECT_TRUE(flows().empty());
}

// Everything the proxy or the server sends may be lost once.
TEST_F(SynProxy, WhatIsLostIsSentAgain) {
    begin(wire_place());
    shake(kAll);
    // A probe of the closed window: the client's last number again.
    client(fmt::format("ack seq=1000 ack={} win=502 ts=200/{}", cookie() + 1, time()));
    expect({}, {"syn seq=1000 ack=0 ts=200/0"});
    // Data that the client sends anyway.
    client(fmt::format("ack seq=1001 ack={} win=502 ts=210/{} len=1", cookie() + 1, time()));
    expect({}, {"syn seq=1000 ack=0 ts=210/0 len=0"});
    server(fmt::format("syn,ack {}", kAnswer));
    expect({"ack"}, {"ack seq=1001 ack=5001"});
    server(fmt::format("syn,ack {}", kAnswer));  // the ACK was lost
    expect({}, {"ack seq=1001 ack=5001 ts=112/777"});
    client(fmt::format("ack seq=1000 ack={} win=502 ts=220/{}", cookie() + 1, time()));
    expect({}, {"ack seq=1000 ack=5001 ts=220/777"});
    EXPECT_EQ(box_->drops(), Drops{});
}

TEST_F(SynProxy, ARefusalReachesTheClientWithItsOwnNumbers) {
    begin(wire_place());
    shake(kAll);
    server("rst,ack seq=0 ack=1001 win=0");
    expect({fmt::format("rst,ack seq={} ack=1001", cookie() + 1)}, {});
    server("rst,ack seq=0 ack=1001 win=0");
    expect({fmt::format("rst,ack seq={} ack=1001", cookie() + 1)}, {});
    EXPECT_EQ(flows()[0].state, FlowState::tcp_closed);
    // It tries again from the same port: nothing is believed before the cookie.
    connect(kAll, "seq=9000 ack=70001 win=28960 mss=1460 sack-permitted wscale=7 ts=777/112",
            70000);
}

// The server still has the connection before the client's restart.
TEST_F(SynProxy, AServerWithAnOldConnectionIsReset) {
    begin(wire_place());
    shake(kAll);
    server("ack seq=77000 ack=88000 win=500");
    expect({}, {"rst seq=88000"});
    client(fmt::format("ack seq=1001 ack={} win=502 ts=113/{}", cookie() + 1, time()));
    expect({}, {"syn seq=1000"});
    server(fmt::format("syn,ack {}", kAnswer));
    expect({"ack"}, {"ack"});
}

TEST_F(SynProxy, AnotherSynIsAnsweredButTheFlowStaysUntilItsCookieIsBack) {
    begin(wire_place());
    shake(kAll);
    client("syn seq=555000 win=64240 mss=1460");
    expect({"syn,ack ack=555001 win=0"}, {});
    const uint32_t other = number_in(last("wan"), "seq=");
    ASSERT_EQ(flows().size(), 1u);
    client(fmt::format("ack seq=1001 ack={} win=502 ts=113/{}", cookie() + 1, time()));
    expect({}, {"syn seq=1000"});
    client(fmt::format("ack seq=555001 ack={} win=502", other + 1));
    expect({}, {"syn seq=555000"});
    EXPECT_EQ(flows().size(), 1u);
    EXPECT_EQ(box_->drops(), Drops{});
}

TEST_F(SynProxy, WindowsOfAnotherScaleAreRescaled) {
    begin(wire_place());
    connect("mss=1460 wscale=8", "seq=5000 ack=1001 win=28960 mss=1460 wscale=2");
    EXPECT_EQ(box_->counter("firewall.syn_proxy_mismatch"), 1u);
    server("ack seq=5001 ack=1001 win=3200 len=5");
    expect({fmt::format("ack seq={} win=100", cookie() + 1)}, {});  // 3,200 * 4 = 100 * 128
    client(fmt::format("ack seq=1001 ack={} win=502 len=5", cookie() + 6));
    expect({}, {"ack ack=5006 win=502"});
}

TEST_F(SynProxy, AServerWithoutScalesSeesRealWindows) {
    begin(wire_place());
    connect("mss=1460 wscale=8 sack-permitted", "seq=5000 ack=1001 win=28960 mss=1460");
    EXPECT_EQ(box_->counter("firewall.syn_proxy_mismatch"), 1u);
    EXPECT_THAT(last("lan"), HasSubstr("win=65535"));
    server("ack seq=5001 ack=1001 win=12800 len=5");
    expect({"ack win=100"}, {});
    client(fmt::format("ack seq=1001 ack={} win=100 sack={}-{}", cookie() + 1, cookie() + 3,
                       cookie() + 6));
    expect({}, {"ack win=25600"});
    EXPECT_THAT(last("lan"), Not(HasSubstr("sack=")));
}

TEST_F(SynProxy, WhatServersLackIsNotPromised) {
    begin(wire_place("mss: 1300, window-scale: 3, sack: false, timestamps: false"));
    client(fmt::format("syn seq=1000 win=64240 {}", kAll));
    expect({"syn,ack win=0 mss=1300 wscale=3"}, {});
    EXPECT_THAT(last("wan"), Not(HasSubstr("sack")));
    EXPECT_THAT(last("wan"), Not(HasSubstr("ts=")));
}

TEST_F(SynProxy, BelowItsRateServersGetSynsDirectly) {
    begin(wire_place("above: 10pps"));
    for (unsigned i = 0; i < 8; ++i) {
        const auto out = in(
            "wan", std::vector{fmt::format("tcp 198.18.0.1:{} > 10.0.0.9:80 syn seq=7", 2000 + i)});
        ASSERT_EQ(out.size(), 1u);
        EXPECT_EQ(out[0].port, i < 5 ? "lan" : "wan") << i;
    }
    EXPECT_EQ(flows().size(), 5u);
    shake(kAll);
}

// Beside the tables, in them after a merge, and gone: connections it began go on.
TEST_F(SynProxy, ALiveRuleProxiesToo) {
    begin(wire_place());
    place_.target = place_.server = "10.0.0.9:81";
    auto guard = rule_added(
        "{name: guard, action: accept, in: wan, protocol: tcp, to-ports: 81, syn-proxy: {}}", 900);
    guard.set_place(model::RuleChange::FIRST);
    const auto change = [&](const model::RuleChange& rule) {
        firewall::RuleChanges changes;
        *changes.Add() = rule;
        box_->change_rules(changes);
    };
    change(guard);
    connect(kAll, kAnswer);
    const uint32_t c = cookie() + 1;
    const auto goes_on = [&](uint32_t at) {
        client(fmt::format("ack,psh seq={} ack={} win=502 ts=120/{} len=10", 1001 + at, c, time()));
        expect({}, {fmt::format("ack,psh seq={} ack=5001 ts=120/777 len=10", 1001 + at)});
    };
    const uint32_t first_time = time();
    goes_on(0);
    box_->merge_rules();
    goes_on(10);
    EXPECT_EQ(box_->counter("firewall.syn_cookies"), 1u);
    place_.client = place_.peer = "203.0.113.7:1000";
    shake(kAll);
    EXPECT_EQ(box_->counter("firewall.syn_cookies"), 2u);
    change(rule_removed("guard"));
    place_.client = place_.peer = "203.0.113.7:999";
    client(fmt::format("ack,psh seq=1021 ack={} win=502 ts=121/{} len=10", c, first_time));
    expect({}, {"ack,psh seq=1021 ack=5001 ts=121/777 len=10"});
    place_.client = place_.peer = "203.0.113.7:1001";
    client("syn seq=1000 win=64240 mss=1460");
    expect({}, {"syn seq=1000 win=64240"});
    EXPECT_EQ(box_->counter("firewall.syn_cookies"), 2u);
    EXPECT_EQ(box_->drops(), Drops{});
}

TEST_F(SynProxy, OtherRulesAreNotProxied) {
    begin(wire_place());
    place_.target = place_.server = "10.0.0.9:81";
    client("syn seq=1000 win=64240 mss=1460");
    expect({}, {"syn seq=1000 win=64240"});
    client("ack seq=1001 ack=77");
    EXPECT_EQ(box_->drops(), (Drops{{"firewall.tcp_state", 1}}));
}

// An error about the server's packet goes back to it with its own number; one about the client's
// needs none, but what it acknowledges is the client's view.
TEST_F(SynProxy, ErrorsQuoteTheNumbersOfTheirReceiver) {
    begin(wire_place());
    connect(kAll, kAnswer);
    const uint32_t c = cookie() + 1;
    server("ack seq=5001 ack=1001 win=227 ts=790/112 len=1000");
    expect({"ack"}, {});
    in("wan", fmt::format("icmp 198.51.100.1 > 10.0.0.9 unreachable/4 mtu=1300 quoting (tcp "
                          "10.0.0.9:80 > 203.0.113.7:999 ack seq={} ack=1001 len=20)",
                          c));
    auto out = box_->sent();
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(mismatch("icmp 198.51.100.1 > 10.0.0.9 unreachable/4 mtu=1300 quoting (tcp "
                       "10.0.0.9:80 > 203.0.113.7:999 ack seq=5001 ack=1001)",
                       out[0].frame),
              "");
    client(fmt::format("ack seq=1001 ack={} win=502 ts=120/{} len=10", c, time()));
    expect({}, {"ack"});
    in("lan",
       "icmp 10.0.0.9 > 203.0.113.7 unreachable/3 quoting (tcp 203.0.113.7:999 > 10.0.0.9:80 ack "
       "seq=1001 ack=5001 len=10)");
    out = box_->sent();
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(mismatch(fmt::format("icmp 10.0.0.9 > 203.0.113.7 unreachable/3 quoting (tcp "
                                   "203.0.113.7:999 > 10.0.0.9:80 ack seq=1001 ack={})",
                                   c),
                       out[0].frame),
              "");
    EXPECT_EQ(box_->drops(), Drops{});
}

// The port to the client takes 1,400 bytes.
TEST_F(SynProxy, TheBoxItselfQuotesWhatTheServerSent) {
    Place place = places()[2];
    begin(place);
    connect(kAll, kAnswer);
    server("df ack,psh seq=5001 ack=1001 win=227 ts=790/112 len=1400");
    const auto out = box_->sent();
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].port, "lan");
    EXPECT_THAT(describe_frame(out[0].frame), HasSubstr("unreachable/4 mtu=1400"));
    EXPECT_THAT(describe_frame(out[0].frame), HasSubstr("seq=5001 ack=1001"));
}

// The ACK of the box itself must come from where the SYN came from.
TEST_F(SynProxy, AlsoWhereTheServerSeesAnotherSource) {
    Place place = places()[2];
    place.config = router(
        "",
        "  - nat: {rules: [{name: pool, kind: source, out: lan, from: 203.0.113.0/24, address: "
        "10.0.0.77/32}]}");
    begin(place);
    client("syn seq=1000 win=64240 mss=1460");
    expect({"syn,ack ack=1001"}, {});
    const uint32_t c = number_in(last("wan"), "seq=");
    client(fmt::format("ack seq=1001 ack={} win=500", c + 1));
    const auto syn = box_->sent();
    ASSERT_EQ(syn.size(), 1u);
    const std::string text = describe_frame(syn[0].frame);
    ASSERT_THAT(text, HasSubstr("tcp 10.0.0.77:"));
    place_.peer = text.substr(4, text.find(" > ") - 4);
    EXPECT_EQ(mismatch("tcp " + place_.peer + " > 10.0.0.9:80 syn seq=1000", syn[0].frame), "");
    server("syn,ack seq=5000 ack=1001 win=28960 mss=1460");
    expect({fmt::format("ack seq={} win=28960", c + 1)}, {"ack seq=1001 ack=5001 win=500"});
    server("ack seq=5001 ack=1001 win=500 len=7");
    expect({fmt::format("ack seq={} len=7", c + 1)}, {});
}

TEST_F(SynProxy, NotForTheBoxItself) {
    begin(places()[2]);
    place_.target = "192.0.2.1:80";
    client("syn seq=1000 win=64240 mss=1460");
    expect({"rst,ack seq=0 ack=1001"}, {});
    EXPECT_EQ(box_->counter("firewall.syn_cookies"), 0u);
}

TEST_F(SynProxy, LimitsCountConnectionsThatWereShownAlone) {
    Place place = wire_place();
    const std::string rule = "syn-proxy: {}";
    place.config.replace(place.config.find(rule), rule.size(),
                         rule + ", connections: {per-source: 1}, tcp-flags: \"syn/syn,ack\"");
    begin(place);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_EQ(in("wan", std::vector{fmt::format(
                                "tcp 203.0.113.7:{} > 10.0.0.9:80 syn seq=7 mss=1460", 2000 + i)})
                      .size(),
                  1u);
    connect(kAll, kAnswer);
    place_.client = place_.peer = "203.0.113.7:1001";
    client("syn seq=7 mss=1460");
    EXPECT_EQ(box_->drops(), (Drops{{"firewall.default", 1}}));
}

}  // namespace
}  // namespace ravelin::test
