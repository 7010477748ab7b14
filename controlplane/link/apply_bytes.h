// SPDX-License-Identifier: Apache-2.0
// An Apply request around an already encoded policy: a restart must not decode a full routing
// table.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control.pb.h"

namespace ravelin::control {

/// The bytes of ToDataplane{id, apply{policy, confirm_ms, live}, keep}; `live` may be null.
std::string apply_bytes(uint64_t id, std::string_view snapshot, uint32_t confirm_ms,
                        const model::LiveChange* live = nullptr,
                        const std::vector<model::Path>& keep = {});

}  // namespace ravelin::control
