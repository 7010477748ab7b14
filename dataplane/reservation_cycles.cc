// SPDX-License-Identifier: Apache-2.0
// What reservations say of cycles.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "dataplane/any_worker.h"
#include "dataplane/reservations.h"

namespace ravelin {

using config::Node;

namespace {

const Node* named(const Node& list, const std::string& name) {
    const auto found = std::ranges::find(list.items(), name,
                                         [](const Node& one) { return one["name"].as_text(); });
    return found == list.items().end() ? nullptr : &*found;
}

/// What one of `functions` takes for a packet, as it states.
uint64_t work_of(const Node& function) {
    return static_cast<uint64_t>(function["work"].as_integer());
}

/// Each must be one that can be reckoned with, as it may be in progress.
Status check_stated(const Node& functions) {
    for (const Node& function : functions.items())
        if (!function.has("work"))
            return Error{fmt::format(
                "cpu: function '{}' does not say its work, expected that of each while cycles are "
                "reserved",
                function["name"].as_text())};
    return ok_status();
}

/// On one worker all together: one that names none runs where the one before it did.
Status check_one_worker(const std::string& principal, const std::vector<const Node*>& functions) {
    for (size_t i = 1; i < functions.size(); ++i) {
        const WorkerId to = worker_of(*functions[i]);
        if (to == kAnyWorker || to == worker_of(*functions.front())) continue;
        return Error{fmt::format(
            "cpu: found for '{}', of whose functions '{}' runs on worker {} and '{}' on {}, "
            "expected all on one worker",
            principal, (*functions[i])["name"].as_text(), to,
            (*functions.front())["name"].as_text(),
            worker_of(*functions.front()) == kAnyWorker
                ? "any"
                : fmt::format("worker {}", worker_of(*functions.front())))};
    }
    return ok_status();
}

/// The functions of `principal`, one behind the other. Up to one that is not declared, or where
/// they begin again: that is told where it stands.
Result<std::vector<const Node*>> functions_of(const Node& config, const std::string& principal) {
    const Node& functions = config["functions"];
    if (auto s = check_stated(functions); !s) return std::move(s.error());
    const Node* const who = named(config["principals"], principal);
    if (who == nullptr || !who->has("function"))
        return Error{fmt::format("cpu: found for '{}', which has no function, expected one with",
                                 principal)};
    if (auto s = check_uncapped(config["principals"], principal, "cpu", "cpu"); !s)
        return std::move(s.error());
    std::vector<const Node*> out;
    const Node* at = named(functions, (*who)["function"].as_text());
    for (; at != nullptr && out.size() < functions.items().size();
         at = named(functions, (*at)["next"].as_text()))
        out.push_back(at);
    if (auto s = check_one_worker(principal, out); !s) return std::move(s.error());
    return out;
}

Status check_work(uint64_t cycles, uint64_t stated, const std::string& whose) {
    if (stated <= cycles) return ok_status();
    return Error{
        fmt::format("cpu: found {} cycles, expected at least the {} that {} a packet takes", cycles,
                    stated, whose)};
}

/// Of all together.
Status check_sum(uint64_t cycles, const std::vector<const Node*>& functions) {
    uint64_t stated = 0;
    for (const Node* function : functions) stated += work_of(*function);
    return check_work(cycles, stated,
                      functions.size() == 1 ? "its function says" : "its functions together say");
}

/// Of each: as many as there are functions.
Status read_each(const std::vector<const Node*>& functions, Reservation& to) {
    for (size_t i = 0; i < to.runs.size(); ++i) {
        const Node& function = *functions[i];
        to.runs[i].function = function["name"].as_text();
        if (auto s = check_work(to.runs[i].cycles, work_of(function),
                                to.runs.size() == 1
                                    ? "its function says"
                                    : fmt::format("function '{}' says", to.runs[i].function));
            !s)
            return s;
    }
    return ok_status();
}

std::string names_of(const std::vector<const Node*>& functions) {
    std::string out;
    for (const Node* function : functions)
        out += (out.empty() ? "" : ", ") + (*function)["name"].as_text();
    return out;
}

}  // namespace

Status check_uncapped(const Node& principals, const std::string& principal, const std::string& of,
                      const std::string& what) {
    for (const Node& above : principals.items())
        if (const std::string& name = above["name"].as_text();
            above["caps"].has(what) && (principal + "/").starts_with(name + "/"))
            return Error{fmt::format(
                "{}: found for '{}', whose packets the cap of '{}' on {} may drop, expected one "
                "without",
                of, principal, name, what)};
    return ok_status();
}

Status read_cycles(const Node& cpu, const Node& config, Reservation& to) {
    const std::vector<std::string> texts = texts_of(cpu);
    to.shared_with = texts.empty() ? "" : shared_with_of(texts.front());
    if (!to.shared_with.empty() && texts.size() == 1) return ok_status();
    to.shared_with.clear();
    for (const std::string& text : texts) {
        const auto cycles = cycles_of(text);
        if (!cycles) return cycles.error();
        to.cycles.work += *cycles;
        to.runs.push_back({.function = {}, .cycles = *cycles});
    }
    const auto functions = functions_of(config, to.principal);
    if (!functions) return functions.error();
    if (functions->empty()) return ok_status();  // not declared: told where it stands
    if (to.runs.size() == functions->size()) return read_each(*functions, to);
    if (to.runs.size() != 1)
        return Error{fmt::format("cpu: found cycles of {} functions, expected those of {}: {}",
                                 to.runs.size(), functions->size(), names_of(*functions))};
    to.runs.clear();
    for (const Node* function : *functions)
        to.runs.push_back({.function = (*function)["name"].as_text(), .cycles = 0});
    return check_sum(to.cycles.work, *functions);
}

Status check_shared(const Node& config, const std::string& principal, uint64_t cycles,
                    size_t runs) {
    const auto functions = functions_of(config, principal);
    if (!functions) return functions.error();
    if (functions->size() > runs)
        return Error{fmt::format(
            "cpu: found for '{}', whose packets go through {} functions ({}), expected at most "
            "{}, as those whose cycles it shares",
            principal, functions->size(), names_of(*functions), runs)};
    return check_sum(cycles, *functions);
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
            "and a principal alone",
            text, kMost)};
    return cycles;
}

std::string shared_with_of(const std::string& cpu) {
    constexpr std::string_view kWord = "shared-with ";
    return cpu.starts_with(kWord) ? cpu.substr(kWord.size()) : std::string();
}

}  // namespace ravelin
