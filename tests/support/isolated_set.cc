// SPDX-License-Identifier: Apache-2.0
#include "tests/support/isolated_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "controlplane/compile/compiler.h"
#include "dataplane/tsc.h"

namespace ravelin::test {
namespace {

constexpr const char* kFunction = "{{name: {}, burn: {{cycles: {}}}, work: {}, max-run: {}ns{}}}, ";

/// Behind which comes the next function, and on which worker it runs.
std::string place_of(const Wish& wish, unsigned hop, const std::string& next) {
    std::string out = hop + 1 == wish.hops ? "" : ", next: " + next;
    if (hop < wish.workers.size()) out += fmt::format(", worker: {}", wish.workers[hop]);
    return out;
}

std::string function_of(size_t wish, unsigned hop) {
    return fmt::format("f{}{}", wish, hop == 0 ? "" : fmt::format("-{}", hop));
}

/// Of several workers each has its own, so that all have as much.
std::string greedy(unsigned i, const Crowd& crowd) {
    return crowd.workers == 1 ? "greedy" : fmt::format("greedy{}", i % crowd.workers);
}

std::string functions_of(const std::vector<Wish>& wishes, const Crowd& crowd) {
    std::string out;
    for (size_t i = 0; i < wishes.size(); ++i)
        for (unsigned hop = 0; hop < wishes[i].hops && wishes[i].cycles != 0; ++hop) {
            const uint64_t cycles = cycles_of(wishes[i], hop);
            out += fmt::format(kFunction, function_of(i, hop),
                               cycles - std::min(crowd.left, cycles / 2), cycles, crowd.max_run_ns,
                               place_of(wishes[i], hop, function_of(i, hop + 1)));
        }
    for (unsigned w = 0; w < crowd.workers; ++w)
        out += fmt::format(kFunction, greedy(w, crowd), crowd.cycles, crowd.cycles + 100, kMaxRunNs,
                           crowd.workers == 1 ? "" : fmt::format(", worker: {}", w));
    return out + fmt::format(kFunction, "wild", 20'000, 1'000, kMaxRunNs, "");
}

std::string principals_of(const std::vector<Wish>& wishes, const Crowd& crowd) {
    std::string out;
    const auto add = [&](const char* kind, unsigned net, size_t i, const std::string& function) {
        const bool runs = crowd.applications && !function.empty();
        out += fmt::format("{{name: {0}{1}, prefixes: 10.{2}.{1}.0/24, weight: {3}{4}}}, ", kind, i,
                           net, net == 1 ? 1 : crowd.weight, runs ? ", function: " + function : "");
    };
    for (size_t i = 0; i < wishes.size(); ++i)
        add("v", 1, i, wishes[i].cycles == 0 ? "" : fmt::format("f{}", i));
    for (unsigned i = 0; i < crowd.functions + crowd.links; ++i)
        add("o", 2, i, i >= crowd.functions ? "" : i == 0 ? "wild" : greedy(i, crowd));
    return out + "{name: flood}";
}

std::string reservations_of(const std::vector<Wish>& wishes) {
    std::string out;
    for (size_t i = 0; i < wishes.size(); ++i) {
        const Wish& w = wishes[i];
        out += fmt::format("  - {{name: r{0}, principal: v{0}, rate: {1}pps, deadline: {2}us", i,
                           w.rate, w.deadline_us);
        if (w.cycles != 0) out += fmt::format(", cpu: [{}cyc/pkt", cycles_of(w, 0));
        for (unsigned hop = 1; hop < w.hops; ++hop)
            out += fmt::format(", {}cyc/pkt", cycles_of(w, hop));
        if (w.cycles != 0) out += "]";
        if (w.bytes != 0) out += fmt::format(", out: wan, bytes: {}B", w.bytes);
        if (w.cpu_deadline_ns != 0) out += fmt::format(", cpu-deadline: {}ns", w.cpu_deadline_ns);
        if (!w.cpu_parts.empty())
            out += fmt::format(", cpu-parts: [{}]", fmt::join(w.cpu_parts, ", "));
        out += "}\n";
    }
    return out.empty() ? "  []\n" : out;
}

void put_in_place(std::string& text, std::string_view what, std::string_view with) {
    text.replace(text.find(what), what.size(), with);
}

}  // namespace

uint64_t cycles_of(const Wish& wish, unsigned hop) {
    return wish.uneven ? (wish.cycles << hop) / ((1u << wish.hops) - 1) : wish.cycles / wish.hops;
}

std::string isolated_yaml(const std::vector<Wish>& wishes, const Crowd& crowd) {
    const std::string rate = crowd.wan == 0 ? "" : fmt::format(", rate: {}bit", crowd.wan);
    const std::string cpus = crowd.cpu < 0 ? "" : fmt::format(", cpus: [{}]", crowd.cpu);
    const bool runs = crowd.applications;
    return fmt::format(R"(
mode: wire
workers: {{count: {}, buffers: 16384, flows: 1024, hugepages: "off", poll: busy, cycles: {}, core: {}{}}}
ports: [{{name: lan, device: net_ring_lan}}, {{name: wan, device: net_ring_wan{}}}]
functions: [{}]
principals: [{}]
reservations:
{}pipeline: [parse, steer, wire, {{firewall: {{rules: [{{name: all, action: accept, stateful: false}}]}}}}, classify{}]
)",
                       crowd.workers, crowd.worker != 0 ? crowd.worker : tsc_hz(), crowd.core, cpus,
                       rate, runs ? functions_of(wishes, crowd) : "", principals_of(wishes, crowd),
                       runs && crowd.reserved ? reservations_of(wishes) : "  []\n",
                       runs ? ", invoke" : "");
}

bool granted(std::vector<Wish>& wishes, const Crowd& crowd, std::string* why) {
    control::Compiler compiler;
    for (Wish& w : wishes) {
        w.cpu_deadline_ns = 0;
        w.cpu_parts.clear();
    }
    std::string text = isolated_yaml(wishes, crowd);
    for (const char* device : {"net_ring_lan", "net_ring_wan"})
        put_in_place(text, device, "'null'");
    auto compiled = compiler.compile(text, "isolated.yaml", control::SlotMap());
    if (!compiled) {
        if (why != nullptr) *why = compiled.error().message;
        return false;
    }
    const auto& kept = compiled->tree["reservations"].items();
    for (size_t i = 0; i < wishes.size(); ++i) {
        wishes[i].cpu_deadline_ns = static_cast<uint64_t>(kept[i]["cpu-deadline"].as_integer());
        wishes[i].cpu_parts = kept[i]["cpu-parts"].as_names();
    }
    return true;
}

std::vector<Wish> fill(std::mt19937_64& random, const Mix& mix, const Crowd& crowd,
                       std::vector<Wish> first) {
    const auto between = [&](double least, double most) {
        const double part = std::uniform_real_distribution<double>(0, 1)(random);
        return static_cast<uint64_t>(least * std::pow(most / least, part));
    };
    std::vector<Wish> out = std::move(first);
    for (unsigned refused = 0; refused < 3 && out.size() < mix.most;) {
        Wish wish{between(double(mix.least_cycles), double(mix.most_cycles)),
                  between(double(mix.least_rate), double(mix.most_rate)),
                  between(double(mix.least_us), double(mix.most_us))};
        if (mix.most_bytes != 0) {
            wish.bytes = between(double(mix.least_bytes), double(mix.most_bytes));
            if (out.size() % 3 == 1) wish.bytes = 0;
            if (out.size() % 3 == 2) wish.cycles = 0;
        }
        if (mix.most_hops > 1) {
            wish.hops = static_cast<unsigned>(random() % mix.most_hops) + 1;
            wish.uneven = random() % 2 == 0;
        }
        if (mix.cross) {
            const unsigned from = static_cast<unsigned>(random() % crowd.workers),
                           to = (from + 1) % crowd.workers;
            if (wish.hops == 1 && random() % 3 != 0) wish.workers = {from};
            for (unsigned hop = 0; wish.hops > 1 && hop < wish.hops; ++hop)
                wish.workers.push_back(2 * hop < wish.hops ? from : to);
        }
        out.push_back(wish);
        if (granted(out, crowd)) continue;
        out.pop_back();
        granted(out, crowd);  // the splits without it
        ++refused;
    }
    return out;
}

}  // namespace ravelin::test
