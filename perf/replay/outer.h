// SPDX-License-Identifier: Apache-2.0
// Outer: what a box that translates sources has made of those of a tape's flows. The port reads it
// from the frames that leave by wan, and answers to it.
#pragma once
#include <cstring>

#include "perf/replay/frame.h"

namespace ravelin::perf {

/// Of one flow; the address is 0 until it is known.
struct Outer {
    be32 address;
    be16 port;
};

/// Reads it from a frame of IPv4 that has left by wan.
inline Outer outer_of(const uint8_t* frame, Layout layout) {
    const Offsets k = Offsets::of(layout);
    Outer outer;
    std::memcpy(&outer.address, frame + k.source, sizeof outer.address);
    std::memcpy(&outer.port, frame + k.ports(), sizeof outer.port);
    return outer;
}

/// Writes it into a frame of IPv4: as what a frame by lan comes from once it has left, or as where
/// one by wan goes to.
inline void write_outer(uint8_t* frame, Layout layout, const Outer& outer, uint8_t side) {
    if (outer.address.raw() == 0) return;
    const Offsets k = Offsets::of(layout);
    uint8_t* address = frame + (side == 0 ? k.source : k.destination);
    uint32_t before;
    be16 checksum;
    std::memcpy(&before, address, sizeof before);
    std::memcpy(&checksum, frame + k.checksum, sizeof checksum);
    // RFC 1624, equation 3.
    checksum = net::checksum_finish(uint64_t{static_cast<uint16_t>(~checksum.raw())} + ~before +
                                    outer.address.raw());
    std::memcpy(frame + k.checksum, &checksum, sizeof checksum);
    std::memcpy(address, &outer.address, sizeof outer.address);
    std::memcpy(frame + k.ports() + (side == 0 ? 0 : 2), &outer.port, sizeof outer.port);
}

}  // namespace ravelin::perf
