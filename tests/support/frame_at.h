// SPDX-License-Identifier: Apache-2.0
// Packets in text (dataplane/net/packet_text.h) as they arrive at the ports of a policy.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "dataplane/net/packet_text.h"
#include "dataplane/snapshot.h"
#include "tests/support/frames.h"

namespace ravelin::test {

/// What packets in text may leave out: the port, the first unless named, and the MACs of them all.
inline PacketTextDefaults defaults_of(const PolicySnapshot& policy, const std::string& port = "") {
    PacketTextDefaults out;
    for (const PortPolicy& p : policy.ports) out.port_macs.push_back({p.name, p.mac});
    out.port = port.empty() ? out.port_macs.front().port : port;
    return out;
}

/// A packet in text as it arrives at `port`; a test failure where it is none.
inline Bytes frame_at(const PolicySnapshot& policy, const std::string& text,
                      const std::string& port = "") {
    const auto packet = parse_packet_text(text, defaults_of(policy, port));
    EXPECT_TRUE(packet.ok()) << text << ": " << (packet ? "" : packet.error().message);
    return packet ? packet->frame : Bytes(60);
}

}  // namespace ravelin::test
