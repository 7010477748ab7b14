// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/syn_proxy_support.h"

namespace ravelin::test {

void PrintTo(const Place& place, std::ostream* out) { *out << place.name; }

std::string wire(const std::string& proxy, const std::string& more) {
    return fmt::format(R"(
mode: wire
ports: [{{name: lan, device: "null"}}, {{name: wan, device: "null"}}]
pipeline:
  - parse
  - steer
  - wire
  - firewall:
      rules:
        - {{name: web, action: accept, in: wan, protocol: tcp, to-ports: 80, syn-proxy: {{{}}}}}
        - {{name: direct, action: accept, protocol: tcp, to-ports: 81}}
{})",
                       proxy, more);
}

std::string router(const std::string& proxy, const std::string& more) {
    return fmt::format(R"(
ports:
  - {{name: lan, device: "null", addresses: [10.0.0.1/24, "2001:db8::1/64"]}}
  - {{name: wan, device: "null", mtu: 1400B, addresses: [192.0.2.1/24, "2001:db8:1::1/64"]}}
pipeline:
  - parse
  - steer
{}
  - route: {{routes: [{{to: 0.0.0.0/0, via: 192.0.2.9}}, {{to: "::/0", via: "2001:db8:1::9"}}]}}
  - firewall:
      rules:
        - {{name: web, action: accept, in: wan, protocol: tcp, to-ports: 80, syn-proxy: {{{}}}}}
  - neighbour:
      static:
        - {{port: lan, address: 10.0.0.9, mac: "02:00:00:00:00:09"}}
        - {{port: lan, address: "2001:db8::9", mac: "02:00:00:00:00:09"}}
        - {{port: wan, address: 192.0.2.9, mac: "02:00:00:00:02:09"}}
        - {{port: wan, address: "2001:db8:1::9", mac: "02:00:00:00:02:09"}}
  - local
  - rewrite
)",
                       more, proxy);
}

Place wire_place(const std::string& proxy, const std::string& more) {
    return {"wire",        wire(proxy, more), "203.0.113.7:999",
            "10.0.0.9:80", "203.0.113.7:999", "10.0.0.9:80"};
}

const std::vector<Place>& places() {
    static const std::vector<Place> all = [] {
        const std::string six = "[2001:db8:9::7]:999", web6 = "[2001:db8::9]:80";
        const std::string four = "203.0.113.7:999", web4 = "10.0.0.9:80";
        const std::string forward =
            "  - nat: {rules: [{name: web, kind: destination, in: wan, to: 192.0.2.1, protocol: "
            "tcp, to-ports: 8080, address: 10.0.0.9, ports: 80}]}";
        std::vector<Place> out{
            wire_place(),
            {.name = "wire6",
             .config = wire(),
             .client = six,
             .target = web6,
             .peer = six,
             .server = web6,
             .mss = 1440},
            {.name = "router",
             .config = router(),
             .client = four,
             .target = web4,
             .peer = four,
             .server = web4},
            {.name = "router6",
             .config = router(),
             .client = six,
             .target = web6,
             .peer = six,
             .server = web6,
             .mss = 1440},
            {.name = "forward",
             .config = router("", forward),
             .client = four,
             .target = "192.0.2.1:8080",
             .peer = four,
             .server = web4},
        };
        out.push_back(wire_place());
        out.back().name = "vlan";
        out.back().tag = "vlan=5,7";
        return out;
    }();
    return all;
}

uint32_t number_in(const std::string& text, const std::string& key) {
    const size_t at = text.find(" " + key);
    EXPECT_NE(at, std::string::npos) << key << " in " << text;
    return at == std::string::npos
               ? 0
               : static_cast<uint32_t>(std::stoul(text.substr(at + 1 + key.size())));
}

void SynProxyTest::expect(const std::vector<std::string>& to_client,
                          const std::vector<std::string>& to_server) {
    left_ = box_->sent();
    const auto check = [&](const std::string& port, const std::string& ends,
                           const std::vector<std::string>& lines) {
        std::vector<Bytes> frames;
        for (const Sent& sent : left_)
            if (sent.port == port) frames.push_back(sent.frame);
        ASSERT_EQ(frames.size(), lines.size())
            << port << (frames.empty() ? "" : ": " + describe_frame(frames[0]));
        for (size_t i = 0; i < lines.size(); ++i)
            EXPECT_EQ(mismatch(place_.tag + " tcp " + ends + " " + lines[i], frames[i]), "");
    };
    check(place_.client_port, place_.target + " > " + place_.client, to_client);
    check(place_.server_port, place_.peer + " > " + place_.server, to_server);
    EXPECT_EQ(left_.size(), to_client.size() + to_server.size());
}

std::string SynProxyTest::last(const std::string& port) const {
    for (size_t i = left_.size(); i-- > 0;)
        if (left_[i].port == port) return describe_frame(left_[i].frame);
    ADD_FAILURE() << "nothing left by " << port;
    return "";
}

void SynProxyTest::shake(const std::string& options, uint32_t syn) {
    client(fmt::format("syn seq={} win=64240 {}", syn, options));
    expect({fmt::format("syn,ack ack={} win=0", syn + 1)}, {});
    const std::string answer = last(place_.client_port);
    cookie_ = number_in(answer, "seq=");
    std::string stamp;
    if (answer.find(" ts=") != std::string::npos) {
        time_ = number_in(answer, "ts=");
        stamp = fmt::format("ts=112/{}", time_);
    }
    client(fmt::format("ack seq={} ack={} win=502 {}", syn + 1, cookie_ + 1, stamp));
    expect({}, {fmt::format("syn seq={} ack=0", syn)});
}

void SynProxyTest::connect(const std::string& options, const std::string& answer, uint32_t syn) {
    shake(options, syn);
    server("syn,ack " + answer);
    expect({fmt::format("ack seq={} ack={}", cookie_ + 1, syn + 1)}, {"ack"});
}

}  // namespace ravelin::test
