// SPDX-License-Identifier: Apache-2.0
// The oracle: the same rules in Ravelin and in Linux nftables, the same packets through both, until
// the time is over. Exit: 0 every verdict agrees or differs as documented, 1 new differences, 2
// wrong usage, 4 this machine cannot run it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ranges>

#include "tests/oracle/differences.h"
#include "tests/oracle/generate.h"
#include "tests/oracle/shrink.h"

namespace ravelin::oracle {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    double minutes = 1;
    uint64_t seed = 1;
    std::vector<std::string> only;
    bool json = false, list = false;
    size_t shown = 20;
};

struct Tally {
    uint64_t cases = 0, packets = 0, agreed = 0, refused_lines = 0;
    std::map<std::string, uint64_t> verdicts;  ///< how both judged, where they agree
    std::map<std::string, uint64_t> packets_of, known, fresh;
    std::vector<std::string> reproductions, errors;
};

class Oracle {
  public:
    Oracle(const Options& options, KernelSide& kernel) : options_(options), kernel_(kernel) {}

    Tally run() {
        const auto begin = Clock::now();
        const auto end = begin + std::chrono::duration<double>(options_.minutes * 60);
        for (uint64_t round = 0; Clock::now() < end; ++round)
            for (const Generator& g : kGenerators) {
                const bool wanted = options_.only.empty() ||
                                    std::ranges::find(options_.only, g.name) != options_.only.end();
                if (!wanted || Clock::now() >= end) continue;
                Random rng(options_.seed + round);
                one(g.make(rng), options_.seed + round);
                progress(begin);
            }
        return std::move(tally_);
    }

  private:
    void one(const Case& c, uint64_t seed) {
        const auto run = run_case(c, kernel_);
        if (!run) {
            tally_.errors.push_back(
                fmt::format("{} seed {}: {}", c.kind, seed, run.error().message));
            return;
        }
        ++tally_.cases;
        tally_.refused_lines += c.refused;
        tally_.packets += c.packets.size();
        tally_.packets_of[c.kind] += c.packets.size();
        for (const std::string& e : run->errors)
            tally_.errors.push_back(fmt::format("{} seed {}: {}", c.kind, seed, e));
        std::vector<const Observation*> fresh;
        const std::span<const Observation> all(run->observations);
        for (size_t i = 0; i < all.size(); ++i) judge({c, all[i], all.first(i)}, fresh);
        for (const Observation* o : fresh) report(c, *o, seed);
    }

    void judge(const Judged& j, std::vector<const Observation*>& fresh) {
        const Observation& o = j.o;
        if (o.agree()) {
            ++tally_.agreed;
            ++tally_.verdicts[o.kernel.text()];
        } else if (const Difference* d = explain(j)) {
            ++tally_.known[std::string(d->name)];
        } else if (++tally_.fresh[signature(o)] == 1) {
            fresh.push_back(&o);
        }
    }

    void report(const Case& c, const Observation& o, uint64_t seed) {
        if (tally_.reproductions.size() >= options_.shown) return;
        const std::string sign = signature(o);
        const Case least = shrink(c, o, sign, kernel_);
        tally_.reproductions.push_back(
            fmt::format("{}(seed {})\n", reproduction(least, sign, kernel_), seed));
        if (!options_.json) std::printf("%s\n", tally_.reproductions.back().c_str());
    }

    void progress(Clock::time_point begin) {
        const auto now = Clock::now();
        if (now - shown_ < std::chrono::seconds(1)) return;
        shown_ = now;
        uint64_t known = 0;
        for (const auto& [name, n] : tally_.known) known += n;
        std::fprintf(
            stderr, "%s%5.0f s  %llu cases  %llu packets  %llu documented  %zu new%s",
            ::isatty(2) != 0 ? "\r" : "", std::chrono::duration<double>(now - begin).count(),
            static_cast<unsigned long long>(tally_.cases),
            static_cast<unsigned long long>(tally_.packets), static_cast<unsigned long long>(known),
            tally_.fresh.size(), ::isatty(2) != 0 ? "" : "\n");
    }

    const Options& options_;
    KernelSide& kernel_;
    Tally tally_;
    Clock::time_point shown_;
};

int print(const Tally& t, const Options& options) {
    const bool bad = !t.fresh.empty() || !t.errors.empty() || t.packets == 0;
    if (options.json) {
        const nlohmann::json out{{"cases", t.cases},
                                 {"packets", t.packets},
                                 {"packets_by_kind", t.packets_of},
                                 {"agreed", t.agreed},
                                 {"verdicts", t.verdicts},
                                 {"documented", t.known},
                                 {"new", t.fresh},
                                 {"reproductions", t.reproductions},
                                 {"errors", t.errors},
                                 {"rule_lines_refused", t.refused_lines},
                                 {"seed", options.seed}};
        std::printf("%s\n", out.dump(2).c_str());
        return bad ? 1 : 0;
    }
    std::printf(
        "\n%llu cases, %llu packets, %llu agreed\n", static_cast<unsigned long long>(t.cases),
        static_cast<unsigned long long>(t.packets), static_cast<unsigned long long>(t.agreed));
    const auto show = [](const char* what, const std::map<std::string, uint64_t>& counts) {
        for (const auto& [name, n] : counts)
            std::printf("%s %8llu  %s\n", what, static_cast<unsigned long long>(n), name.c_str());
    };
    show("packets   ", t.packets_of);
    show("agreed    ", t.verdicts);
    show("documented", t.known);
    show("NEW       ", t.fresh);
    for (const std::string& e : t.errors) std::printf("ERROR %s\n", e.c_str());
    return bad ? 1 : 0;
}

int run(const Options& options) {
    if (options.list) {
        for (const Difference& d : known_differences())
            std::printf("%s\n", std::string(d.name).c_str());
        return 0;
    }
    auto kernel = KernelSide::enter();
    if (!kernel) {
        std::fprintf(stderr, "oracle: cannot run here: %s\n", kernel.error().message.c_str());
        return 4;
    }
    return print(Oracle(options, *kernel).run(), options);
}

}  // namespace
}  // namespace ravelin::oracle

int main(int argc, char** argv) {
    ravelin::oracle::Options options;
    CLI::App app{
        "The same rules and packets through Ravelin and Linux nftables.\n"
        "Example: tests/oracle/run --minutes 10 --only tcp"};
    std::vector<std::string> kinds;
    for (const auto& g : ravelin::oracle::kGenerators) kinds.emplace_back(g.name);
    app.add_option("--minutes", options.minutes, "How long; 0.3 is a smoke")
        ->check(CLI::PositiveNumber);
    app.add_option("--seed", options.seed, "First seed; each round takes the next");
    app.add_option("--only", options.only, "Kinds of cases")->check(CLI::IsMember(kinds));
    app.add_option("--show", options.shown, "Most reproductions printed");
    app.add_flag("--json", options.json, "One JSON object on stdout");
    app.add_flag("--list", options.list, "Names of the documented differences");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    return ravelin::oracle::run(options);
}
