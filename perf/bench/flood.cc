// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/flood.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"
#include "tests/support/data.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kVictim = 0x0ac80001;    // 10.200.0.1, which rules let wan reach
constexpr uint32_t kBoxOnWan = 0xc0000201;  // 192.0.2.1
constexpr uint32_t kAttackers = 0xcb000000;
constexpr uint16_t kMoreFragments = 0x2000;

// Public addresses that are neither the established servers' nor martian: 64/8 to 95/8.
uint32_t random_source(std::mt19937& random) {
    return 0x40000000 | (static_cast<uint32_t>(random()) & 0x1fffffff);
}

Headers from_wan(uint8_t protocol, uint32_t source, uint32_t destination) {
    Headers h;
    h.protocol = protocol;
    h.source = source;
    h.destination = destination;
    return h;
}

struct Seeded : Flood {
    std::mt19937 random{7};
    uint16_t any_port() { return static_cast<uint16_t>(1024 + random() % 60'000); }
};

// One network of attackers opens connections and leaves them half open.
struct Syn final : Seeded {
    PortId next(rte_mbuf* frame, const Box& box) override {
        Headers h = from_wan(net::kTcp, kAttackers + random() % 256, kVictim);
        h.source_port = any_port();
        h.destination_port = 443;
        h.flags = net::kSyn;
        h.seq = static_cast<uint32_t>(random());
        write_frame(frame, box, kWan, h);
        return kWan;
    }
};

// Every packet from another address, to a port that is open: each wants a flow.
struct RandomSource final : Seeded {
    PortId next(rte_mbuf* frame, const Box& box) override {
        Headers h = from_wan(net::kUdp, random_source(random), kVictim);
        h.source_port = any_port();
        h.destination_port = 53;
        h.payload = 18;
        write_frame(frame, box, kWan, h);
        return kWan;
    }
};

// First fragments that nothing follows, and later ones whose first never comes.
struct Fragments final : Seeded {
    PortId next(rte_mbuf* frame, const Box& box) override {
        Headers h = from_wan(net::kUdp, random_source(random), kVictim);
        h.source_port = any_port();
        h.destination_port = 53;
        h.id = static_cast<uint16_t>(random());
        h.fragment = random() % 2 == 0 ? kMoreFragments : uint16_t{16};
        h.payload = 24;
        write_frame(frame, box, kWan, h);
        return kWan;
    }
};

// Echo requests through the box and to the box itself.
struct Ping final : Seeded {
    PortId next(rte_mbuf* frame, const Box& box) override {
        const bool through = random() % 2 == 0;
        Headers h = from_wan(net::kIcmp, random_source(random), through ? kVictim : kBoxOnWan);
        h.source_port = any_port();  // the identifier
        h.payload = 18;
        write_frame(frame, box, kWan, h);
        return kWan;
    }
};

// To ports that no rule opens: each is dropped by the default.
struct Udp final : Seeded {
    PortId next(rte_mbuf* frame, const Box& box) override {
        Headers h = from_wan(net::kUdp, kAttackers + random() % 65536, kVictim);
        h.source_port = any_port();
        h.destination_port = static_cast<uint16_t>(random() | 1024);
        h.payload = 18;
        write_frame(frame, box, kWan, h);
        return kWan;
    }
};

// Whole handshakes, both ends the attacker's: flows that are answered, until none is left. In
// blocks of many, so that an answer comes long after what it answers, as over a network.
struct TableFill final : Flood {
    static constexpr uint32_t kBlock = 4096, kPerAddress = 32768;
    uint32_t first = 0, at = 0;
    unsigned step = 0;
    PortId next(rte_mbuf* frame, const Box& box) override {
        constexpr uint8_t kFlags[] = {net::kSyn, net::kSyn | net::kAck, net::kAck};
        constexpr uint32_t kSeq[] = {1000, 5000, 1001}, kAck[] = {0, 1001, 5001};
        const uint32_t connection = first + at;
        Headers h = from_wan(net::kTcp, kAttackers + connection / kPerAddress, kVictim + 1);
        h.source_port = static_cast<uint16_t>(1024 + connection % kPerAddress);
        h.destination_port = 443;
        h.flags = kFlags[step];
        h.seq = kSeq[step];
        h.ack = kAck[step];
        const PortId port = step == 1 ? kLan : kWan;
        if (port == kLan) {
            std::swap(h.source, h.destination);
            std::swap(h.source_port, h.destination_port);
        }
        write_frame(frame, box, port, h);
        if (++at == kBlock) {
            at = 0;
            if (++step == 3) {
                step = 0;
                first += kBlock;
            }
        }
        return port;
    }
};

// Recorded attacks, aimed at the victim, over and over.
class Captures final : public Flood {
  public:
    explicit Captures(std::vector<std::vector<uint8_t>> frames) : frames_(std::move(frames)) {}
    PortId next(rte_mbuf* frame, const Box& box) override {
        const std::vector<uint8_t>& bytes = frames_[at_];
        at_ = (at_ + 1) % frames_.size();
        rte_pktmbuf_reset(frame);
        auto* start = reinterpret_cast<uint8_t*>(
            rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size())));
        std::memcpy(start, bytes.data(), bytes.size());
        std::memcpy(start, box.mac(kWan).bytes.data(), 6);
        return kWan;
    }

  private:
    std::vector<std::vector<uint8_t>> frames_;
    size_t at_ = 0;
};

void aim(std::vector<uint8_t>& frame) {
    constexpr size_t kIp = sizeof(net::Ethernet);
    if (frame.size() < kIp + sizeof(net::Ipv4) || frame[12] != 8 || frame[13] != 0) return;
    auto* ip = reinterpret_cast<net::Ipv4*>(frame.data() + kIp);
    const unsigned length = ip->header_length();
    if (length < sizeof *ip || frame.size() < kIp + length) return;
    ip->destination = be32(kVictim);
    ip->checksum = be16();
    ip->checksum = net::checksum_finish(net::checksum_add(0, ip, length));
}

void read_capture(const std::string& path, std::vector<std::vector<uint8_t>>& frames) {
    constexpr unsigned kMost = 4000;
    constexpr uint32_t kLongest = 1514;
    char why[PCAP_ERRBUF_SIZE];
    pcap_t* capture = pcap_open_offline(path.c_str(), why);
    if (capture == nullptr) return;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    for (unsigned n = 0; n < kMost && pcap_next_ex(capture, &header, &data) == 1; ++n) {
        if (pcap_datalink(capture) != DLT_EN10MB || header->caplen > kLongest) continue;
        if (header->caplen < sizeof(net::Ethernet)) continue;
        frames.emplace_back(data, data + header->caplen);
        aim(frames.back());
    }
    pcap_close(capture);
}

std::unique_ptr<Flood> recorded() {
    std::vector<std::vector<uint8_t>> frames;
    const auto folder = test::data_path("pcap/attack");
    if (!folder) return nullptr;
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(*folder))
        paths.push_back(entry.path().string());
    std::ranges::sort(paths);
    for (const std::string& path : paths) read_capture(path, frames);
    if (frames.empty()) return nullptr;
    return std::make_unique<Captures>(std::move(frames));
}

template <typename Kind>
std::unique_ptr<Flood> make() {
    return std::make_unique<Kind>();
}

}  // namespace

const std::vector<FloodKind>& flood_kinds() {
    static const std::vector<FloodKind> kinds{
        {"syn", "half-open connections from 256 addresses", make<Syn>},
        {"random-source", "UDP to an open port, every packet from another address",
         make<RandomSource>},
        {"fragments", "first fragments alone, and later ones without a first", make<Fragments>},
        {"icmp", "echo requests through the box and to it", make<Ping>},
        {"udp", "UDP to ports that no rule opens", make<Udp>},
        {"table-fill", "whole handshakes until no flow is left", make<TableFill>},
        {"recorded", "the captures of ../shared/data/pcap/attack, in a circle", recorded},
    };
    return kinds;
}

}  // namespace ravelin::perf
