// SPDX-License-Identifier: Apache-2.0
// instructions: how many a packet takes, counted one by one (steps.h). No clock is read, so that a
// busy machine says the same as an idle one: perf/run guard compares it with what stands in the
// tree. It tells nothing of caches; that is what the other figures are for.
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdio>
#include <functional>

#include "perf/bench/figure.h"
#include "perf/bench/playlists.h"
#include "perf/bench/slow_stage.h"
#include "perf/bench/steps.h"
#include "perf/bench/works.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kHeaders = 1 << 14, kConnections = 10'000, kTuples = 1 << 16;
constexpr uint64_t kPackets = 128;  // stepped through
constexpr uint64_t kWarm = 1 << 19;

struct Guarded {
    const char* name;
    uint64_t turn_ns;  // simulated
    std::function<Work()> make;
};
// Closed connections stand for a second, in which fewer come than there are tuples.
const Guarded kGuarded[] = {
    {"l3-1", 4000, [] { return l3_one_route(); }},
    {"established-10k", 4000, [] { return established(kConnections); }},
    {"established-charged", 4000, [] { return charged(established(kConnections)); }},
    {"established-charged-1k", 4000, [] { return charged(established(kConnections), 1000); }},
    {"acl-1k", 4000, [] { return acl(mixed_rules(1000), kHeaders); }},
    {"policed-1k", 4000, [] { return charged(from_sources(1000), 1000, true); }},
    {"denied", 4000, [] { return denied(kHeaders); }},
    {"connections", 200'000, [] { return connections(kTuples, 2 * kTuples); }},
};

// What the worker does by time it does as often in each run.
uint64_t clock_ns, turn_ns;
Now even_clock() { return Now::from_ns(clock_ns += turn_ns); }

struct Count {
    Steps steps;
    double packets = 0;
    [[nodiscard]] double each(uint64_t n) const { return static_cast<double>(n) / packets; }
};

template <typename Turn>
Count count(Rig& rig, Turn turn) {
    // One in many is compared, which is none of the path's work.
    rig.head().check = Check::kNone;
    const uint64_t before = rig.seen().received;
    begin_steps();
    while (rig.seen().received - before < kPackets) turn();
    Steps steps = end_steps();
    return {std::move(steps), static_cast<double>(rig.seen().received - before)};
}

nlohmann::json places_of(const Steps& steps) {
    nlohmann::json out = nlohmann::json::array();
    for (const Steps::Place& place : steps.places) {
        Dl_info where{};
        if (dladdr(reinterpret_cast<const void*>(place.address), &where) == 0) continue;
        out.push_back({where.dli_fname,
                       place.address - reinterpret_cast<uintptr_t>(where.dli_fbase), place.times});
    }
    return out;
}

void measure(const Guarded& what, const Options& options, Report& report) {
    const Work work = what.make();
    clock_ns = 1'000'000'000;
    turn_ns = what.turn_ns;
    Rig rig(work.playlist, load(slowed(work.yaml, options.slower)), Check::kForwarded, even_clock);
    if (work.playlist.program == Program::kSteps) {
        // Whole lives, of as many as make the packets that are counted.
        rig.head().step_to = kLife;
        rig.head().block = kPackets / kLife;
        rewind_replay();
    }
    rig.play(kWarm);
    rig.measure(0, work.drops);  // frames are looked at
    const Count box = count(rig, [&] { rig.turn(); });
    const Count io = count(rig, [&] { rig.turn_io(); });
    const auto name = [&](const char* metric) { return fmt::format("{}.{}", what.name, metric); };
    const double net = box.each(box.steps.instructions) - io.each(io.steps.instructions);
    report.add(name("net_instructions_per_packet"), "instructions", net);
    report.add(name("io_instructions_per_packet"), "instructions", io.each(io.steps.instructions));
    report.add(name("dear_per_packet"), "locked, divisions, clocks, system calls",
               box.each(box.steps.dear.sum()));
    std::fprintf(stderr, "instructions %s: %.1f a packet\n", what.name, net);
    if (options.sections)
        report.data()[what.name] = {{"packets", box.packets}, {"places", places_of(box.steps)}};
}

void run(const Options& options, Report& report) {
    for (unsigned r = 0; r < options.runs; ++r)
        for (const Guarded& what : kGuarded)
            if (options.only.empty() || options.only == what.name) measure(what, options, report);
    report.note("net: less those of receive and transmit calls alone, the generator among them");
}

std::vector<std::string> parts() {
    std::vector<std::string> names;
    for (const Guarded& what : kGuarded) names.emplace_back(what.name);
    return names;
}

const FigureRegistration registration{
    {"instructions", "instructions of a packet, exactly (perf/run guard judges them)", run, parts}};

}  // namespace
}  // namespace ravelin::perf
