// SPDX-License-Identifier: Apache-2.0
// Under ThreadSanitizer: buffer pools whose give and take it can see. DPDK's own are in a library
// that is not instrumented, so that a buffer freed by one worker and taken by another looks like a
// race.
#pragma once

namespace ravelin::test {

/// Pools made from here on are such; does nothing without ThreadSanitizer. After EAL's start.
void use_seen_pools();

}  // namespace ravelin::test
