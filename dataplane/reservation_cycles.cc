// SPDX-License-Identifier: Apache-2.0
// What reservations say of cycles.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>

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

/// The functions of `principal`, one behind the other. Up to one that is not declared, or where
/// they begin again: that is told where it stands.
Result<std::vector<const Node*>> functions_of(const Node& config, const std::string& principal) {
    const Node& functions = config["functions"];
    if (auto s = check_stated(functions); !s) return std::move(s.error());
    const Node* const who = named(config["principals"], principal);
    if (who == nullptr || !who->has("function"))
        return Error{fmt::format("cpu: found for '{}', which has no function, expected one with",
                                 principal)};
    for (const char* const what : {"cpu", "cycles"})
        if (auto s = check_uncapped(config["principals"], principal, "cpu", what); !s)
            return std::move(s.error());
    std::vector<const Node*> out;
    const Node* at = named(functions, (*who)["function"].as_text());
    for (; at != nullptr && std::ranges::find(out, at) == out.end();
         at = named(functions, (*at)["next"].as_text()))
        out.push_back(at);
    return out;
}

using Some = std::span<const Node* const>;

/// Those next to each other on one worker together; one that names none runs where the one before
/// it did. A principal has one budget on a worker, so each is met once.
Result<std::vector<ReservedPart>> parts_of(Some functions) {
    std::vector<ReservedPart> out;
    for (const Node* function : functions) {
        const WorkerId to = worker_of(*function);
        const auto wrong = [&](const std::string& what) {
            return Error{fmt::format("cpu: function '{}' runs on worker {}, {}",
                                     (*function)["name"].as_text(), to, what)};
        };
        if (out.empty() || (to != kAnyWorker && to != out.back().worker)) {
            if (!out.empty() && out.back().worker == kAnyWorker)
                return wrong(fmt::format("and '{}' before it on any, expected one that is named",
                                         (*functions.front())["name"].as_text()));
            if (std::ranges::find(out, to, &ReservedPart::worker) != out.end())
                return wrong("which packets have left before, expected one that they meet once");
            out.push_back({.worker = to, .contract = {}});
        }
        ++out.back().runs;
    }
    return out;
}

Status check_work(uint64_t cycles, uint64_t stated, const std::string& whose) {
    if (stated <= cycles) return ok_status();
    return Error{
        fmt::format("cpu: found {} cycles, expected at least the {} that {} a packet takes", cycles,
                    stated, whose)};
}

/// Of all together.
Status check_sum(uint64_t cycles, Some functions) {
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

std::string names_of(Some functions) {
    std::string out;
    for (const Node* function : functions)
        out += (out.empty() ? "" : ", ") + (*function)["name"].as_text();
    return out;
}

/// Of `runs`, in their order.
void add_up(const std::vector<ReservedRun>& runs, std::vector<ReservedPart>& parts) {
    size_t at = 0;
    for (ReservedPart& part : parts)
        for (size_t i = 0; i < part.runs; ++i) part.contract.work += runs[at++].cycles;
}

/// Whether packets of one find what was reserved for the other: on each worker anybody's do.
bool meet_alike(const std::vector<ReservedPart>& one, const std::vector<ReservedPart>& other) {
    if (one.size() == 1 && other.size() == 1 && other.front().worker == kAnyWorker) return true;
    return std::ranges::equal(one, other, {}, &ReservedPart::worker, &ReservedPart::worker);
}

std::string places_of(const std::vector<ReservedPart>& parts) {
    if (parts.empty() || parts.front().worker == kAnyWorker) return "any worker";
    std::string out;
    for (const ReservedPart& part : parts)
        out += fmt::format("{}{}", out.empty() ? "worker " : ", then ", part.worker);
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
    to.parts = {{.runs = to.runs.size(), .contract = {.work = to.cycles.work}}};
    const auto functions = functions_of(config, to.principal);
    if (!functions) return functions.error();
    if (functions->empty()) return ok_status();  // not declared: told where it stands
    auto parts = parts_of(*functions);
    if (!parts) return std::move(parts.error());
    if (to.runs.size() == functions->size()) {
        add_up(to.runs, *parts);
        to.parts = std::move(*parts);
        return read_each(*functions, to);
    }
    if (to.runs.size() != 1 || parts->size() != 1)
        return Error{fmt::format("cpu: found cycles of {} functions, expected those of {}: {}",
                                 to.runs.size(), functions->size(), names_of(*functions))};
    to.parts.front().worker = parts->front().worker;
    to.parts.front().runs = functions->size();
    to.runs.clear();
    for (const Node* function : *functions)
        to.runs.push_back({.function = (*function)["name"].as_text(), .cycles = 0});
    return check_sum(to.cycles.work, *functions);
}

Status check_shared(const Node& config, const std::string& principal,
                    const std::vector<ReservedPart>& parts) {
    const auto functions = functions_of(config, principal);
    if (!functions) return functions.error();
    if (functions->empty()) return ok_status();  // not declared: told where it stands
    const auto own = parts_of(*functions);
    if (!own) return own.error();
    if (!meet_alike(*own, parts))
        return Error{fmt::format(
            "cpu: found for '{}', whose functions run on {}, expected {}, as those whose cycles it "
            "shares",
            principal, places_of(*own), places_of(parts))};
    Some rest = *functions;
    for (size_t i = 0; i < own->size(); ++i) {
        const Some here = rest.first((*own)[i].runs);
        rest = rest.subspan(here.size());
        if (here.size() > parts[i].runs)
            return Error{fmt::format(
                "cpu: found for '{}', whose packets go through {} functions ({}), expected at most "
                "{}, as those whose cycles it shares",
                principal, here.size(), names_of(here), parts[i].runs)};
        if (auto s = check_sum(parts[i].contract.work, here); !s) return s;
    }
    return ok_status();
}

void split_cycles(const Node& parts, uint64_t deadline_ns, Reservation& to) {
    std::vector<uint64_t> times;
    for (const std::string& text : texts_of(parts)) {
        uint64_t ns = 0;
        std::from_chars(text.data(), text.data() + text.size(), ns);
        times.push_back(std::clamp<uint64_t>(ns, 1, deadline_ns));
    }
    if (times.size() != to.parts.size() || times.size() == 1)  // one has all of it
        times.assign(to.parts.size(), deadline_ns / std::max<size_t>(to.parts.size(), 1));
    for (size_t i = 0; i < times.size(); ++i) {
        to.parts[i].contract.period_ns = to.cycles.period_ns;
        to.parts[i].contract.deadline_ns = times[i];
    }
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
