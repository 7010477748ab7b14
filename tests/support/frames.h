// SPDX-License-Identifier: Apache-2.0
// Frames for tests: each stands in a heap buffer of exactly its size, so that AddressSanitizer sees
// a read of one byte too many. Needs EAL (test_eal()).
#pragma once
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ravelin::test {

using Bytes = std::vector<uint8_t>;

/// Starts EAL once per process: no hugepages, no devices, no files. Returns a pool of 8191
/// buffers whose private area holds PacketMeta.
rte_mempool* test_eal();

/// A frame of one segment, attached to an exact-size heap buffer.
rte_mbuf* exact_frame(const Bytes& bytes);
/// The same bytes cut into segments after each of `cuts` (ascending offsets).
rte_mbuf* segmented_frame(const Bytes& bytes, const std::vector<size_t>& cuts);
/// All bytes of all segments.
Bytes bytes_of(const rte_mbuf* frame);

}  // namespace ravelin::test
