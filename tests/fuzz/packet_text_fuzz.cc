// SPDX-License-Identifier: Apache-2.0
// Any text as a packet text. What it describes is described, and must then build the same frame.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dataplane/net/packet_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const ravelin::PacketTextDefaults defaults{.port = "lan", .port_macs = {}};
    const auto packet = ravelin::parse_packet_text(text, defaults);
    if (!packet) return packet.error().message.empty() ? 1 : 0;
    const std::string again = ravelin::describe_frame(packet->frame);
    if (again.empty()) std::abort();
    // Damaged frames and unusual options are described as far as the language goes; never an error.
    if (!ravelin::parse_packet_text(again, defaults)) std::abort();
    return 0;
}
