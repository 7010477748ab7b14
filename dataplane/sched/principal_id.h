// SPDX-License-Identifier: Apache-2.0
// The number of a principal: what packets, flows and queues carry of it.
#pragma once
#include <cstdint>

namespace ravelin::sched {

enum class PrincipalId : uint32_t {};
constexpr uint32_t index(PrincipalId id) { return static_cast<uint32_t>(id); }

/// Generic flows and control messages: on a CPU served before everybody (S16, S17), on a link in
/// the shares like anybody.
inline constexpr PrincipalId kCorePrincipal{0};
/// Polling that found nothing. It has no queue and is never scheduled; it only owns cycles.
inline constexpr PrincipalId kIdlePrincipal{1};
inline constexpr uint32_t kFirstPrincipal = 2;
inline constexpr PrincipalId kNoPrincipal{UINT32_MAX};

inline constexpr uint32_t kMaxPrincipals = 65536;  ///< accounts take 192 bytes each a worker

}  // namespace ravelin::sched
