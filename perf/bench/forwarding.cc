// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/forwarding.h"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <cstdio>

namespace ravelin::perf {
namespace {

constexpr const char* kUnit = "tsc cycles/packet";

std::vector<uint16_t> sizes_of(const Options& options) {
    if (options.frames.empty()) return {64};
    if (options.frames == "imix") return imix();
    return {static_cast<uint16_t>(std::stoul(options.frames))};
}

// Good rounds of a run, and rounds at most.
struct Plan {
    unsigned wanted, most;
};
Plan plan_of(const Options& options) { return options.quick ? Plan{1, 3} : Plan{4, 16}; }

void add(const Forwarding& what, const Rounds& rounds, Report& report) {
    const auto name = [&](const char* metric) {
        return what.name.empty() ? std::string(metric) : what.name + "." + metric;
    };
    const double box = rounds.median(&Round::box);
    report.add(name("cycles_per_packet"), kUnit, box);
    // What is to be reached is so of untagged IPv4.
    const Layout layout = what.work.playlist.layout;
    const bool judged = !layout.v6 && !layout.tagged;
    const auto net = [](const Round& r) { return r.box - r.io(); };
    const auto added = [](const Round& r) { return r.box - r.plain; };
    report.add(name("net_cycles_per_packet"), kUnit, rounds.median(net),
               judged ? what.net : Target{});
    if (!what.work.plain.empty())
        report.add(name("added_cycles_per_packet"), kUnit, rounds.median(added),
                   judged ? what.added : Target{});
    report.add(name("mpps"), "Mpps", static_cast<double>(rte_get_tsc_hz()) / 1e6 / box);
    report.add(name("io_cycles_per_packet"), kUnit, rounds.median(&Round::io));
    if (Testpmd::installed())
        report.add(name("testpmd_io_cycles_per_packet"), kUnit, rounds.median(&Round::testpmd));
}

}  // namespace

std::vector<Rounds> take_runs(const std::string& name, const Options& options, Report& report,
                              const std::function<Round()>& take) {
    const Plan plan = plan_of(options);
    std::vector<Rounds> runs;
    unsigned taken = 0;
    for (unsigned r = 0; r < options.runs; ++r) {
        const Rounds& one = runs.emplace_back(take_rounds(plan.wanted, plan.most, take));
        taken += one.taken();
        report.count_rounds(one.taken(), one.discarded);
        std::fprintf(stderr,
                     "%s: run %u of %u: %.1f cycles a packet, io %.1f, testpmd %.1f; %u of %u "
                     "rounds discarded\n",
                     name.c_str(), r + 1, options.runs, one.median(&Round::box),
                     one.median(&Round::io), one.median(&Round::testpmd), one.discarded,
                     one.taken());
    }
    runs = good_of(std::move(runs));
    if (!Testpmd::installed())
        report.make_void("testpmd is not installed (package dpdk): nothing to check io against");
    else if (!runs.front().good)
        report.make_void(
            fmt::format("{}: in none of {} rounds were both readings of io within 5 % of each "
                        "other and a tenth of testpmd's",
                        name, taken));
    else if (runs.size() < options.runs)
        report.note(fmt::format("{}: {} of {} runs had no good round and are left out", name,
                                options.runs - runs.size(), options.runs));
    return runs;
}

void have_plain(Rig& rig, const Work& work) {
    if (work.plain.empty()) return;
    const ReplayPosition before = replay_position();
    rig.apply(work.plain);
    if (!work.plain_follows) rig.leave_out(before);
    rig.apply(work.yaml);
}

Round take_round(Rig& rig, const Work& work, const Options& options) {
    const double seconds = options.quick ? 0.02 : 0.1;
    Round round;
    round.testpmd = rig.measure_testpmd(seconds / 2);
    round.io_before = rig.measure_io(seconds / 2);
    if (!work.plain.empty()) {
        const ReplayPosition before = replay_position();
        rig.swap();
        round.plain = rig.measure(seconds);
        if (!work.plain_follows) rig.leave_out(before);
        rig.swap();
    }
    round.box = rig.measure(seconds);
    round.io_after = rig.measure_io(seconds / 2);
    return round;
}

nlohmann::json load_of(Rig& rig) {
    const Playlist& playlist = rig.playlist();
    nlohmann::json bytes = nlohmann::json::array();
    for (size_t i = 0; i < playlist.sizes.size(); ++i) bytes.push_back(frame_bytes(playlist, i));
    return {{"flows", playlist.flows},          {"frame_bytes", std::move(bytes)},
            {"ip", playlist.layout.v6 ? 6 : 4}, {"tagged", playlist.layout.tagged},
            {"buffers", rig.head().buffers},    {"frames_checked_last", rig.checked()},
            {"frames_wrong", rig.seen().wrong}, {"window_packets", rig.head().window}};
}

void measure_forwarding(const Forwarding& what, const Options& options, Report& report) {
    Playlist playlist = what.work.playlist;
    playlist.sizes = sizes_of(options);
    if (options.flows != 0) playlist.flows = options.flows;
    if (options.quick) playlist.flows = std::min<uint64_t>(playlist.flows, 1 << 14);
    Rig rig(playlist, what.work.yaml);
    rig.play(lap_of(playlist));
    have_plain(rig, what.work);
    const auto runs = take_runs(what.name.empty() ? options.bench : what.name, options, report,
                                [&] { return take_round(rig, what.work, options); });
    for (const Rounds& rounds : runs) add(what, rounds, report);
    report.config()[what.name.empty() ? "load" : what.name] = load_of(rig);
}

}  // namespace ravelin::perf
