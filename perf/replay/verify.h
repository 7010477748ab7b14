// SPDX-License-Identifier: Apache-2.0
// Whether a frame that leaves is the one that came, as it should leave.
#pragma once
#include <span>

#include "perf/replay/outer.h"

namespace ravelin::perf {

/// `found`: the frame that left by `out_side`; `at` and `flow`: the packet it must be.
/// `outer`: what the flow's source is translated to, if anything. `expected` gets what it had to
/// be, kHeaderRoom bytes.
inline bool is_as_expected(const TapeHead& head, const Template& common, const Descriptor& flow,
                           const Outer& outer, const Moment& at, uint8_t out_side,
                           std::span<const uint8_t> found, uint8_t* expected) {
    const uint32_t length = write_frame(expected, head, common, flow, at);
    const Offsets k = Offsets::of(head.layout);
    be16 counted;
    std::memcpy(&counted, expected + k.length, sizeof counted);
    // Nobody translates what is forwarded as it came.
    if ((at.side != 0) == (head.check == Check::kSame))
        write_outer(expected, head.layout, outer, at.side);
    if (head.check == Check::kForwarded) {
        std::memcpy(expected, &head.gateways[out_side], 6);
        std::memcpy(expected + 6, &head.macs[out_side], 6);
        const be16 tag(head.vlans[out_side]);
        if (head.layout.tagged) std::memcpy(expected + sizeof(net::Ethernet), &tag, sizeof tag);
        --expected[k.hops];
        if (!head.layout.v6) {
            auto* ip = reinterpret_cast<net::Ipv4*>(expected + k.ip);
            ip->checksum = {};
            ip->checksum = net::checksum_finish(net::checksum_of_header(ip));
        }
    }
    // Who forwards may leave away what only fills the frame up.
    const uint32_t packet = (head.layout.v6 ? k.transport : k.ip) + counted.host();
    const bool whole = found.size() == length || found.size() == std::min(packet, length);
    const size_t compared = std::min<size_t>(k.mark(flow.protocol) + 6, found.size());
    // What stands for TCP's checksum looks, once in 65,536 flows, like a sum left to the NIC, which
    // the box completes.
    const unsigned sum = k.transport + 16;
    if (flow.protocol == net::kTcp && compared >= sum + 2)
        std::memcpy(expected + sum, found.data() + sum, 2);
    return whole && std::memcmp(expected, found.data(), compared) == 0;
}

}  // namespace ravelin::perf
