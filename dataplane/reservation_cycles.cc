// SPDX-License-Identifier: Apache-2.0
// What reservations say of cycles.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "dataplane/reservations.h"

namespace ravelin {

using config::Node;

Status check_work(const Node& config, const std::string& principal, uint64_t cycles) {
    const auto& functions = config["functions"].items();
    const auto& principals = config["principals"].items();
    for (const Node& function : functions)
        if (!function.has("work"))
            return Error{fmt::format(
                "cpu: function '{}' does not say its work, expected that of each while cycles are "
                "reserved",
                function["name"].as_text())};
    const auto named = [](const auto& list, const std::string& name) {
        return std::ranges::find(list, name, [](const Node& n) { return n["name"].as_text(); });
    };
    const auto who = named(principals, principal);
    if (who == principals.end() || !who->has("function"))
        return Error{fmt::format("cpu: found for '{}', which has no function, expected one with",
                                 principal)};
    for (const Node& above : principals)
        if (const std::string& name = above["name"].as_text();
            above["caps"].has("cpu") && (principal + "/").starts_with(name + "/"))
            return Error{fmt::format(
                "cpu: found for '{}', whose packets the cap of '{}' on cpu may drop, expected one "
                "without",
                principal, name)};
    const auto function = named(functions, (*who)["function"].as_text());
    if (function == functions.end()) return ok_status();  // told where it stands
    // Each hop would be a job by itself, a period behind the one before.
    if (function->has("next"))
        return Error{fmt::format(
            "cpu: found for '{}', whose function '{}' passes packets on to '{}', expected one that "
            "does not: cycles of chains are not promised",
            principal, (*who)["function"].as_text(), (*function)["next"].as_text())};
    const auto work = static_cast<uint64_t>((*function)["work"].as_integer());
    if (work > cycles)
        return Error{fmt::format(
            "cpu: found {} cycles, expected at least the {} that its function says a packet takes",
            cycles, work)};
    return ok_status();
}

Result<uint64_t> cycles_of(const std::string& text) {
    constexpr std::string_view kUnit = "cyc/pkt";
    constexpr uint64_t kMost = 1'000'000'000;
    uint64_t cycles = 0;
    const char* const end = text.data() + text.size();
    const auto [unit, wrong] = std::from_chars(text.data(), end, cycles);
    if (wrong != std::errc{} || std::string_view(unit, end) != kUnit || cycles == 0 ||
        cycles > kMost)
        return Error{fmt::format(
            "cpu: found '{}', expected cycles a packet like 600cyc/pkt, at most {}, or shared-with "
            "and a principal",
            text, kMost)};
    return cycles;
}

std::string shared_with_of(const std::string& cpu) {
    constexpr std::string_view kWord = "shared-with ";
    return cpu.starts_with(kWord) ? cpu.substr(kWord.size()) : std::string();
}

}  // namespace ravelin
