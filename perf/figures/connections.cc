// SPDX-License-Identifier: Apache-2.0
// connections: TCP connections opened and closed, one after the other, on one worker. Time moves
// by the cycles spent, so flows of closed connections stand in the table as long as they would;
// their timeout is set to a second, or the table would be full of them (see the note).
#include <fmt/format.h>
#include <rte_cycles.h>

#include "perf/bench/figure.h"
#include "perf/bench/traffic.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kFlows = 4'000'000, kHeld = 3'000'000;
constexpr unsigned kSteps = 6;
uint64_t spent = 0;

Now spent_time() {
    return Now::from_ns(1'000'000'000'000 + static_cast<uint64_t>(static_cast<double>(spent) * 1e9 /
                                                                  double(rte_get_tsc_hz())));
}

void measure(Box& box, Replay& replay, const Options& options, Report& report) {
    const double hz = static_cast<double>(rte_get_tsc_hz());
    const uint32_t each = options.quick ? Replay::kWindow : kHeld / (options.repeats + 1) / 2;
    uint32_t at = 0;
    for (unsigned r = 0; r <= options.repeats; ++r) {
        std::vector<double> open, whole;
        for (const uint32_t end = at + each; at + Replay::kWindow <= end; at += Replay::kWindow) {
            uint64_t cycles = 0;
            for (unsigned s = 0; s < kSteps; ++s) {
                const uint64_t step = replay.step(at, Replay::kWindow, s);
                spent += step;
                cycles += step;
                if (s == 2) open.push_back(static_cast<double>(cycles) / Replay::kWindow);
                if (box.drain() != Replay::kWindow) give_up("a step did not pass: " + box.drops());
            }
            whole.push_back(static_cast<double>(cycles) / Replay::kWindow);
        }
        if (r == 0) continue;  // the table's pages and the caches have been touched
        report.add("opened", "connections/s", hz / median_of(open), at_least(300'000));
        report.add("opened and closed", "connections/s", hz / median_of(whole), at_least(300'000));
        report.add("handshake", "tsc cycles", median_of(open));
        report.add("handshake and close", "tsc cycles", median_of(whole));
    }
}

void run(const Options& options, Report& report) {
    Box box(router({.flows = kFlows, .firewall = "timeouts: {tcp-time-wait: 1s}, "}), &spent_time);
    Replay replay(box, Conversations(Conversations::Kind::kTcp4, kHeld));
    measure(box, replay, options, report);
    report.note(fmt::format(
        "the flow table bounds what lasts: with tcp-time-wait at its default of 120 s, N entries "
        "carry N/120 closed connections a second (65,536: {}; 1,000,000: {})",
        65'536 / 120, 1'000'000 / 120));
}

const FigureRegistration registration{
    {"connections", "new TCP connections a second of one worker", run}};

}  // namespace
}  // namespace ravelin::perf
