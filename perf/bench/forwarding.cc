// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/forwarding.h"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <cmath>
#include <cstdio>

namespace ravelin::perf {
namespace {

constexpr const char* kUnit = "tsc cycles/packet";
constexpr double kTolerance = 0.1;  // of io against testpmd's

std::vector<uint16_t> sizes_of(const Options& options) {
    if (options.frames.empty()) return {64};
    if (options.frames == "imix") return imix();
    return {static_cast<uint16_t>(std::stoul(options.frames))};
}

struct Turn {
    double box = 0, io = 0, testpmd = 0, plain = 0;
};

Turn one_run(Rig& rig, const Forwarding& what, const Options& options) {
    const double seconds = options.quick ? 0.05 : 0.5;
    Turn t;
    t.testpmd = rig.measure_testpmd(seconds);
    t.io = rig.measure_io(seconds);
    if (!what.work.plain.empty()) {
        // What the firewall does not see must not have happened when it comes back.
        const ReplayPosition before = replay_position();
        rig.box().apply(what.work.plain);
        t.plain = rig.measure(seconds);
        return_to(before);
        rig.apply(what.work.yaml);
    }
    t.box = rig.measure(seconds);
    return t;
}

void add(const Forwarding& what, const Turn& t, Report& report) {
    const auto name = [&](const char* metric) {
        return what.name.empty() ? std::string(metric) : what.name + "." + metric;
    };
    report.add(name("cycles_per_packet"), kUnit, t.box);
    // What is to be reached is so of untagged IPv4.
    const Layout layout = what.work.playlist.layout;
    const bool judged = !layout.v6 && !layout.tagged;
    report.add(name("net_cycles_per_packet"), kUnit, t.box - t.io, judged ? what.net : Target{});
    if (!what.work.plain.empty())
        report.add(name("added_cycles_per_packet"), kUnit, t.box - t.plain,
                   judged ? what.added : Target{});
    report.add(name("mpps"), "Mpps", static_cast<double>(rte_get_tsc_hz()) / 1e6 / t.box);
    report.add(name("io_cycles_per_packet"), kUnit, t.io);
    if (t.testpmd > 0) report.add(name("testpmd_io_cycles_per_packet"), kUnit, t.testpmd);
}

}  // namespace

void judge_io(const std::string& name, double io, double testpmd, Report& report) {
    if (testpmd <= 0)
        report.make_void("testpmd is not installed (package dpdk): nothing to check io against");
    else if (std::abs(io / testpmd - 1) > kTolerance)
        report.make_void(
            fmt::format("{}: io takes {:.1f} cycles and testpmd's {:.1f}, more than a "
                        "tenth apart",
                        name, io, testpmd));
}

nlohmann::json load_of(Rig& rig) {
    const TapeHead::Seen& seen = rig.seen();
    const Playlist& playlist = rig.playlist();
    nlohmann::json bytes = nlohmann::json::array();
    for (size_t i = 0; i < playlist.sizes.size(); ++i) bytes.push_back(frame_bytes(playlist, i));
    return {{"flows", playlist.flows},          {"frame_bytes", std::move(bytes)},
            {"ip", playlist.layout.v6 ? 6 : 4}, {"tagged", playlist.layout.tagged},
            {"buffers", rig.head().buffers},    {"frames_checked_last", seen.checked},
            {"frames_wrong", seen.wrong},       {"window_packets", rig.head().window}};
}

void measure_forwarding(const Forwarding& what, const Options& options, Report& report) {
    Playlist playlist = what.work.playlist;
    playlist.sizes = sizes_of(options);
    if (options.flows != 0) playlist.flows = options.flows;
    if (options.quick) playlist.flows = std::min<uint64_t>(playlist.flows, 1 << 14);
    Rig rig(playlist, what.work.yaml);
    rig.play(lap_of(playlist));
    std::vector<double> io, testpmd;
    for (unsigned r = 0; r < options.runs; ++r) {
        const Turn t = one_run(rig, what, options);
        add(what, t, report);
        io.push_back(t.io);
        testpmd.push_back(t.testpmd);
        std::fprintf(stderr, "%s %s: run %u of %u: %.1f cycles a packet, io %.1f, testpmd %.1f\n",
                     options.bench.c_str(), what.name.c_str(), r + 1, options.runs, t.box, t.io,
                     t.testpmd);
    }
    judge_io(what.name.empty() ? options.bench : what.name, median_of(io), median_of(testpmd),
             report);
    report.config()[what.name.empty() ? "load" : what.name] = load_of(rig);
}

}  // namespace ravelin::perf
