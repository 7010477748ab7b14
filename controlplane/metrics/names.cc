// SPDX-License-Identifier: Apache-2.0
#include "controlplane/metrics/names.h"

#include <fmt/format.h>

namespace ravelin::metrics {
namespace {

constexpr std::string_view kNanoseconds = "_ns";

/// Cuts `text` at its first dot; the second part is empty where there is none.
std::pair<std::string_view, std::string_view> cut(std::string_view text) {
    const size_t dot = text.find('.');
    if (dot == std::string_view::npos) return {text, {}};
    return {text.substr(0, dot), text.substr(dot + 1)};
}

/// Prometheus allows letters, digits and underscores.
std::string identifier(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        const bool fine =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!fine) c = '_';
    }
    return out;
}

/// "ravelin_worker_busy_seconds_total" of "worker" and "busy_ns".
MetricName named(std::string_view room, std::string_view what, CounterKind kind) {
    MetricName m;
    std::string word = identifier(what);
    if (word.ends_with(kNanoseconds)) {
        word.replace(word.size() - kNanoseconds.size(), kNanoseconds.size(), "_seconds");
        m.scale = 1e-9;
    }
    const char* total = kind == CounterKind::kCounter ? "_total" : "";
    m.family = fmt::format("ravelin_{}_{}{}", room, word, total);
    return m;
}

std::optional<MetricName> of_port(std::string_view rest, CounterKind kind) {
    const size_t dot = rest.rfind('.');  // a port's name may hold dots
    if (dot == std::string_view::npos) return std::nullopt;
    MetricName m = named("port", rest.substr(dot + 1), kind);
    m.labels = {{"port", std::string(rest.substr(0, dot))}};
    return m;
}

std::optional<MetricName> of_stage(std::string_view stage, std::string_view what,
                                   CounterKind kind) {
    MetricName m;
    const bool gauge = kind == CounterKind::kGauge;
    m.family = gauge ? "ravelin_stage_level" : "ravelin_stage_events_total";
    m.help = gauge ? "Levels a stage keeps, by stage; ravelin_counter_info explains each."
                   : "What a stage counts besides drops; ravelin_counter_info explains each event.";
    m.labels = {{"stage", std::string(stage)}, {"event", std::string(what)}};
    return m;
}

}  // namespace

std::optional<MetricName> metric_name(std::string_view counter, CounterKind kind) {
    const auto [room, rest] = cut(counter);
    if (rest.empty() || counter == "pipeline.none") return std::nullopt;
    if (room == "port") return of_port(rest, kind);
    if (room == "drop") {
        const auto [stage, reason] = cut(rest);
        return MetricName{
            .family = "ravelin_drop_packets_total",
            .help =
                "Packets dropped, by stage and reason; ravelin_counter_info explains each reason.",
            .labels = {{"stage", std::string(stage)}, {"reason", std::string(reason)}}};
    }
    if (room != "worker" && room != "flows") return of_stage(room, rest, kind);
    MetricName m = named(room, rest, kind);
    m.per_worker = true;
    return m;
}

}  // namespace ravelin::metrics
