// SPDX-License-Identifier: Apache-2.0
// Frames of most kinds, for tests that damage them.
#pragma once
#include <gtest/gtest.h>

#include "dataplane/net/packet_text.h"
#include "tests/support/frames.h"

namespace ravelin::test {

inline const char* const kFrames[] = {
    "tcp 10.0.0.1:4000 > 198.18.0.1:443 ack len=6",
    "tcp 10.0.0.1:4000 > 198.18.0.1:443 ack win=65000 hex=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
    "tcp 10.0.0.1:4000 > 198.18.0.1:443 syn",
    "udp 10.0.0.1:4000 > 198.18.0.1:53 len=20",
    "udp 10.0.0.1:68 > 198.18.0.1:67",
    "icmp 10.0.0.1 > 198.18.0.1 echo-request id=1 seq=4 len=9",
    "tcp [fd00::1]:4000 > [fd00::2]:443 ack",
};

inline Bytes frame_of(const char* text) {
    auto packet = parse_packet_text(text, {.port = "lan", .port_macs = {}});
    EXPECT_TRUE(packet.ok()) << text << ": " << packet.error().message;
    return packet.ok() ? packet->frame : Bytes{};
}

}  // namespace ravelin::test
