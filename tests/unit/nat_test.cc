// SPDX-License-Identifier: Apache-2.0
// Conversations through translated sources, whatever ports the box chooses: on one worker, and on
// four that share the outer ports out. Every answer has to find the worker that has its flow.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "dataplane/net/packet_text.h"
#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

constexpr const char* kConfig = R"(
ports: [{{name: lan, device: "null", addresses: 10.0.0.1/24}}, {{name: wan, device: "null", addresses: 192.0.2.1/24}}]
pipeline:
  - parse
  - steer
  - nat:
      rules:
        - {{name: web, kind: destination, in: wan, to: 192.0.2.1, protocol: tcp, to-ports: 8080, address: 10.0.0.9, ports: 80, hairpin: true}}
        - {{name: out, kind: masquerade, out: wan{}}}
  - route: {{routes: [{{to: 0.0.0.0/0, via: 192.0.2.9}}]}}
  - firewall: {{rules: [{{name: out, action: accept, in: lan, protocol: [tcp, udp, icmp]}}, {{name: web, action: accept, to: 10.0.0.9, protocol: tcp, to-ports: 80}}]}}
  - neighbour:
      static:
        - {{port: lan, address: 10.0.0.9, mac: "02:00:00:00:00:09"}}
        - {{port: lan, address: 10.0.0.8, mac: "02:00:00:00:00:08"}}
        - {{port: wan, address: 192.0.2.9, mac: "02:00:00:00:02:09"}}
  - local
  - rewrite
)";

class NatConversation : public BoxTest {
  protected:
    NatConversation() : NatConversation("") {}
    explicit NatConversation(const char* more) { start(fmt::format(fmt::runtime(kConfig), more)); }
    /// Sends one packet and returns what left, or says why nothing did.
    std::string pass(const std::string& text, const std::string& to) {
        const auto packet = parse_packet_text(text, defaults_of(box_->policy()));
        EXPECT_TRUE(packet.ok()) << text;
        box_->receive(packet->port, {packet->frame});
        const auto sent = box_->sent();
        std::string drops;
        for (const auto& [name, count] : box_->drops()) drops += fmt::format(" {} {}", name, count);
        EXPECT_EQ(sent.size(), 1u) << text << "; dropped:" << drops;
        if (sent.size() != 1) return {};
        EXPECT_EQ(sent[0].port, to);
        const std::string out = describe_frame(sent[0].frame);
        EXPECT_EQ(out.find("bad-"), std::string::npos) << out;
        return out;
    }
    /// "udp 192.0.2.1:4711 > ..." -> 4711.
    static unsigned outer_port(const std::string& text) {
        const std::string head = " 192.0.2.1:";
        const size_t at = text.find(head);
        EXPECT_NE(at, std::string::npos) << text;
        return at == std::string::npos
                   ? 0
                   : static_cast<unsigned>(std::stoul(text.substr(at + head.size())));
    }
    static void expect_in(const std::string& text, const std::string& part) {
        EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
    }
};

TEST_F(NatConversation, UdpAndErrorsAboutIt) {
    std::set<unsigned> ports;
    for (unsigned i = 0; i < 200; ++i) {
        SCOPED_TRACE(i);
        const unsigned own = 2000 + i % 50, host = 8 + i % 2, end = 1 + i / 50;
        const std::string inner = fmt::format("10.0.0.{}:{}", host, own);
        const std::string far = fmt::format("203.0.113.{}:53", end);
        const unsigned q =
            outer_port(pass(fmt::format("in=lan udp {} > {} len=9", inner, far), "wan"));
        ports.insert(end << 16 | q);
        expect_in(pass(fmt::format("in=wan udp {} > 192.0.2.1:{} len=20", far, q), "lan"),
                  fmt::format("udp {} > {}", far, inner));
        expect_in(
            pass(fmt::format("in=wan icmp 198.51.100.1 > 192.0.2.1 time-exceeded quoting (udp "
                             "192.0.2.1:{} > {} len=9)",
                             q, far),
                 "lan"),
            fmt::format("quoting (udp {} > {}", inner, far));
        expect_in(
            pass(fmt::format("in=lan icmp 10.0.0.{} > 203.0.113.{} unreachable/3 quoting (udp "
                             "{} > {} len=20)",
                             host, end, far, inner),
                 "wan"),
            fmt::format("quoting (udp {} > 192.0.2.1:{}", far, q));
        if (HasFailure()) return;
    }
    EXPECT_EQ(ports.size(), 200u);
    EXPECT_GT(box_->counter("firewall.ports_kept"), 0u);
}

TEST_F(NatConversation, PingAndFragments) {
    for (unsigned i = 0; i < 40; ++i) {
        SCOPED_TRACE(i);
        const std::string out = pass(
            fmt::format("in=lan icmp 10.0.0.9 > 203.0.113.7 echo-request id={} seq=1", 100 + i),
            "wan");
        const size_t at = out.find(" id=");
        ASSERT_NE(at, std::string::npos) << out;
        const auto id = std::stoul(out.substr(at + 4));
        expect_in(
            pass(fmt::format("in=wan icmp 203.0.113.7 > 192.0.2.1 echo-reply id={} seq=1", id),
                 "lan"),
            fmt::format("icmp 203.0.113.7 > 10.0.0.9 echo-reply id={}", 100 + i));
        const std::string first =
            fmt::format("udp 10.0.0.9:{} > 203.0.113.7:9 mf id={} len=16", 3000 + i, i + 1);
        const unsigned q = outer_port(pass("in=lan " + first, "wan"));
        expect_in(pass(fmt::format("in=lan ip proto=17 10.0.0.9 > 203.0.113.7 frag=24 id={} len=8",
                                   i + 1),
                       "wan"),
                  "192.0.2.1 > 203.0.113.7");
        expect_in(
            pass(fmt::format("in=wan udp 203.0.113.7:9 > 192.0.2.1:{} mf id={} len=16", q, 500 + i),
                 "lan"),
            fmt::format("10.0.0.9:{}", 3000 + i));
        expect_in(pass(fmt::format("in=wan ip proto=17 203.0.113.7 > 192.0.2.1 frag=24 "
                                   "id={} len=8",
                                   500 + i),
                       "lan"),
                  "203.0.113.7 > 10.0.0.9");
        if (HasFailure()) return;
    }
}

TEST_F(NatConversation, Hairpin) {
    for (unsigned i = 0; i < 40; ++i) {
        SCOPED_TRACE(i);
        const std::string client = fmt::format("10.0.0.8:{}", 2000 + i);
        const std::string syn =
            pass(fmt::format("in=lan tcp {} > 192.0.2.1:8080 syn seq=1 win=100", client), "lan");
        expect_in(syn, "> 10.0.0.9:80");
        const unsigned q = outer_port(syn);
        const std::string answer = pass(
            fmt::format("in=lan tcp 10.0.0.9:80 > 192.0.2.1:{} syn,ack seq=5 ack=2 win=100", q),
            "lan");
        expect_in(answer, "192.0.2.1:8080 > " + client);
        expect_in(
            pass(fmt::format("in=lan tcp {} > 192.0.2.1:8080 ack seq=2 ack=6", client), "lan"),
            fmt::format("192.0.2.1:{} > 10.0.0.9:80", q));
        expect_in(
            pass(fmt::format("in=wan tcp 203.0.113.7:{} > 192.0.2.1:8080 syn seq=1", 2000 + i),
                 "lan"),
            fmt::format("203.0.113.7:{} > 10.0.0.9:80", 2000 + i));
        if (HasFailure()) return;
    }
}

class NatExhausted : public NatConversation {
  protected:
    NatExhausted() : NatConversation(", ports: 40000-40007") {}
};

// Of eight ports four workers have two each, one worker all.
TEST_F(NatExhausted, AllPortsServeThenNone) {
    for (unsigned i = 0; i < 100; ++i)
        in("lan", fmt::format("udp 10.0.0.9:{} > 203.0.113.7:53", i + 1));
    std::set<unsigned> ports;
    for (const Sent& sent : box_->sent()) ports.insert(outer_port(describe_frame(sent.frame)));
    EXPECT_EQ(ports.size(), 8u);
    EXPECT_EQ(*ports.begin(), 40000u);
    EXPECT_EQ(*ports.rbegin(), 40007u);
    EXPECT_EQ(box_->drops().at("firewall.ports_exhausted"), 92u);
    box_->advance(40'000);
    pass("in=lan udp 10.0.0.9:1 > 203.0.113.7:53", "wan");
}

}  // namespace
}  // namespace ravelin::test
