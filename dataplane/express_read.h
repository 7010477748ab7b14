// SPDX-License-Identifier: Apache-2.0
// Reading the packets of a receive call into the columns of an ExpressBurst: sixteen at once where
// the CPU has AVX-512 with VBMI, one after the other elsewhere. Both say the same
// (tests/unit/express_read_test.cc).
#pragma once
#include "dataplane/express.h"

namespace ravelin::express {

/// The bits of the packets that are plain, to the port with MAC `own`, and their columns. Of others
/// source and destination are filled if they are IPv4, else 0. Nothing is read behind ARP or a
/// frame that nobody can tell apart from it. Needs burst.frames and burst.count.
uint64_t read(ExpressBurst& burst, const MacAddress& own) noexcept;
/// The same without vectors.
uint64_t read_one_by_one(ExpressBurst& burst, const MacAddress& own) noexcept;

}  // namespace ravelin::express
