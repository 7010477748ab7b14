// SPDX-License-Identifier: Apache-2.0
// Every constant limit, with its reason.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ravelin::limits {

inline constexpr unsigned kBurst = 32;          ///< frames in the pipeline: header lines fit L1
inline constexpr unsigned kArrivals = 64;       ///< frames a rx call asks for: more misses overlap
inline constexpr unsigned kMaxWorkers = 32;     ///< one bit each in a mask, N^2 handoff rings
inline constexpr unsigned kMaxPorts = 64;       ///< as DPDK's default RTE_MAX_ETHPORTS allows
inline constexpr unsigned kMaxRules = 65536;    ///< hit counters are a fixed array a worker
inline constexpr unsigned kHandoffRing = 1024;  ///< a 250 Hz tick stalls 20 us = 340 packets
inline constexpr size_t kEventRing = 1 << 20;   ///< bytes a worker; ~4,000 log records
inline constexpr uint32_t kMaxMessage = 256u << 20;  ///< control frame: a full table is 20 MB
inline constexpr unsigned kPullUp = 256;  ///< header bytes made contiguous in a chained frame
inline constexpr unsigned kMaxExtensionHeaders =
    8;                                       ///< RFC 8504 section 5.3 lets a host limit them
inline constexpr unsigned kMaxVlanTags = 2;  ///< 802.1Q and QinQ
inline constexpr unsigned kMaxFrame = 9728;  ///< jumbo, and tags

}  // namespace ravelin::limits
