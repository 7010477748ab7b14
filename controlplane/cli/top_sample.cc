// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/top_sample.h"

#include <algorithm>
#include <chrono>

#include "controlplane/cli/failure.h"
#include "controlplane/cli/units.h"

namespace ravelin::cli {
namespace {

double monotonic_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

double increase(double before, double now) { return now >= before ? now - before : now; }

std::vector<Named> increases(const std::map<std::string, double>& before,
                             const std::map<std::string, double>& now, double seconds) {
    std::vector<Named> out;
    for (const auto& [name, value] : now) {
        const auto old = before.find(name);
        const double n = increase(old == before.end() ? 0 : old->second, value);
        if (n > 0) out.push_back({name, n / seconds});
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const Named& a, const Named& b) { return a.per_second > b.per_second; });
    return out;
}

PortCounts port_rates(const PortCounts& before, const PortCounts& now, double seconds) {
    return {increase(before.rx_packets, now.rx_packets) / seconds,
            increase(before.rx_bytes, now.rx_bytes) / seconds,
            increase(before.tx_packets, now.tx_packets) / seconds,
            increase(before.tx_bytes, now.tx_bytes) / seconds,
            increase(before.rx_missed, now.rx_missed) / seconds};
}

/// Cycles a second, the lesser of both units; 0: no cap.
double cpu_cap(const Json& caps, double hz) {
    const double percent = real(caps, "cpu") / 100 * hz, cycles = real(caps, "cycles");
    return percent == 0 || cycles == 0 ? percent + cycles : std::min(percent, cycles);
}

void take_principals(Client& client, Sample& s) {
    const Json answer = client.call("principals");
    const double hz = std::max(1.0, real(answer, "cycles_hz"));
    s.cycles_hz = hz * std::max(1.0, real(answer, "workers"));
    for (const Json& p : list(answer, "principals"))
        s.principals[text(p, "name")] = {
            real(p, "packets"), real(p, "bytes"),
            real(p, "cycles"),  real(p, "drops"),
            real(p, "flows"),   cpu_cap(p.value("caps", Json::object()), hz) / s.cycles_hz};
}

std::vector<PrincipalRates> principal_rates(const Sample& before, const Sample& now,
                                            double seconds) {
    std::vector<PrincipalRates> out;
    for (const auto& [name, counts] : now.principals) {
        const auto at = before.principals.find(name);
        const PrincipalCounts old = at == before.principals.end() ? PrincipalCounts{} : at->second;
        out.push_back({name,
                       {.packets = increase(old.packets, counts.packets) / seconds,
                        .bytes = increase(old.bytes, counts.bytes) / seconds,
                        .cycles = increase(old.cycles, counts.cycles) / seconds / now.cycles_hz,
                        .drops = increase(old.drops, counts.drops) / seconds,
                        .flows = counts.flows,
                        .cap = counts.cap}});
    }
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
        return a.second.cycles > b.second.cycles;
    });
    return out;
}

Json to_json(const std::vector<PrincipalRates>& list) {
    Json out = Json::array();
    for (const auto& [name, p] : list)
        out.push_back({{"name", name},
                       {"pps", p.packets},
                       {"bps", 8 * p.bytes},
                       {"cycles", p.cycles},
                       {"drops_pps", p.drops},
                       {"cap", p.cap},
                       {"flows", p.flows}});
    return out;
}

Json to_json(const std::vector<Named>& list) {
    Json out = Json::array();
    for (const Named& n : list) out.push_back({{"name", n.name}, {"pps", n.per_second}});
    return out;
}

}  // namespace

Sample take_sample(Client& client, bool by_principal) {
    Sample s;
    const Json status = client.call("status");
    s.generation = number(status, "generation");
    const Json dataplane = status.value("dataplane", Json());
    if (!dataplane.is_object())
        throw Failure(kFailed, "the data plane is down: " + text(status, "problem"));
    s.confirm_remaining_ms = number(dataplane, "confirm_remaining_ms");
    // Held: list() refers into them.
    const Json ports = client.call("ports"), workers = client.call("workers"),
               drops = client.call("drops"), rules = client.call("rules");
    const uint64_t now = unix_ms(), started = number(dataplane, "started_unix_ms");
    s.uptime_ms = now > started ? now - started : 0;
    for (const Json& p : list(ports, "ports"))
        s.ports[text(p, "name")] = {real(p, "rx_packets"), real(p, "rx_bytes"),
                                    real(p, "tx_packets"), real(p, "tx_bytes"),
                                    real(p, "rx_missed")};
    for (const Json& w : list(workers, "workers")) {
        const Json counters = w.value("counters", Json::object());
        s.workers.push_back({real(counters, "worker.busy_ns"), real(counters, "worker.idle_ns")});
        s.flows += number(counters, "flows.entries");
        s.unproven += number(counters, "flows.unproven");
    }
    for (const Json& d : list(drops, "drops"))
        s.drops[text(d, "name").substr(std::string_view("drop.").size())] = real(d, "value");
    for (const Json& r : list(rules, "rules")) s.rules[text(r, "name")] = real(r, "packets");
    if (by_principal) take_principals(client, s);
    s.seconds = monotonic_seconds();
    return s;
}

Rates rates(const Sample& before, const Sample& now) {
    const double seconds = std::max(now.seconds - before.seconds, 1e-3);
    Rates r{.generation = now.generation,
            .confirm_remaining_ms = now.confirm_remaining_ms,
            .uptime_ms = now.uptime_ms,
            .flows = now.flows,
            .unproven = now.unproven,
            .ports = {},
            .busy = {},
            .drops = {},
            .rules = {},
            .principals = principal_rates(before, now, seconds)};
    for (const auto& [name, counts] : now.ports) {
        const auto old = before.ports.find(name);
        r.ports[name] =
            port_rates(old == before.ports.end() ? counts : old->second, counts, seconds);
    }
    for (size_t w = 0; w < now.workers.size(); ++w) {
        const WorkerCounts old = w < before.workers.size() ? before.workers[w] : WorkerCounts{};
        const double busy = increase(old.busy_ns, now.workers[w].busy_ns);
        const double idle = increase(old.idle_ns, now.workers[w].idle_ns);
        r.busy.push_back(busy + idle > 0 ? busy / (busy + idle) : 0);
    }
    r.drops = increases(before.drops, now.drops, seconds);
    r.rules = increases(before.rules, now.rules, seconds);
    return r;
}

Json to_json(const Rates& r) {
    Json ports = Json::array(), workers = Json::array();
    for (const auto& [name, p] : r.ports)
        ports.push_back({{"name", name},
                         {"rx_pps", p.rx_packets},
                         {"rx_bps", 8 * p.rx_bytes},
                         {"tx_pps", p.tx_packets},
                         {"tx_bps", 8 * p.tx_bytes},
                         {"rx_missed_pps", p.rx_missed}});
    for (size_t w = 0; w < r.busy.size(); ++w)
        workers.push_back({{"worker", w}, {"busy", r.busy[w]}});
    return {{"generation", r.generation},   {"confirm_remaining_ms", r.confirm_remaining_ms},
            {"uptime_ms", r.uptime_ms},     {"flows", r.flows},
            {"flows_unproven", r.unproven}, {"ports", ports},
            {"workers", workers},           {"drops", to_json(r.drops)},
            {"rules", to_json(r.rules)},    {"principals", to_json(r.principals)}};
}

}  // namespace ravelin::cli
