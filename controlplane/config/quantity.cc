// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

#include "controlplane/config/wording.h"

namespace ravelin::config {
namespace {

__extension__ using Wide = unsigned __int128;  // whole * factor stays below 2^112

constexpr int64_t kThousand = 1000, kMinute = 60'000'000'000;
constexpr std::array kDurationUnits{
    Unit{"ns", 1},      Unit{"us", kThousand},   Unit{"ms", 1'000'000},    Unit{"s", 1'000'000'000},
    Unit{"m", kMinute}, Unit{"h", 60 * kMinute}, Unit{"d", 1440 * kMinute}};
constexpr std::array kSizeUnits{
    Unit{"B", 1},         Unit{"KB", kThousand},     Unit{"KiB", 1 << 10}, Unit{"MB", 1'000'000},
    Unit{"MiB", 1 << 20}, Unit{"GB", 1'000'000'000}, Unit{"GiB", 1 << 30}};
constexpr std::array kRateUnits{Unit{"bit", 1}, Unit{"Kbit", kThousand}, Unit{"Mbit", 1'000'000},
                                Unit{"Gbit", 1'000'000'000}};
constexpr std::array kPacketRateUnits{Unit{"pps", 1}, Unit{"kpps", kThousand},
                                      Unit{"Mpps", 1'000'000}};
constexpr std::array kCycleRateUnits{Unit{"cyc/s", 1}, Unit{"kcyc/s", kThousand},
                                     Unit{"Mcyc/s", 1'000'000}, Unit{"Gcyc/s", 1'000'000'000}};
constexpr size_t kMaxWholeDigits = 19, kMaxFractionDigits = 18;

std::string_view expectation(Type type) {
    switch (type) {
        case Type::kDuration:
            return "a duration with a unit, like 10ms, 5s or 2h";
        case Type::kSize:
            return "a size with a unit, like 1500B, 64KB or 4MiB";
        case Type::kRate:
            return "a rate with a unit, like 10Mbit or 1.5Gbit";
        case Type::kPacketRate:
            return "a packet rate with a unit, like 100pps or 10kpps";
        case Type::kCycleRate:
            return "cycles a second with a unit, like 200Mcyc/s or 1.5Gcyc/s";
        default:
            return "a whole number";
    }
}

Error found(std::string_view text, std::string_view rest) {
    return Error{fmt::format("found {}, {}", shown(text), rest)};
}

size_t digits_at(std::string_view text, size_t at) {
    size_t end = at;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    return end - at;
}

Wide digits_value(std::string_view digits) {
    Wide out = 0;
    for (const char c : digits) out = out * 10 + static_cast<unsigned>(c - '0');
    return out;
}

const Unit* find_unit(Type type, std::string_view name) {
    for (const Unit& unit : units_of(type))
        if (unit.name == name) return &unit;
    return nullptr;
}

Error no_unit(Type type, std::string_view text, std::string_view unit) {
    std::vector<std::string_view> names;
    for (const Unit& u : units_of(type)) names.push_back(u.name);
    if (unit.empty() || unit.size() > 8)
        return found(text, fmt::format("expected {}", expectation(type)));
    return found(text, fmt::format("expected one of the units {}{}", join(names),
                                   did_you_mean(unit, names)));
}

Result<int64_t> parse_integer(std::string_view text) {
    const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
    int64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status == std::errc::result_out_of_range && end == text.data() + text.size())
        return found(text, "which is too large");
    const bool padded = digits.size() > 1 && digits.front() == '0';  // octal elsewhere in YAML
    if (status != std::errc{} || end != text.data() + text.size() || padded)
        return found(text, "expected a whole number");
    return value;
}

}  // namespace

std::span<const Unit> units_of(Type type) {
    switch (type) {
        case Type::kDuration:
            return kDurationUnits;
        case Type::kSize:
            return kSizeUnits;
        case Type::kRate:
            return kRateUnits;
        case Type::kPacketRate:
            return kPacketRateUnits;
        case Type::kCycleRate:
            return kCycleRateUnits;
        default:
            return {};
    }
}

Result<int64_t> parse_quantity(Type type, std::string_view text) {
    if (units_of(type).empty()) return parse_integer(text);
    const size_t whole = digits_at(text, 0);
    size_t at = whole, fraction = 0;
    if (at < text.size() && text[at] == '.') {
        fraction = digits_at(text, at + 1);
        at += 1 + fraction;
    }
    if (whole == 0 || (at != whole && fraction == 0)) return no_unit(type, text, {});
    const Unit* unit = find_unit(type, text.substr(at));
    if (unit == nullptr) return no_unit(type, text, text.substr(at));
    if (whole > kMaxWholeDigits) return found(text, "which is too large");
    if (fraction > kMaxFractionDigits) return found(text, "which has too many decimals");
    const Wide factor = static_cast<Wide>(unit->factor);
    Wide scale = 1;
    for (size_t i = 0; i < fraction; ++i) scale *= 10;
    const Wide parts = digits_value(text.substr(at - fraction, fraction)) * factor;
    if (parts % scale != 0)
        return found(text,
                     fmt::format("which is not a whole number of {}", units_of(type)[0].name));
    const Wide total = digits_value(text.substr(0, whole)) * factor + parts / scale;
    if (total > static_cast<Wide>(INT64_MAX)) return found(text, "which is too large");
    return static_cast<int64_t>(total);
}

std::string format_quantity(Type type, int64_t value) {
    const auto units = units_of(type);
    if (units.empty()) return fmt::format("{}", value);
    const Unit* best = &units[0];
    for (const Unit& unit : units)
        if (value != 0 && value % unit.factor == 0) best = &unit;
    return fmt::format("{}{}", value / best->factor, best->name);
}

std::string format_range(const Field& field) {
    const bool low = field.minimum != INT64_MIN, high = field.maximum != INT64_MAX;
    const std::string from = format_quantity(field.type, field.minimum);
    const std::string to = format_quantity(field.type, field.maximum);
    if (low && high) return fmt::format("{} to {}", from, to);
    if (low) return fmt::format("at least {}", from);
    return high ? fmt::format("at most {}", to) : std::string();
}

}  // namespace ravelin::config
