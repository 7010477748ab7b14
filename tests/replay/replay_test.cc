// SPDX-License-Identifier: Apache-2.0
// Every capture of the shared data through both modes, each frame in a buffer of exactly its size.
// Nothing may crash, leak or vanish without a name. Run it under sanitizers.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "tests/support/data.h"
#include "tests/support/stage_fixture.h"

#if defined(__SANITIZE_ADDRESS__)
#define RAVELIN_WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RAVELIN_WITH_ASAN 1
#endif
#endif

namespace ravelin::test {
namespace {

constexpr std::string_view kRouter = R"(
ports:
  - {name: lan, device: "null", addresses: [10.0.1.1/24, "fd00:1::1/64"], mac: "02:00:00:00:00:01"}
  - {name: wan, device: "null", addresses: [192.0.2.1/24, "fd00:2::1/64"], mac: "02:00:00:00:00:02"}
pipeline:
  - parse
  - steer
  - route: {routes: [{to: 0.0.0.0/0, via: 192.0.2.2}, {to: "::/0", via: "fd00:2::2"}]}
  - firewall: {pickup: validated, rules: [{name: all, action: accept, in: lan}]}
  - neighbour
  - local
  - clamp
  - rewrite
)";
constexpr std::string_view kWire = R"(
mode: wire
ports: [{name: lan, device: "null"}, {name: wan, device: "null"}]
pipeline: [parse, steer, wire, {firewall: {rules: [{name: all, action: accept, in: lan}]}}, clamp]
)";

constexpr std::array<uint8_t, 14> kEthernet{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0};

/// The capture's frames. A link type other than Ethernet gets an Ethernet header put before it.
std::vector<Bytes> frames_of(const std::string& path, bool for_router) {
    char why[PCAP_ERRBUF_SIZE];
    pcap_t* capture = pcap_open_offline(path.c_str(), why);
    std::vector<Bytes> frames;
    if (capture == nullptr) return frames;
    const bool ethernet = pcap_datalink(capture) == DLT_EN10MB;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    while (pcap_next_ex(capture, &header, &data) == 1 && frames.size() < 20000) {
        const size_t head = ethernet ? 0 : 14, body = std::min<size_t>(header->caplen, 9600);
        Bytes frame(head + body);
        if (!ethernet) std::copy_n(kEthernet.begin(), head, frame.begin());
        std::copy_n(data, body, frame.begin() + static_cast<long>(head));
        if (!ethernet && frame.size() > 14 && frame[14] >> 4 == 6)
            frame[12] = 0x86, frame[13] = 0xdd;
        if (for_router && frame.size() >= 6 && (frame[0] & 1) == 0)
            std::copy_n(kEthernet.begin(), 6, frame.begin());
        frames.push_back(std::move(frame));
    }
    pcap_close(capture);
    return frames;
}

std::vector<std::string> captures() {
    std::vector<std::string> paths;
    const auto root = data_path("pcap");
    if (!root) return paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(*root))
        if (entry.path().extension().string().starts_with(".pcap") ||
            entry.path().extension() == ".cap")
            paths.push_back(entry.path().string());
    std::ranges::sort(paths);
    return paths;
}

/// What came in must have gone out, been dropped by name, or been taken by a stage.
void expect_balance(const StageFixture& box, uint64_t received, uint64_t sent,
                    const std::string& path) {
    uint64_t dropped = 0;
    for (const auto& [name, n] : box.drops()) dropped += n;
    const uint64_t in = received + box.counter("pipeline.emitted");
    const uint64_t gone = sent + dropped + box.counter("pipeline.consumed");
    EXPECT_LE(in, gone) << path << ": a packet left without a name";
}

void replay(std::string_view config, bool router) {
    const auto paths = captures();
    if (paths.empty()) GTEST_SKIP() << "../shared/data/pcap is not here";
    uint64_t total = 0;
    for (const std::string& path : paths) {
        SCOPED_TRACE(path);
        {
            StageFixture box{std::string(config), 4096};
            uint64_t received = 0, sent = 0;
            for (const Bytes& frame : frames_of(path, router)) {
                std::vector<size_t> cuts;
                if (received % 7 == 3 && frame.size() > 60) cuts = {20, 45};
                box.receive_mbuf(received % 5 == 4 ? "wan" : "lan", segmented_frame(frame, cuts));
                if (++received % 64 == 0) box.advance(3);
                sent += box.sent().size();
            }
            box.advance(1000);
            sent += box.sent().size();
            expect_balance(box, received, sent, path);
            total += received;
        }
        ASSERT_EQ(rte_mempool_in_use_count(test_eal()), 0u) << "buffers leaked";
    }
    EXPECT_GT(total, 10000u);
    std::printf("%lu frames of %zu captures\n", total, paths.size());
}

TEST(Replay, EveryCaptureThroughTheRouter) { replay(kRouter, true); }
TEST(Replay, EveryCaptureThroughTheWire) { replay(kWire, false); }

#ifdef RAVELIN_WITH_ASAN
// The planted overread: if this stops dying, the other tests prove nothing.
TEST(ReplayDeathTest, AReadOneByteBeyondAFrameIsSeen) {
    rte_mbuf* frame = exact_frame(Bytes(60, 0));
    EXPECT_DEATH(
        {
            volatile uint8_t stolen = *rte_pktmbuf_mtod_offset(frame, uint8_t*, 60);
            (void)stolen;
        },
        "AddressSanitizer");
    rte_pktmbuf_free(frame);
}
#endif

}  // namespace
}  // namespace ravelin::test
