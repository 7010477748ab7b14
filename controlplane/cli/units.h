// SPDX-License-Identifier: Apache-2.0
// Numbers as an operator reads and writes them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ravelin::cli {

/// 1234567 -> "1,234,567".
std::string grouped(uint64_t value);
/// "12.3 k", "4.56 M": three digits, decimal prefixes, with `unit` behind ("12.3 kbit/s").
std::string scaled(double value, std::string_view unit = "");
/// "512 B", "1.50 KiB".
std::string bytes(uint64_t value);
/// "850 ms", "59 s", "3m 20s", "2h 5m", "4d 3h".
std::string duration(uint64_t milliseconds);
/// Milliseconds since 1970.
uint64_t unix_ms();
/// "2026-11-21 06:39:07" in local time; "-" for 0.
std::string local_time(uint64_t unix_ms);
/// "06:39:07.123456789" in local time.
std::string clock_time(uint64_t unix_ns);
/// "60s", "500ms", "5m", "1h" in milliseconds; nothing where the unit is missing or unknown.
std::optional<uint64_t> parse_duration(std::string_view text);
/// A bar of `width` cells, `share` of it filled; drawn with ASCII where `plain`.
std::string bar(double share, unsigned width, bool plain);

}  // namespace ravelin::cli
