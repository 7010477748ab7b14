// SPDX-License-Identifier: Apache-2.0
// stateful-10k, -100k, -1m: packets of open TCP connections, both ways in turns, behind 1,000
// rules; windows are tracked. police: a limit per source that everything keeps.
#include <fmt/format.h>

#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"

namespace ravelin::perf {
namespace {

void established(uint32_t flows, Target added, const Options& options, Report& report) {
    const uint32_t room = flows + flows / 16 + 1024;
    RouterOptions with{
        .flows = room,
        .rules = rule_text(mixed_rules(999)) + ", {name: out, action: accept, in: lan}",
        .wires = Box::Wires::kReplay};
    RouterOptions without{.flows = room, .filters = false, .wires = Box::Wires::kReplay};
    measure_forwarding({.playlist = {.flows = flows,
                                     .write = [](auto to) { write_conversations(to); },
                                     .program = Program::kBothWays,
                                     .open = true},
                        .yaml = router(with),
                        .plain = router(without),
                        .added = added},
                       options, report);
}

// The limit alone: against the same rule without it.
void police(const Options& options, Report& report) {
    const std::vector<Prefix> to{*Prefix::parse("198.18.0.0/16")};
    constexpr const char* kLimit = ", limit: {rate: 900Mpps, burst: 65535, per: source}";
    for (const auto& [name, sources] : {std::pair{"1", 1u}, {"1k", 1000u}, {"64k", 65536u}}) {
        const auto with = [](const char* limit) {
            return router({.rules = fmt::format("{{name: all, action: accept, in: lan, stateful: "
                                                "false{}}}",
                                                limit),
                           .wires = Box::Wires::kReplay});
        };
        measure_forwarding(
            {.name = std::string("principals-") + name,
             .playlist = {.flows = 1 << 20,
                          .write = [&, n = sources](auto f) { write_to_prefixes(f, to, n); }},
             .yaml = with(kLimit),
             .plain = with(""),
             .added = at_most(12)},
            options, report);
    }
    report.note("a principal is a source address; added cycles are those of the limit alone");
}

const FigureRegistration registrations{
    {"stateful-10k", "10,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { established(10'000, at_most(30), o, r); }},
    {"stateful-100k", "100,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { established(100'000, at_most(55), o, r); }},
    {"stateful-1m", "1,000,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { established(1'000'000, at_most(100), o, r); }},
    {"police", "a rate for each of 1, 1k and 64k sources at random", police}};

}  // namespace
}  // namespace ravelin::perf
