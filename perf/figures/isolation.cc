// SPDX-License-Identifier: Apache-2.0
// isolation: principals with reservations of cycles, of a port or both feel nothing of ten others
// that offer ten times their share: one whose function burns twenty times what it states, four that
// burn what they state, four that send long frames, one that floods with short ones. In virtual
// time, where nothing may be late. Generic
// packets feel nothing of all functions (S20), and what a reservation does not use is lent and
// taken back within a run.
#include "perf/figures/isolation.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "dataplane/engine_counters.h"
#include "dataplane/tsc.h"

namespace ravelin::perf {
namespace {

using sched::Use;
using test::TurnedTime;
using test::Wish;

constexpr uint64_t kSecond = 1'000'000'000, kMs = 1'000'000;
constexpr uint64_t kGreedy = 30'000;            // cycles of a greedy function's packet
constexpr unsigned kFunctions = 5, kLinks = 5;  // of the ten, the last of each is as said above
constexpr unsigned kWeight = 100;  // of the ten: by shares alone the others would have little
constexpr uint16_t kLong = 1514, kShort = 60;  // bytes of frames
constexpr uint64_t kGenericNs = 20'000;        // between two generic packets
constexpr test::Mix kMix{
    .least_us = 200, .most_us = 50'000, .least_bytes = 60, .most_bytes = 1'400};

uint32_t address(unsigned net, size_t host) {
    return 10u << 24 | net << 16 | static_cast<uint32_t>(host) << 8 | 1;
}

/// Of what is left of a resource ten times the share of one of `n`, things of `each` units a
/// second: ns between two.
uint64_t period_of(uint64_t left, unsigned n, uint64_t each) {
    return each * n * kSecond / (10 * left);
}

void add_others(Scene& scene) {
    uint64_t cycles = scene.crowd.worker / 10 * 6, bytes = scene.crowd.wan / 8;
    for (const Wish& w : scene.wishes) {
        cycles -= std::min(cycles / 2, w.rate * w.cycles);
        bytes -= w.bytes == 0 ? 0 : w.rate * kEthernet.on_wire(w.bytes + 14);
    }
    for (unsigned i = 0; i < kFunctions; ++i)
        scene.senders.push_back(
            {.address = address(2, i),
             .bytes = kShort,
             .period_ns = period_of(cycles, kFunctions, i == 0 ? 20'000 : kGreedy)});
    for (unsigned i = kFunctions; i < kFunctions + kLinks; ++i) {
        const uint16_t size = i + 1 == kFunctions + kLinks ? kShort : kLong;
        const uint64_t period = period_of(bytes, kFunctions + kLinks, kEthernet.on_wire(size));
        scene.senders.push_back({.address = address(2, i), .bytes = size, .period_ns = period});
    }
}

}  // namespace

double Scene::admitted_rate() const {
    return std::accumulate(wishes.begin(), wishes.end(), 0.0,
                           [](double sum, const Wish& w) { return sum + double(w.rate); });
}

// Those that come first have the shortest deadlines there may be.
Scene scene_of(uint32_t seed, uint64_t worker, int cpu, uint64_t wan) {
    Scene scene;
    scene.crowd = {.functions = kFunctions,
                   .cycles = kGreedy,
                   .links = kLinks,
                   .weight = kWeight,
                   .left = cpu < 0 ? 60u : 500u,  // calls and readings of the clock
                   .worker = worker,
                   .wan = wan,
                   .cpu = cpu,
                   .core = cpu < 0 ? "{cpu: 40, burst: 20us}" : "{cpu: 60, burst: 20us}"};
    const std::vector<Wish> first{
        {.cycles = 2'000, .rate = 2'000, .deadline_us = 200},
        {.rate = 2'000, .deadline_us = 200, .bytes = 200},
        {.cycles = 2'000, .rate = 1'000, .deadline_us = 400, .bytes = 200}};
    for (const Wish& wish : first) {
        scene.wishes.push_back(wish);
        std::string why;
        while (!granted(scene.wishes, scene.crowd, &why))
            if ((scene.wishes.back().deadline_us += 50) > 2'000) give_up(why);
    }
    std::mt19937_64 random(seed);
    scene.wishes = fill(random, kMix, scene.crowd, scene.wishes);
    for (size_t i = 0; i < scene.wishes.size(); ++i) {
        const Wish& w = scene.wishes[i];
        scene.senders.push_back(
            {.address = address(1, i),
             .in = w.bytes == 0 ? kWan : kLan,
             .bytes = static_cast<uint16_t>(std::max<uint64_t>(w.bytes + 14, kShort)),
             .period_ns = kSecond / w.rate + 1,
             .deadline_ns = w.deadline_us * 1'000,
             .reserved_ns = kSecond / w.rate});
    }
    add_others(scene);
    scene.senders.push_back(
        {.address = address(3, 0), .in = kWan, .period_ns = kGenericNs, .watched = true});
    return scene;
}

Outcome outcome_of(Box& box, const Contest& contest, const Scene& scene) {
    Outcome out;
    out.generic = contest.fate(scene.generic());
    out.misses = contest.misses();
    out.slow = contest.slow();
    const PolicySnapshot& policy = *box.worker().context().policy;
    const auto id = [&](const char* kind, size_t i) {
        return policy.principals->table.find(fmt::format("{}{}", kind, i));
    };
    const sched::Usage* const cpu =
        policy.functions == nullptr ? nullptr : &policy.functions->workers[0]->usage();
    for (size_t i = 0; i < scene.wishes.size(); ++i) {
        const Fate& fate = contest.fate(i);
        out.packets += fate.sent;
        out.late += fate.late;
        out.lost += fate.lost;
        if (cpu != nullptr) out.misses_cpu += cpu->get(id("v", i), Use::kMisses);
        if (cpu != nullptr) out.misses_of_core += cpu->get(id("v", i), Use::kCoreMisses);
        out.misses_link += policy.paced->link(kWan)->usage().get(id("v", i), Use::kMisses);
    }
    if (cpu != nullptr) out.core_cycles = cpu->get(sched::kCorePrincipal, Use::kCycles);
    for (const PortId port : {kLan, kWan})
        out.taken += box.worker().context().counters.get(port_counter(port, kRxPackets));
    for (unsigned i = 0; cpu != nullptr && i < kFunctions; ++i) {
        out.others_cycles += cpu->get(id("o", i), Use::kCycles);
        out.suspensions += cpu->get(id("o", i), Use::kSuspensions);
    }
    return out;
}

Outcome run_in_virtual_time(const Scene& scene, uint64_t ns, std::span<const Stall> stalls,
                            TurnCost cost) {
    Outcome out;
    const auto tell = [&](Box& box, const Contest& contest) {
        out = outcome_of(box, contest, scene);
    };
    out.stalls = by_hand({isolated_yaml(scene.wishes, scene.crowd), scene.senders, scene.crowd.wan},
                         ns, cost, tell, stalls);
    out.take_slow([](const Miss&) { return false; });
    return out;
}

namespace {

/// How many runs of others a packet waits for that comes after a pause of its principal, at the
/// most, the one in progress with them; and what part of the time that forwarding left went to the
/// others in the pauses.
struct Lent {
    uint64_t runs = 0;
    double used = 0;
};
Lent lend(const Scene& scene, unsigned times) {
    Scene idle = scene;
    for (size_t i = 0; i < scene.wishes.size(); ++i) idle.senders[i].period_ns = kSecond * 3'600;
    idle.senders[0].period_ns = 997'001;  // v0, for a packet: of no proportion to anybody's
    TurnedTime::begin();
    Box box(load(isolated_yaml(idle.wishes, idle.crowd)), TurnedTime::read, Box::Wires::kRings,
            TurnedTime::read_cycles);
    Contest contest(box, idle.senders, TurnedTime::read, kWanRate, true);
    const auto& policy = *box.worker().context().policy;
    const sched::Usage& usage = policy.functions->workers[0]->usage();
    const sched::PrincipalId v0 = policy.principals->table.find("v0");
    Lent out;
    const uint64_t began = TurnedTime::cycles();
    uint64_t sent = 0, before = 0;
    for (uint64_t done = 0; done < times;) {
        const uint64_t runs = usage.sum(Use::kRuns);
        const unsigned n = contest.send(TurnedTime::ns());
        if (contest.fate(0).sent != std::exchange(sent, contest.fate(0).sent)) before = runs;
        TurnedTime::pass(kCost.turn + kCost.each * std::min(n, 2 * limits::kArrivals));
        box.worker().turn();
        contest.collect();
        if (usage.get(v0, Use::kRuns) == done) continue;
        done = usage.get(v0, Use::kRuns);
        // Less its own, and with the one that it came in.
        out.runs = std::max(out.runs, usage.sum(Use::kRuns) - before);
    }
    contest.end();
    const Outcome outcome = outcome_of(box, contest, idle);
    const double passed = static_cast<double>(TurnedTime::cycles() - began),
                 core = static_cast<double>(usage.get(sched::kCorePrincipal, Use::kCycles));
    out.used =
        static_cast<double>(outcome.others_cycles + usage.get(v0, Use::kCycles)) / (passed - core);
    return out;
}

nlohmann::json wishes_of(const Scene& scene) {
    nlohmann::json out = nlohmann::json::array();
    for (const Wish& w : scene.wishes)
        out.push_back({{"cycles", w.cycles},
                       {"bytes", w.bytes},
                       {"packets_per_s", w.rate},
                       {"deadline_us", w.deadline_us}});
    return out;
}

}  // namespace

void measure_virtual(const Options& options, Report& report) {
    const double packets = options.quick ? 100'000 : 1'000'000;
    for (unsigned r = 0; r < options.runs; ++r) {
        const Scene scene = scene_of(r + 1, tsc_hz());
        Scene empty = scene;
        empty.crowd.applications = false;
        const auto ns = static_cast<uint64_t>(packets / scene.admitted_rate() * 1e9) + kMs;
        report.data().push_back(wishes_of(scene));
        const Outcome full = run_in_virtual_time(scene, ns);
        const Outcome none = run_in_virtual_time(empty, ns / 4);
        Scene hopeful = scene;
        hopeful.crowd.reserved = false;
        const Outcome unkept = run_in_virtual_time(hopeful, ns / 10);
        const auto p99 = [](const Outcome& o) {
            return static_cast<double>(TurnedTime::cycles_of(o.generic.latency_ns.quantile(0.99)));
        };
        const double burst = static_cast<double>(TurnedTime::cycles_of(test::kMaxRunNs));
        report.add("virtual_packets", "packets", double(full.packets), at_least(packets));
        report.add("virtual_principals", "principals", double(scene.wishes.size()));
        report.add("virtual_late", "packets", double(full.late), exactly(0));
        report.add("virtual_late_if_not_reserved", "packets", double(unkept.late + unkept.lost),
                   at_least(100));  // so that what is late is seen
        report.add("virtual_lost", "packets", double(full.lost), exactly(0));
        report.add("virtual_misses_cpu", "packets", double(full.misses_cpu), exactly(0));
        report.add("virtual_misses_link", "packets", double(full.misses_link), exactly(0));
        report.add("virtual_suspensions", "functions", double(full.suspensions), exactly(1));
        report.add("virtual_generic_loss", "packets", double(full.generic.lost), exactly(0));
        report.add("virtual_generic_p99", "tsc cycles", p99(full),
                   at_most(1.1 * p99(none) + burst));
        report.add("virtual_empty_p99", "tsc cycles", p99(none));
        const Lent lent = lend(scene, options.quick ? 20 : 200);
        report.add("unused_lent_within_bursts", "runs", double(lent.runs), at_most(1));
        report.add("unused_lent", "%", 100 * lent.used, at_least(99));
    }
}

namespace {

void run(const Options& options, Report& report) {
    const auto wanted = [&](const char* part) {
        return options.only.empty() || options.only == part;
    };
    if (wanted("virtual")) measure_virtual(options, report);
    if (wanted("envelope")) measure_envelope(options, report);
    if (wanted("stalls")) measure_stalls(options, report);
    if (wanted("real")) measure_real(options, report);
    report.note(fmt::format(
        "each run is another set of reservations at random, in thirds of cycles, of the port of {} "
        "Mbit/s (real: 400) and of both; beside them ten others, with a hundred times the weight, "
        "offer ten "
        "times their share: one burns 20 "
        "times the cycles it states, four burn {} cycles a packet, four send {}-byte frames, one "
        "floods with {}-byte ones",
        kWanRate / 1'000'000, kGreedy, kLong, kShort));
    report.note(
        "late: by the promise, from when the worker takes a packet, or its rate allows it, until "
        "its last bit is on the wire");
    report.note(fmt::format(
        "generic p99 may be 1.1 times that of the router without functions, and one burst: the "
        "longest run that nothing interrupts, max-run {} us, {} cycles",
        test::kMaxRunNs / 1'000, TurnedTime::cycles_of(test::kMaxRunNs)));
}

std::vector<std::string> parts() { return {"virtual", "envelope", "stalls", "real"}; }

const FigureRegistration registration{
    {"isolation", "reservations beside ten principals that want ten times their share", run,
     parts}};

}  // namespace
}  // namespace ravelin::perf
