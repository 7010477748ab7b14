// SPDX-License-Identifier: Apache-2.0
// ravelin-tape: for programs that are not ours. `write` makes the tape of l3-1, `watch` tells what
// the port of whoever plays it sees.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "perf/bench/playlists.h"
#include "perf/bench/rig.h"

namespace ravelin::perf {
namespace {

int write(const std::string& path) {
    const Tape tape = record(
        {.write = [](auto flows) { write_to_prefixes(flows, {*Prefix::parse("198.18.0.0/16")}); }},
        path);
    tape.head().check = Check::kForwarded;
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
    fmt::print(
        "{{\"cycles_per_packet\": {:.3f}, \"received\": {}, \"sent\": {}, \"checked\": {}, "
        "\"wrong\": {}}}\n",
        cycles, seen.received, seen.sent, seen.checked, seen.wrong);
    return 0;
}

}  // namespace
}  // namespace ravelin::perf

int main(int argc, char** argv) {
    const std::string verb = argc > 2 ? argv[1] : "";
    if (verb == "write" && argc == 3) return ravelin::perf::write(argv[2]);
    if (verb == "watch" && argc == 4) return ravelin::perf::watch(argv[2], std::stod(argv[3]));
    std::fputs("usage: ravelin-tape write PATH | watch PATH SECONDS\n", stderr);
    return 2;
}
