// SPDX-License-Identifier: Apache-2.0
// isolation, its third part: generic 64-byte frames fill every receive call of one port, in virtual
// time, so the core context wants more than its envelope. Where that is enforced reserved cycles
// are had all the same; where it is not the core goes first, and what is late by that is counted as
// the core's doing.
#include <algorithm>

#include "dataplane/tsc.h"
#include "perf/figures/isolation.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kFloodNs = 2'000;  // 64 frames in so long are more than 20 Gbit/s carry

/// Of the same wishes what they want of cycles, by the port that the flood does not fill.
Scene flooded(const Scene& scene, const char* core) {
    Scene out;
    out.crowd = scene.crowd;
    out.crowd.core = core;
    for (size_t i = 0; i < scene.wishes.size(); ++i) {
        if (scene.wishes[i].cycles == 0) continue;
        Sender sender = scene.senders[i];
        sender.address = (sender.address & ~0xff00u) | static_cast<uint32_t>(out.wishes.size())
                                                           << 8;
        sender.in = kWan;
        out.senders.push_back(sender);
        out.wishes.push_back(scene.wishes[i]);
        out.wishes.back().bytes = 0;
    }
    std::string why;
    if (!granted(out.wishes, out.crowd, &why)) give_up(why);
    out.senders.push_back({.address = 0xac100001, .period_ns = kFloodNs, .together = 64});
    out.senders.push_back(scene.senders[scene.generic()]);
    return out;
}

}  // namespace

void measure_envelope(const Options& options, Report& report) {
    const double packets = options.quick ? 20'000 : 200'000;
    for (unsigned r = 0; r < options.runs; ++r) {
        const Scene scene = scene_of(r + 1, tsc_hz());
        const Scene held = flooded(scene, "{cpu: 40, burst: 20us, enforce: true}"),
                    first = flooded(scene, "{cpu: 40, burst: 20us}");
        const auto ns = static_cast<uint64_t>(packets / held.admitted_rate() * 1e9);
        const Outcome kept = run_in_virtual_time(held, ns),
                      late = run_in_virtual_time(first, ns / 10);
        report.add("envelope_packets", "packets", double(kept.packets), at_least(0.99 * packets));
        report.add("envelope_enforced_late", "packets", double(kept.late + kept.lost), exactly(0));
        report.add("envelope_enforced_misses", "packets", double(kept.misses_cpu), exactly(0));
        report.add("envelope_strict_late", "packets", double(late.late + late.lost), at_least(100));
        report.add("envelope_strict_misses", "packets", double(late.misses_cpu), at_least(1));
        report.add("envelope_strict_misses_not_the_cores", "packets",
                   double(late.misses_cpu - late.misses_of_core), exactly(0));
    }
}

}  // namespace ravelin::perf
