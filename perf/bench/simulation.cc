// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/simulation.h"

#include <rte_cycles.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "dataplane/net/headers.h"
#include "perf/bench/report.h"

namespace ravelin::perf {
namespace {

uint64_t now_cycles = 0;
constexpr uint64_t kStartNs = 1'000'000'000'000;
constexpr unsigned kTransport = sizeof(net::Ethernet) + sizeof(net::Ipv4) + sizeof(net::Tcp);
constexpr unsigned kStampShift = 6;  // cycles a stamp's unit: 48 bits last for days

bool is_server(be32 address) { return address.host() >> 17 == 0xc6120000 >> 17; }

// The port an established packet came in by, or nothing.
std::optional<PortId> established(const rte_mbuf* frame) {
    if (frame->data_len < kTransport + Conversations::kPayload) return std::nullopt;
    const auto* start = rte_pktmbuf_mtod(frame, const uint8_t*);
    const auto* ip = reinterpret_cast<const net::Ipv4*>(start + sizeof(net::Ethernet));
    if (is_server(ip->destination)) return kLan;
    if (is_server(ip->source)) return kWan;
    return std::nullopt;
}

void stamp(rte_mbuf* frame, uint64_t cycles) {
    const uint64_t units = cycles >> kStampShift;
    std::memcpy(rte_pktmbuf_mtod_offset(frame, uint8_t*, kTransport), &units,
                Conversations::kPayload);
}

uint64_t age_ns(const rte_mbuf* frame) {
    uint64_t units = 0;
    std::memcpy(&units, rte_pktmbuf_mtod_offset(frame, const uint8_t*, kTransport),
                Conversations::kPayload);
    return static_cast<uint64_t>(static_cast<double>(now_cycles - (units << kStampShift)) * 1e9 /
                                 static_cast<double>(rte_get_tsc_hz()));
}

}  // namespace

double Tally::delivered_share() const {
    const uint64_t all = offered[0] + offered[1];
    return all == 0 ? 1 : static_cast<double>(delivered[0] + delivered[1]) / double(all);
}
double Tally::delivered_share(PortId port) const {
    return offered[port] == 0 ? 1 : double(delivered[port]) / double(offered[port]);
}

Now Simulation::clock() {
    const double ns = static_cast<double>(now_cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz());
    return Now::from_ns(kStartNs + static_cast<uint64_t>(ns));
}

Simulation::Simulation(Box& box, Replay& established, Flood& flood)
    : box_(box), established_(established), flood_(flood) {
    box_.tell_depths(true);
}

void Simulation::start(Source& source, double rate) {
    source.interval = rate > 0 ? static_cast<double>(rte_get_tsc_hz()) / rate : 0;
    source.due = static_cast<double>(now_cycles) + source.interval;
}

void Simulation::arrive(Tally& tally, bool is_flood) {
    if (spare_ == nullptr) box_.take_buffers(&spare_, 1);
    PortId port;
    if (is_flood) {
        port = flood_.next(spare_, box_);
        ++tally.flood_offered;
    } else {
        port = established_.next(spare_, true);
        stamp(spare_, now_cycles);
        ++tally.offered[port];
    }
    if (box_.send(port, &spare_, 1) == 1)
        spare_ = nullptr;
    else
        ++tally.lost_at_port[port];
    if (is_flood && spare_ == nullptr) ++tally.flood_taken;
}

uint64_t Simulation::turn(Tally& tally) {
    const bool busy = box_.waiting();
    const uint64_t start = rte_rdtsc_precise();
    box_.worker().turn();
    uint64_t took = rte_rdtsc_precise() - start;
    if (took > kLongestTurn) {
        took = kLongestTurn;
        ++tally.interrupted;
    }
    now_cycles += took;
    tally.cycles += took;
    if (busy) tally.busy += took;
    return took;
}

void Simulation::deliver(Tally& tally) {
    rte_mbuf* frames[64];
    for (const PortId out : {kLan, kWan})
        while (const unsigned n = box_.receive(out, frames, 64)) {
            for (unsigned i = 0; i < n; ++i) {
                const auto port = established(frames[i]);
                if (port) {
                    ++tally.delivered[*port];
                    if (++seen_ % 16 == 0) tally.latency_ns.record(age_ns(frames[i]));
                } else {
                    ++tally.flood_delivered;
                }
            }
            rte_pktmbuf_free_bulk(frames, n);
        }
}

Tally Simulation::run(const Load& load, double seconds) {
    Tally tally;
    start(sources_[0], load.established);
    start(sources_[1], load.flood);
    const uint64_t end =
        now_cycles + static_cast<uint64_t>(seconds * static_cast<double>(rte_get_tsc_hz()));
    while (now_cycles < end) {
        for (;;) {  // what has come by now, in its order
            const bool is_flood = sources_[1].interval != 0 &&
                                  (sources_[0].interval == 0 || sources_[1].due < sources_[0].due);
            Source& first = sources_[is_flood ? 1 : 0];
            if (first.interval == 0 || first.due > static_cast<double>(now_cycles)) break;
            arrive(tally, is_flood);
            first.due += first.interval;
        }
        turn(tally);
        deliver(tally);
    }
    return tally;
}

std::optional<double> Simulation::recover(const Load& load, double patience) {
    constexpr double kStep = 0.001;
    for (double waited = 0; waited < patience; waited += kStep) {
        const Tally tally = run(load, kStep);
        // What arrived last may still be under way.
        const uint64_t offered = tally.offered[0] + tally.offered[1];
        const uint64_t lost = tally.lost_at_port[0] + tally.lost_at_port[1];
        if (lost == 0 && tally.delivered[0] + tally.delivered[1] + 2 * limits::kArrivals >= offered)
            return waited + kStep;
    }
    return std::nullopt;
}

double Simulation::cost_of_flood(double seconds) {
    constexpr unsigned kWindows = 7;
    window_of_flood(seconds);
    std::vector<double> costs;
    for (unsigned i = 0; i < kWindows; ++i) costs.push_back(window_of_flood(seconds));
    return median_of(std::move(costs));
}

double Simulation::window_of_flood(double seconds) {
    // All of each packet, none given up; a microsecond holds more than any core can do.
    box_.tell_depths(false);
    const Tally tally = run({.established = 0, .flood = 40e6}, seconds);
    box_.tell_depths(true);
    if (tally.flood_taken < Box::kRing) give_up("the flood does not arrive");
    return static_cast<double>(tally.busy) / static_cast<double>(tally.flood_taken);
}

}  // namespace ravelin::perf
