// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>

namespace ravelin::cli {
namespace {

/// Three digits: "1.23", "12.3", "123".
std::string three_digits(double value) {
    return fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

std::string formatted_time(uint64_t unix_s, const char* format) {
    const auto when = static_cast<time_t>(unix_s);
    tm parts{};
    localtime_r(&when, &parts);
    std::array<char, 64> text{};
    return {text.data(), strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

std::string grouped(uint64_t value) {
    std::string digits = std::to_string(value);
    for (auto at = static_cast<ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<size_t>(at), 1, ',');
    return digits;
}

std::string scaled(double value, std::string_view unit) {
    constexpr std::array<const char*, 5> kPrefix{"", "k", "M", "G", "T"};
    size_t step = 0;
    while (std::abs(value) >= 999.5 && step + 1 < kPrefix.size()) {
        value /= 1000;
        ++step;
    }
    const bool whole = step == 0 && std::abs(value - std::round(value)) < 1e-9;
    std::string text = whole ? fmt::format("{:.0f}", value) : three_digits(value);
    if (step > 0 || !unit.empty()) text += ' ';
    return text.append(kPrefix[step]).append(unit);
}

std::string bytes(uint64_t value) {
    constexpr std::array<const char*, 5> kUnit{"B", "KiB", "MiB", "GiB", "TiB"};
    if (value < 1024) return fmt::format("{} B", value);
    double scaled_down = static_cast<double>(value);
    size_t step = 0;
    while (scaled_down >= 1023.5 && step + 1 < kUnit.size()) {
        scaled_down /= 1024;
        ++step;
    }
    return three_digits(scaled_down) + ' ' + kUnit[step];
}

std::string duration(uint64_t milliseconds) {
    if (milliseconds < 1000) return fmt::format("{} ms", milliseconds);
    const uint64_t s = milliseconds / 1000;
    if (s < 100) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{}m {}s", s / 60, s % 60);
    if (s < 86400) return fmt::format("{}h {}m", s / 3600, s % 3600 / 60);
    return fmt::format("{}d {}h", s / 86400, s % 86400 / 3600);
}

uint64_t unix_ms() {
    using namespace std::chrono;
    return static_cast<uint64_t>(
        std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

std::string local_time(uint64_t unix_ms) {
    return unix_ms == 0 ? "-" : formatted_time(unix_ms / 1000, "%Y-%m-%d %H:%M:%S");
}

std::string clock_time(uint64_t unix_ns) {
    return fmt::format("{}.{:09}", formatted_time(unix_ns / 1'000'000'000, "%H:%M:%S"),
                       unix_ns % 1'000'000'000);
}

std::optional<uint64_t> parse_duration(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value > 1'000'000'000) return std::nullopt;
    const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
    if (unit == "ms") return value;
    if (unit == "s") return value * 1000;
    if (unit == "m" || unit == "min") return value * 60'000;
    if (unit == "h") return value * 3'600'000;
    return std::nullopt;
}

std::string bar(double share, unsigned width, bool plain) {
    constexpr std::array<const char*, 8> kEighth{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const double cells = std::clamp(share, 0.0, 1.0) * width;
    std::string out;
    for (unsigned i = 0; i < width; ++i) {
        const double rest = cells - i;
        if (plain)
            out += rest >= 0.5 ? '#' : '.';
        else if (rest >= 1)
            out += "█";
        else
            out += rest > 0 ? kEighth[static_cast<size_t>(rest * 8)] : " ";
    }
    return out;
}

}  // namespace ravelin::cli
