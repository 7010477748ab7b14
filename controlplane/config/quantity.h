// SPDX-License-Identifier: Apache-2.0
// Numbers with units: durations, sizes, rates, packet rates. Exact integers in, exact text out.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/config/schema.h"
#include "dataplane/result.h"

namespace ravelin::config {

/// A unit and how many of the tree's unit it holds: {"ms", 1'000'000}.
struct Unit {
    std::string_view name;
    int64_t factor;
};

/// Units of kDuration, kSize, kRate, kPacketRate, kCycleRate, smallest first; empty for other
/// types.
std::span<const Unit> units_of(Type type);

/// "1.5Gbit" -> 1'500'000'000. For kInteger a plain decimal. The error says what was expected,
/// without a position. Decimals must come out whole; overflow is an error.
Result<int64_t> parse_quantity(Type type, std::string_view text);

/// The shortest exact text with the largest fitting unit: 65536 -> "64KiB", 1500 -> "1500B".
std::string format_quantity(Type type, int64_t value);

/// "64B to 9KB", "at least 1s", "at most 10": the limits of a field; empty where there are none.
std::string format_range(const Field& field);

}  // namespace ravelin::config
