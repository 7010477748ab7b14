// SPDX-License-Identifier: Apache-2.0
// update-10k: a policy of 10,000 firewall rules replaced by another of as many, every one of them
// changed, while the worker carries open connections. From the message as the data plane receives
// it to the worker's first burst under the new policy. Decoding and building run beside the worker,
// as the control thread does.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <random>
#include <thread>

#include "control.pb.h"
#include "dataplane/stage.h"
#include "perf/bench/figure.h"
#include "perf/bench/machine.h"
#include "perf/bench/traffic.h"
#include "pipelines/model/schema.h"
#include "pipelines/model/tree_codec.h"

namespace ravelin::perf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kConnections = 10'000;

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double thread_cpu_ms() {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// As an operator's rules are: nets and hosts, a port or a range of them, TCP or UDP; from addresses
// that no conversation has, so that all of them are looked for and none is met.
std::string rules(uint32_t count, uint32_t seed) {
    std::mt19937 engine(seed);
    const auto random = [&] { return static_cast<uint32_t>(engine()); };
    const auto prefix = [&](uint32_t base, unsigned base_length) {
        const unsigned length = std::max<unsigned>(base_length, 16 + random() % 17);
        const uint32_t mask = ~uint32_t{0} << (32 - length);
        return Prefix{IpAddress::v4((base | random() >> base_length) & mask),
                      static_cast<uint8_t>(length)}
            .to_string();
    };
    std::string text;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t low = 1 + random() % 60000;
        const std::string ports = random() % 3 == 0
                                      ? fmt::format("{}-{}", low, low + random() % 4000)
                                      : std::to_string(low);
        text += fmt::format(
            "{{name: r{}, action: drop, from: {}, to: {}, protocol: {}, to-ports: {}}},\n", i,
            prefix(0x64400000, 10), prefix(0xc6120000, 15), random() % 4 == 0 ? "udp" : "tcp",
            ports);
    }
    return text + "{name: out, action: accept, in: lan}";
}

std::string policy(const Options& options, uint32_t seed) {
    return router({.rules = rules(options.quick ? 500 : 10'000, seed)});
}

std::string message(const config::Node& config) {
    model::PolicySnapshot snapshot;
    model::encode(config, *snapshot.mutable_config());
    return snapshot.SerializeAsString();
}

// What the data plane does before it publishes.
std::unique_ptr<PolicySnapshot> build(const Box& box, const std::string& received) {
    google::protobuf::Arena arena(model::arena_for(received.size()));
    auto& snapshot = *google::protobuf::Arena::CreateMessage<model::PolicySnapshot>(&arena);
    if (!snapshot.ParseFromString(received)) give_up("a message that does not parse");
    auto config = model::decode(snapshot.config());
    if (!config) give_up(config.error().message);
    if (auto s = config::conforms(*config, model::kConfigSchema, StageRegistry::schema_of); !s)
        give_up(s.error().message);
    return box.build(std::make_shared<const config::Node>(std::move(*config)));
}

// The longest window, in TSC cycles a packet, until `until`; at least `least` windows.
template <typename Until>
double longest_window(Replay& replay, unsigned least, Until until) {
    double longest = 0;
    for (unsigned n = 0; n < least || !until(); ++n) longest = std::max(longest, replay.window());
    return longest;
}

void replace(Box& box, Replay& replay, const std::string& received, Report& report) {
    report.add("longest window before", "tsc cycles/packet",
               longest_window(replay, 200, [] { return true; }));
    const double resident = resident_mib();
    forget_peak();
    std::unique_ptr<PolicySnapshot> next;
    std::atomic<bool> built = false;
    double build_ms = 0, cpu_ms = 0;
    const auto start = Clock::now();
    std::thread control([&] {
        next = build(box, received);
        build_ms = ms_since(start);
        cpu_ms = thread_cpu_ms();
        built.store(true);
    });
    const double longest = longest_window(replay, 1, [&] { return built.load(); });
    control.join();
    const PolicySnapshot* policy = next.get();
    box.publish(std::move(next));
    do replay.window();
    while (!box.worker().has_left_all_but(policy));
    report.add("replaced", "ms", ms_since(start), at_most(250));
    const double peak = peak_mib();
    if (peak == 0) give_up("the kernel does not tell the most memory that was taken");
    report.add("memory before", "MiB", resident);
    report.add("memory peak", "MiB", peak);
    report.add("memory peak to before", "ratio", peak / resident, at_most(2));
    report.add("of it built", "ms", build_ms);
    report.add("of it CPU of the building thread", "ms", cpu_ms);
    report.add("longest window meanwhile", "tsc cycles/packet", longest);
}

void run(const Options& options, Report& report) {
    Box box(policy(options, 1));
    Replay replay(box, Conversations(Conversations::Kind::kTcp4, kConnections));
    replay.open_all();
    for (unsigned r = 0; r < options.runs; ++r)
        replace(box, replay, message(load(policy(options, r + 2))), report);
    report.add("lost", "packets", static_cast<double>(box.dropped()), at_most(0));
    report.note(fmt::format("{} open connections in traffic throughout; windows of {} packets",
                            kConnections, Replay::kWindow));
}

const FigureRegistration registration{
    {"update-10k", "10,000 firewall rules replaced under traffic", run}};

}  // namespace
}  // namespace ravelin::perf
