// SPDX-License-Identifier: Apache-2.0
// ravelin-tape: for programs that are not ours. `write` makes the tape of a work, `about` tells
// what its policy holds, `watch` and `seen` what the port of whoever plays the tape sees; `send`
// plays one into an interface of the kernel, `distance` tells how far apart two CPUs are.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "perf/bench/machine.h"
#include "perf/bench/works.h"
#include "perf/replay/wire.h"

namespace ravelin::perf {
namespace {

Work find(const std::string& name) {
    auto work = work_named(name);
    if (!work) give_up("no such work, or its data are not here: " + name);
    return std::move(*work);
}

int write(const std::string& path, const std::string& name) {
    const Tape tape = record(find(name).playlist, path);
    tape.head().check = Check::kForwarded;
    return 0;
}

nlohmann::json ports_of(const std::vector<config::PortRange>& ranges) {
    nlohmann::json out = nlohmann::json::array();
    for (const auto& r : ranges) out.push_back({r.low, r.high});
    return out;
}

nlohmann::json texts_of(const std::vector<Prefix>& prefixes) {
    nlohmann::json out = nlohmann::json::array();
    for (const Prefix& p : prefixes) out.push_back(p.to_string());
    return out;
}

// {"routes": [PREFIX], "rules": [{from, to, protocols, from_ports, to_ports}]}; each accepts.
int about(const std::string& name) {
    const Work work = find(name);
    nlohmann::json rules = nlohmann::json::array();
    for (const ClassifierRule& r : work.rules)
        rules.push_back({{"from", texts_of(r.sources)},
                         {"to", texts_of(r.destinations)},
                         {"protocols", r.protocols},
                         {"from_ports", ports_of(r.source_ports)},
                         {"to_ports", ports_of(r.destination_ports)}});
    const nlohmann::json out{{"routes", texts_of(work.routes)}, {"rules", std::move(rules)}};
    fmt::print("{}\n", out.dump());
    return 0;
}

// The windows of so many seconds, once the first has closed.
int watch(const std::string& path, double seconds) {
    const Tape tape = Tape::open(path);
    TapeHead::Seen& seen = tape.head().seen[0];
    const volatile uint32_t& windows = seen.windows;
    using Clock = std::chrono::steady_clock;
    const auto patience = Clock::now() + std::chrono::seconds(30);
    while (windows == 0 && Clock::now() < patience)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const uint32_t first = windows;
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    const uint32_t now = windows, last = std::min(now, TapeHead::kWindows);
    if (last <= first) {
        fmt::print(stderr, "ravelin-tape: nobody plays {}\n", path);
        return 1;
    }
    const double cycles =
        median_of({seen.cycles.begin() + first, seen.cycles.begin() + last}) / 256;
    nlohmann::json out{{"cycles_per_packet", cycles},
                       {"received", seen.received},
                       {"sent", seen.sent},
                       {"checked", seen.checked},
                       {"wrong", seen.wrong}};
    if (seen.wrong != 0) {
        out["expected"] = hex(seen.expected);
        out["found"] = hex(seen.found);
    }
    fmt::print("{}\n", out.dump());
    return 0;
}

int seen(const std::string& path) {
    const Tape tape = Tape::open(path);
    const volatile TapeHead::Seen& s = tape.head().seen[0];
    fmt::print("{{\"received\": {}, \"sent\": {}, \"checked\": {}, \"wrong\": {}}}\n",
               uint64_t{s.received}, uint64_t{s.sent}, uint64_t{s.checked}, uint64_t{s.wrong});
    return 0;
}

int distance() {
    start_environment();  // knows how fast the TSC is
    fmt::print("{}\n", probe_distance().dump());
    return 0;
}

int send(const std::string& path, const std::string& interface, const std::string& mac,
         double seconds) {
    const Tape tape = Tape::open(path);
    const auto to = MacAddress::parse(mac);
    if (!to) give_up("no MAC address: " + mac);
    const Sent sent = send_to_wire(tape, interface, *to, seconds);
    fmt::print("{{\"sent\": {}, \"refused\": {}, \"seconds\": {:.3f}}}\n", sent.packets,
               sent.refused, sent.seconds);
    return 0;
}

}  // namespace
}  // namespace ravelin::perf

int main(int argc, char** argv) {
    using namespace ravelin::perf;
    const std::string verb = argc > 1 ? argv[1] : "";
    if (verb == "write" && argc == 4) return write(argv[2], argv[3]);
    if (verb == "about" && argc == 3) return about(argv[2]);
    if (verb == "watch" && argc == 4) return watch(argv[2], std::stod(argv[3]));
    if (verb == "seen" && argc == 3) return seen(argv[2]);
    if (verb == "distance" && argc == 2) return distance();
    if (verb == "send" && argc == 6) return send(argv[2], argv[3], argv[4], std::stod(argv[5]));
    std::fputs(
        "usage: ravelin-tape write PATH WORK | about WORK | watch PATH SECONDS |\n"
        "                    seen PATH | distance | send PATH INTERFACE MAC SECONDS\n",
        stderr);
    return 2;
}
