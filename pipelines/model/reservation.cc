// SPDX-License-Identifier: Apache-2.0
#include "pipelines/model/reservation.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "pipelines/model/reservation_schema.h"

namespace ravelin::model {
namespace {

using config::Node;

constexpr uint64_t kMostBytes = 9600;  // as ports' mtu
constexpr uint64_t kMostCycles = 1'000'000'000;
constexpr int64_t kSecond = 1'000'000'000;  // ns

/// "600cyc/pkt" or "1500", with or without the unit, or "shared-with NAME".
Result<Wanted> read_wanted(const std::string& text, std::string_view unit, uint64_t most,
                           const char* like) {
    const auto wrong = [&] {
        return Error{fmt::format("found '{}', expected 1 to {}, like {}, or {}NAME", text, most,
                                 like, kSharedWith)};
    };
    std::string_view rest = text;
    if (rest.starts_with(kSharedWith)) {
        rest.remove_prefix(kSharedWith.size());
        if (rest.empty() || rest.find(' ') != rest.npos) return wrong();
        return Wanted{.work = 0, .shared_with = std::string(rest)};
    }
    Wanted wanted;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), wanted.work);
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    if (error != std::errc{} || wanted.work == 0 || wanted.work > most ||
        !(rest.empty() || rest == unit))
        return wrong();
    return wanted;
}

std::optional<int64_t> time_of(const Node& time) {
    if (time.is_null()) return std::nullopt;
    return time.as_integer();
}

}  // namespace

bool Reservation::asks_as(const Reservation& other) const {
    return principal == other.principal && cpu == other.cpu && link == other.link &&
           in == other.in && out == other.out && period == other.period &&
           deadline == other.deadline;
}

Result<Reservation> read_reservation(const Node& node, unsigned tags) {
    Reservation out;
    out.principal = node["name"].as_text();
    out.in = node["in"].as_text();
    out.out = node["out"].as_text();
    out.period = kSecond / node["rate"].as_integer();
    out.deadline = node.has("deadline") ? node["deadline"].as_integer() : out.period;
    out.cpu_time = time_of(node["cpu-time"]);
    out.link_time = time_of(node["link-time"]);
    if (node.has("cpu")) {
        auto cpu = read_wanted(node["cpu"].as_text(), "cyc/pkt", kMostCycles, "600cyc/pkt");
        if (!cpu) return std::move(cpu.error()).within("cpu");
        out.cpu = std::move(*cpu);
    }
    if (node.has("bytes")) {
        auto link = read_wanted(node["bytes"].as_text(), "B", kMostBytes, "1500");
        if (!link) return std::move(link.error()).within("bytes");
        if (link->work != 0) link->work += kWireOverhead + 4 * tags;
        out.link = std::move(*link);
    }
    if (out.link && out.out.empty())
        return Error{"out: is missing, expected the port whose bytes are reserved"};
    if (!out.link && !out.out.empty())
        return Error{"bytes: is missing, expected what a packet takes of port " + out.out};
    if (!out.cpu && !out.link)
        return Error{"found neither cpu nor bytes, expected at least one to reserve"};
    return out;
}

Node granted(const Node& node, const Reservation& reservation) {
    Node out = node;
    if (reservation.cpu_time) out.set("cpu-time", Node::integer(*reservation.cpu_time));
    if (reservation.link_time) out.set("link-time", Node::integer(*reservation.link_time));
    return out;
}

}  // namespace ravelin::model
