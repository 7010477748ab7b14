// SPDX-License-Identifier: Apache-2.0
// The shortcut against the whole pipeline: the same random packets, policies, neighbours and links
// go through two boxes, one of which takes no shortcuts. What leaves, each flow's packets in order,
// every counter and every flow must be the same.
#include "dataplane/shortcut.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <span>

#include "dataplane/net/packet_text.h"
#include "pipelines/net/checksum.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr unsigned kConversations = 24, kSteps = 3000;
constexpr const char* kLanHost = "02:00:00:00:00:";  // whose last byte ARP changes

std::string config_with(const std::string& rules, const std::string& hops) {
    return fmt::format(R"(
sets: {{bad: {{type: prefixes, size: 16}}}}
ports:
  - {{name: lan, device: 'null', addresses: [10.0.0.1/24, "fd00:1::1/64"], mac: '02:00:00:00:aa:01'}}
  - {{name: wan, device: 'null', addresses: [192.0.2.1/24, "fd00:2::1/64"], mac: '02:00:00:00:aa:02', mtu: 1300B}}
  - {{name: two, device: 'null', addresses: 198.51.100.1/24, mac: '02:00:00:00:aa:03', rpf: strict}}
pipeline:
  - parse
  - steer
  - route: {{routes: [{{to: 0.0.0.0/0, next-hops: [{}]}}, {{to: "::/0", via: "fd00:2::2"}}]}}
  - firewall: {{rules: [{}]}}
  - neighbour:
      static:
        - {{port: wan, address: 192.0.2.9, mac: '02:00:00:00:01:09'}}
        - {{port: two, address: 198.51.100.9, mac: '02:00:00:00:02:09'}}
        - {{port: wan, address: "fd00:2::2", mac: '02:00:00:00:01:0a'}}
        - {{port: lan, address: "fd00:1::9", mac: '02:00:00:00:00:0a'}}
  - local
  - clamp
  - rewrite
)",
                       hops, rules);
}

const std::string kOut =
    "{name: bad, action: drop, from: '@bad'}, {name: out, action: accept, in: lan}";
const std::string kNoUdp = "{name: udp, action: drop, protocol: udp}, " + kOut;
const std::string kOne = "{via: 192.0.2.9}", kBoth = "{via: 192.0.2.9}, {via: 198.51.100.9}";

using Frames = std::vector<Sent>;

struct Random {
    std::mt19937 engine;
    uint32_t operator()() { return static_cast<uint32_t>(engine()); }
};

// Packets of one flow stay in order; those of two need not.
std::string flow_of(const Bytes& frame) {
    const bool v6 = frame.size() > 58 && frame[12] == 0x86;
    const size_t from = v6 ? 20 : 23, to = std::min<size_t>(v6 ? 58 : 38, frame.size());
    if (frame.size() < to || to < from) return {};
    auto part = std::vector<uint8_t>(frame.begin() + static_cast<long>(from),
                                     frame.begin() + static_cast<long>(to));
    if (!v6 && part.size() >= 3) part[1] = part[2] = 0;  // checksum
    if (v6 && part.size() >= 2) part[1] = 0;             // hop limit
    return {part.begin(), part.end()};
}

Frames by_flow(Frames frames) {
    std::ranges::stable_sort(frames, [](const Sent& a, const Sent& b) {
        return std::pair(a.port, flow_of(a.frame)) < std::pair(b.port, flow_of(b.frame));
    });
    return frames;
}

class Twins {
  public:
    Twins() : with_(config_with(kOut, kOne)), without_(config_with(kOut, kOne)) {
        without_.allow_shortcuts(false);
    }
    template <typename Fn>
    void both(Fn&& fn) {
        fn(with_);
        fn(without_);
    }
    void compare(const std::string& what) {
        const Frames a = by_flow(with_.sent()), b = by_flow(without_.sent());
        ASSERT_EQ(a.size(), b.size()) << what;
        for (size_t i = 0; i < a.size(); ++i) {
            ASSERT_EQ(a[i].port, b[i].port) << what;
            ASSERT_EQ(a[i].frame, b[i].frame) << what << ", frame " << i;
        }
        ASSERT_EQ(with_.drops(), without_.drops()) << what;
    }
    void compare_all() {
        const auto with = counters(with_), without = counters(without_);
        // rewrite sends itself what stood in the burst before a packet it cuts; by a shortcut it
        // has left already.
        for (const auto& [name, value] : without)
            EXPECT_TRUE(with.at(name) == value ||
                        (name == "pipeline.consumed" && with.at(name) < value))
                << name << ' ' << with.at(name) << ' ' << value;
        for (const char* rule : {"out", "bad"}) {
            EXPECT_EQ(with_.rule(rule).packets, without_.rule(rule).packets) << rule;
            EXPECT_EQ(with_.rule(rule).bytes, without_.rule(rule).bytes) << rule;
        }
        EXPECT_EQ(flows(with_), flows(without_));
    }
    [[nodiscard]] uint64_t shortened() const { return with_.shortened(); }
    [[nodiscard]] const PolicySnapshot& policy() const { return with_.policy(); }

  private:
    static std::map<std::string, uint64_t> counters(StageFixture& box) {
        std::map<std::string, uint64_t> out;
        CounterId id = 0;
        for (const CounterSpec& spec : counter_specs({"lan", "wan", "two"}))
            out[spec.name] = box.context().counters.get(id++);
        return out;
    }
    static std::vector<std::string> flows(StageFixture& box) {
        std::vector<std::string> out;
        uint32_t cursor = 0;
        box.context().flows->for_each(cursor, box.context().flows->capacity(), [&](const Flow& f) {
            Flow known = f;
            known.ways = {};  // who takes no shortcuts has none
            out.emplace_back(reinterpret_cast<const char*>(&known), sizeof known);
        });
        return out;
    }
    StageFixture with_, without_;
};

// Both ends of a connection, which send what comes to their minds.
class Conversation {
  public:
    Conversation(unsigned id, Random& random) : id_(id), random_(random) {}

    struct Packet {
        std::string port, text;
    };
    Packet next() {
        const bool client = steps_ == 0 || (steps_ > 2 ? random_() % 2 == 0 : steps_ == 2);
        const bool v6 = id_ % 4 == 1, udp = id_ % 4 == 2;
        const std::string lan = v6 ? fmt::format("[fd00:1::9]:{}", 4000 + id_)
                                   : fmt::format("10.0.0.{}:{}", 20 + id_ % 4, 4000 + id_);
        const std::string far = v6 ? "[2001:db8::7]:80" : "203.0.113.7:80";
        const std::string ends = client ? lan + " > " + far : far + " > " + lan;
        const std::string odd = oddity(v6);
        ++steps_;
        const std::string text = udp ? fmt::format("udp {} len={}{}", ends, random_() % 600, odd)
                                     : fmt::format("tcp {} {}{}", ends, segment(client), odd);
        return {client ? "lan" : random_() % 10 == 0 ? "two" : "wan", text};
    }
    /// What is no TCP or UDP packet of its own, but has to do with the conversation or its ends.
    Packet aside() {
        const bool v6 = id_ % 4 == 1, client = random_() % 2 == 0;
        const std::string lan = v6 ? "fd00:1::9" : fmt::format("10.0.0.{}", 20 + id_ % 4);
        const std::string far = v6 ? "2001:db8::7" : "203.0.113.7";
        const std::string port = client ? "lan" : "wan", &from = client ? lan : far,
                          &to = client ? far : lan, icmp = v6 ? "icmp6" : "icmp";
        // Where ports would stand: for by_flow() it is one of the conversation's packets.
        const std::string payload =
            client ? fmt::format("{:04x}0050", 4000 + id_) : fmt::format("0050{:04x}", 4000 + id_);
        switch (random_() % 6) {
            case 0:
                return {port, fmt::format("{} {} > {} echo-request id=5 seq=1", icmp, from, to)};
            case 1:
                return {port, fmt::format("ip proto=17 {} > {} frag=24 id=77 hex={}00000000", from,
                                          to, payload)};
            case 2: {
                const Packet quoted = next();
                return {port, fmt::format("{} {} > {} unreachable/1 quoting ({})", icmp, from, to,
                                          quoted.text)};
            }
            case 3:
                return {port, fmt::format("ip proto=50 {} > {} len=40", from, to)};
            case 4:
                return {port, fmt::format("ip proto=1 {} > {} frag=24 id=77 len=8", from, to)};
            default:
                return {"lan", "arp who-has 10.0.0.1 tell 10.0.0.20"};
        }
    }

  private:
    std::string oddity(bool v6) {
        switch (random_() % 40) {
            case 0:
                return " ttl=1";
            case 1:
                return " df";
            case 2:
                return v6 ? " dstopt" : " options";
            case 3:
                return v6 ? " hbh" : " mf id=77";
            default:
                return "";
        }
    }
    std::string segment(bool client) {
        uint32_t& own = sent_[client ? 0 : 1];
        const uint32_t other = sent_[client ? 1 : 0];
        if (steps_ == 0) return fmt::format("syn seq={} win=8000", own++);
        if (steps_ == 1) return fmt::format("syn,ack seq={} ack={} win=8000", own++, other);
        const uint32_t length = steps_ == 2 ? 0 : random_() % 8 == 0 ? 1350 : random_() % 300;
        const uint32_t seq = own;
        switch (random_() % 60) {
            case 0:
                return fmt::format("ack seq={} ack={} win=8000 len=9", own + 100'000, other);
            case 1:
                return fmt::format("ack seq={} ack={} win=8000 len=9", own, other + 5000);
            case 2:
                return fmt::format("rst seq={} win=0", own + random_() % 2);
            case 3:
                return fmt::format("fin,ack seq={} ack={} win=8000", own++, other);
            case 4:
                steps_ = 0;
                return fmt::format("syn seq={} win=8000", own++);
            case 5:
                return fmt::format("ack,psh seq={} ack={} win=100 len=50", own - 50, other);
            default:
                own += length;
                return fmt::format("ack seq={} ack={} win=8000 len={}", seq, other, length);
        }
    }
    unsigned id_, steps_ = 0;
    Random& random_;
    uint32_t sent_[2] = {1000, 0xfffff000};  // the responder's numbers wrap
};

bool is_v4(const Bytes& frame) { return frame.size() > 42 && frame[12] == 8 && frame[14] == 0x45; }

// IPv4 as IPv6 between mapped addresses: a flow's key cannot tell them. Checksums stay right.
void map_addresses(Bytes& frame) {
    if (!is_v4(frame)) return;
    const Bytes v4 = frame;
    const auto upper = static_cast<uint16_t>((v4[16] << 8 | v4[17]) - 20);
    frame.assign(v4.begin(), v4.begin() + 12);
    const Bytes head{
        0x86,   0xdd, 0x60, 0, 0, 0, static_cast<uint8_t>(upper >> 8), static_cast<uint8_t>(upper),
        v4[23], 64};
    frame.insert(frame.end(), head.begin(), head.end());
    for (const unsigned at : {26u, 30u}) {
        frame.insert(frame.end(), 10, 0);
        frame.insert(frame.end(), 2, 0xff);
        frame.insert(frame.end(), v4.begin() + at, v4.begin() + at + 4);
    }
    frame.insert(frame.end(), v4.begin() + 34, v4.end());
}

// Eight bytes behind an IPv4 header that is sound.
void cut_transport(Bytes& frame) {
    if (!is_v4(frame)) return;
    frame.resize(42);
    frame[16] = 0;
    frame[17] = 28;
    frame[24] = frame[25] = 0;
    const be16 sum = net::checksum_finish(net::checksum_add(0, frame.data() + 14, 20));
    std::memcpy(frame.data() + 24, &sum, sizeof sum);
}

class ShortcutTest : public ::testing::TestWithParam<unsigned> {
  protected:
    // Breaks the frame, or what is around it, now and then.
    void bend(Bytes& frame) {
        const auto at = [&](size_t i) -> uint8_t& { return frame[i % frame.size()]; };
        switch (random_() % 80) {
            case 0:  // Ethernet's padding
                frame.resize(frame.size() + 1 + random_() % 20);
                break;
            case 1:
                at(random_()) ^= static_cast<uint8_t>(1u << random_() % 8);
                break;
            case 2:  // a checksum left to the NIC cannot be told from a wrong one
                at(frame[12] == 0x86 ? 70 : 50) ^= 0x55;
                break;
            case 3:
                frame.resize(std::max<size_t>(20, frame.size() - random_() % 12));
                break;
            case 4:
                frame.insert(frame.begin() + 12, {0x81, 0, 0, 0});  // a priority tag
                break;
            case 5:
                map_addresses(frame);
                break;
            case 6:
                cut_transport(frame);
                break;
            default:
                break;
        }
    }
    void burst() {
        std::map<std::string, std::vector<Bytes>> by_port;
        const auto& ports = twins_.policy().ports;
        for (unsigned n = 1 + random_() % 100; n != 0; --n) {
            Conversation& of = conversations_[random_() % conversations_.size()];
            const auto p = random_() % 30 == 0 ? of.aside() : of.next();
            const PacketTextDefaults places{
                .port = p.port,
                .port_macs = {{"lan", ports[0].mac}, {"wan", ports[1].mac}, {"two", ports[2].mac}}};
            const auto packet = parse_packet_text("in=" + p.port + " " + p.text, places);
            ASSERT_TRUE(packet) << p.text << ": " << packet.error().message;
            Bytes frame(packet->frame.begin(), packet->frame.end());
            bend(frame);
            by_port[p.port].push_back(std::move(frame));
        }
        for (const auto& each : by_port)
            twins_.both([&](StageFixture& box) { box.receive(each.first, each.second); });
    }
    // ARP of a host behind lan, whose MAC is another each time.
    void announce() {
        const auto mac = fmt::format("{}{:02x}", kLanHost, 0x20 + random_() % 4);
        const auto arp = parse_packet_text(
            fmt::format("in=lan arp 10.0.0.{} is-at {}", 20 + random_() % 4, mac),
            {.port = "lan", .port_macs = {{"lan", twins_.policy().ports[0].mac}}});
        ASSERT_TRUE(arp) << arp.error().message;
        twins_.both([&](StageFixture& box) { box.receive("lan", {arp->frame}); });
    }
    void event() {
        switch (random_() % 7) {
            case 0:
                return twins_.both(
                    [&, ms = random_() % 40'000](StageFixture& b) { b.advance(ms); });
            case 1: {
                const std::string yaml = config_with(random_() % 3 == 0 ? kNoUdp : kOut,
                                                     random_() % 2 == 0 ? kOne : kBoth);
                return twins_.both([&](StageFixture& box) { box.apply(yaml); });
            }
            case 2: {
                const SetEdit edit{
                    .set = "bad", .elements = {"10.0.0.20/32"}, .add = random_() % 2 == 0};
                return twins_.both([&](StageFixture& box) { box.edit(edit); });
            }
            case 3: {
                const uint64_t down = random_() % 3 == 0 ? 2 : 0;
                return twins_.both(
                    [&](StageFixture& box) { box.context().neighbours->set_links_down(down); });
            }
            default:
                return announce();
        }
    }

    Random random_{std::mt19937(GetParam())};
    Twins twins_;
    std::vector<Conversation> conversations_;
};

TEST_P(ShortcutTest, DoesWhatThePipelineDoes) {
    for (unsigned i = 0; i < kConversations; ++i) conversations_.emplace_back(i, random_);
    for (unsigned host = 0; host < 8; ++host) announce();
    for (unsigned step = 0; step < kSteps && !HasFatalFailure(); ++step) {
        burst();
        if (random_() % 100 == 0) event();
        twins_.compare(fmt::format("step {}", step));
    }
    twins_.compare_all();
    EXPECT_GT(twins_.shortened(), kSteps / 2) << "or nothing was compared";
}
INSTANTIATE_TEST_SUITE_P(Seeds, ShortcutTest, ::testing::Range(1u, 5u));

}  // namespace
}  // namespace ravelin::test
