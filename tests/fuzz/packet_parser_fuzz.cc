// SPDX-License-Identifier: Apache-2.0
// Any bytes as a frame, in a buffer of exactly their size, through parse and steer. The first byte
// chooses where the frame is cut into segments (0: nowhere).
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "dataplane/flow.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet_text.h"
#include "pipelines/net/decapsulate.h"
#include "pipelines/net/parse.h"
#include "pipelines/net/parse_plain.h"
#include "pipelines/stages/steer.h"
#include "pipelines/stages/steer_fragments.h"
#include "tests/support/frames.h"

namespace {

using namespace ravelin;

void check(const Packet& packet, const PacketMeta& meta) {
    const auto must = [](bool ok) {
        if (!ok) std::abort();
    };
    if (!meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6)) return;
    must(meta.l3_offset + meta.l3_total <= packet.length());
    must(meta.l4_offset <= meta.l3_offset + meta.l3_total);
    must(meta.payload_offset + meta.payload_length == meta.l3_offset + meta.l3_total);
    must(!meta.has(PacketMeta::kIcmpError) || packet.bytes(meta.inner_offset, 28) != nullptr);
}

/// What parse_plain takes, parse_frame takes as well, and both say the same of it.
void compare_plain(const Packet& packet) {
    const auto must = [](bool ok) {
        if (!ok) std::abort();
    };
    const auto* ethernet = packet.at<net::Ethernet>(0);
    const MacAddress other{{2, 9, 9, 9, 9, 9}},
        own = ethernet == nullptr ? other : ethernet->destination;
    for (const net::ParseInput& input : {net::ParseInput{.port_mac = &own, .router = true},
                                         net::ParseInput{.port_mac = &own, .router = false},
                                         net::ParseInput{.port_mac = &other, .router = true},
                                         net::ParseInput{.port_mac = &other, .router = false}}) {
        PacketMeta plain = kFreshMeta, general = kFreshMeta;
        if (net::parse_plain(packet, plain, input))
            must(net::parse_frame(packet, general, input) == net::ParseDrop::kNone);
        must(std::memcmp(&plain, &general, sizeof plain) == 0);
    }
}

/// As the vxlan stage would: what is inside is parsed as well. Takes no frame.
void open_tunnel(rte_mbuf* frame, const PacketMeta& meta) {
    const Packet packet(frame);
    if (meta.protocol != net::kUdp || !meta.has(PacketMeta::kPorts) ||
        meta.has(PacketMeta::kFragment) || !net::vni_of(packet, meta))
        return;
    (void)net::lacks_checksum(packet, meta);
    const uint32_t before = packet.length();
    const bool opened = net::decapsulate(frame, meta) == net::Decapsulation::kDone;
    if (opened != (packet.length() < before)) std::abort();
    PacketMeta inner;
    inner.flags = PacketMeta::kTunnelled;
    if (opened &&
        net::parse_frame(packet, inner, {.port_mac = {}, .router = false}) == net::ParseDrop::kNone)
        check(packet, inner);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1 || size > limits::kMaxFrame) return 0;
    static rte_mempool* const pool = ravelin::test::test_eal();
    static FragmentTable fragments;
    static uint32_t now_ms = 0;
    const ravelin::test::Bytes bytes(data + 1, data + size);
    const size_t cut = data[0];
    rte_mbuf* frame = cut == 0 || cut > bytes.size() ? ravelin::test::exact_frame(bytes)
                                                     : ravelin::test::segmented_frame(bytes, {cut});
    if (rte_mbuf* whole = frame->nb_segs > 1 ? net::pull_up(frame, pool) : frame; whole != nullptr)
        frame = whole;
    const Packet packet(frame);
    compare_plain(packet);
    PacketMeta meta;
    bool taken = false;
    if (net::parse_frame(packet, meta, {.port_mac = {}, .router = false}) ==
        net::ParseDrop::kNone) {
        check(packet, meta);
        (void)net::complete_checksum(packet, meta);
        (void)net::upper_checksum_holds(packet, meta);
        set_hash(packet, meta);
        FragmentTable::Released released;
        if (meta.has(PacketMeta::kFragment))
            taken = fragments
                        .take(frame, meta,
                              {.zone = 0, .now_ms = now_ms, .whole = (data[0] & 1) != 0}, released)
                        .kind == FragmentTable::Ruling::Kind::kHeld;
        for (unsigned i = 0; i < released.count; ++i) rte_pktmbuf_free(released.frames[i]);
        if (!taken) open_tunnel(frame, meta);
    }
    if (!taken) rte_pktmbuf_free(frame);
    FragmentTable::Released unfinished;
    fragments.expire(now_ms += 100, unfinished);
    for (unsigned i = 0; i < unfinished.count; ++i) rte_pktmbuf_free(unfinished.frames[i]);
    (void)describe_frame(bytes);
    return 0;
}
