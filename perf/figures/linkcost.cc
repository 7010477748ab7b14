// SPDX-License-Identifier: Apache-2.0
// linkcost: what a frame costs in the queues of a port with a rate, in and out, beside so many
// principals that all have frames waiting: in bursts, each frame another principal's than the one
// before it, which is as bad for the cache as traffic gets. The clock is turned by hand, so that
// the queues never run dry.
#include <fmt/format.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <vector>

#include "dataplane/charge.h"
#include "dataplane/paced_ports.h"
#include "dataplane/snapshot.h"
#include "dataplane/worker.h"
#include "perf/bench/box.h"
#include "perf/bench/figure.h"
#include "perf/bench/works.h"

namespace ravelin::perf {
namespace {

constexpr unsigned kBurst = 32, kFrame = 60;
constexpr uint64_t kNsPerFrame = 84;  // of 84 wire bytes at 8 Gbit/s
constexpr uint32_t kPart = 10;        // principals of an organisation

void put_in_place(std::string& yaml, std::string_view what, std::string_view with) {
    const size_t at = yaml.find(what);
    if (at == std::string::npos) give_up(fmt::format("the router's YAML has no '{}'", what));
    yaml.replace(at, what.size(), with);
}

std::string configured(uint32_t principals, bool organisations) {
    std::string list;
    for (uint32_t i = 0; i < principals; ++i)
        list += organisations ? fmt::format("  - {{name: org{}/p{}}}\n", i / kPart, i)
                              : fmt::format("  - {{name: p{}}}\n", i);
    std::string yaml = with_principals(router({}), list);
    put_in_place(yaml, "buffers: 8192", "buffers: 45056");
    put_in_place(yaml, "device: net_ring_wan", "rate: 8Gbit, queue: 1MB, device: net_ring_wan");
    return yaml;
}

/// A box of which only the link of the port wan runs.
class Queues {
  public:
    Queues(uint32_t principals, bool organisations)
        : box_(configured(principals, organisations)), context_(box_.worker().context()) {
        const auto& policy = *context_.policy;
        link_ = policy.paced->link(kWan);
        for (uint32_t i = 0; i < principals; ++i)
            ids_.push_back(policy.principals->table.find(
                organisations ? fmt::format("org{}/p{}", i / kPart, i) : fmt::format("p{}", i)));
        std::vector<rte_mbuf*> frames(std::max<size_t>(ids_.size(), 4 * kBurst));
        for (rte_mbuf*& frame : frames) box_.take_buffers(&frame, 1);
        for (rte_mbuf* frame : frames) rte_pktmbuf_append(frame, kFrame);
        put_in(frames);
    }
    ~Queues() { link_->release_all(); }
    Queues(const Queues&) = delete;
    Queues& operator=(const Queues&) = delete;

    /// TSC cycles a frame: the least of windows of `frames`, since what disturbs only adds.
    double measure(unsigned windows, uint64_t frames) {
        double least = 1e9;
        for (unsigned w = 0; w < windows; ++w) {
            const uint64_t begin = __rdtsc();
            uint64_t done = 0;
            for (uint64_t asked = 0; asked < frames; asked += kBurst) done += turn();
            least = std::min(least, static_cast<double>(__rdtsc() - begin) / double(done));
            if (done < frames - 2 * kBurst) give_up(fmt::format("{} of {} left", done, frames));
        }
        if (box_.dropped() != 0) give_up("frames found no room: " + box_.drops());
        return least;
    }

  private:
    void put_in(std::span<rte_mbuf* const> frames) {
        for (rte_mbuf* frame : frames) {
            charge(*frame, ids_[next_]);
            next_ = next_ + 1 == ids_.size() ? 0 : next_ + 1;
            link_->enqueue(frame, {}, context_);
        }
    }
    /// As many frames leave as the wire takes in the time of a burst, and come back.
    unsigned turn() {
        now_ += kNsPerFrame * kBurst;
        context_.now = Now::from_ns(now_);
        std::array<rte_mbuf*, 2 * kBurst> out;
        const unsigned n = link_->dequeue(now_, out);
        put_in(std::span(out).first(n));
        return n;
    }

    Box box_;
    WorkerContext& context_;
    PacedLink* link_ = nullptr;
    std::vector<sched::PrincipalId> ids_;
    size_t next_ = 0;
    uint64_t now_ = Now::read().ns;  // behind what the box sent when it booted
};

double measure(uint32_t principals, bool organisations, const Options& options, Report& report) {
    const std::string name =
        fmt::format("{}{}", organisations ? "in-organisations-" : "principals-", principals);
    Queues queues(principals, organisations);
    queues.measure(1, 8 * principals + 4'096);
    std::vector<double> runs;
    for (unsigned r = 0; r < options.runs; ++r) {
        runs.push_back(queues.measure(options.quick ? 2 : 20, 65'536));
        report.add(name + ".cycles_per_packet", "tsc cycles/packet", runs.back());
    }
    return median_of(runs);
}

struct Part {
    const char* name;
    uint32_t principals;
    bool organisations;
};
constexpr Part kParts[]{{"10", 10, false},
                        {"100", 100, false},
                        {"1k", 1'000, false},
                        {"10k", 10'000, false},
                        {"10k-in-1k", 10'000, true}};

std::vector<std::string> parts() {
    std::vector<std::string> names;
    for (const Part& part : kParts) names.emplace_back(part.name);
    return names;
}

void run(const Options& options, Report& report) {
    std::vector<double> flat;
    for (const Part& part : kParts) {
        if (!options.only.empty() && options.only != part.name) continue;
        const double cycles = measure(part.principals, part.organisations, options, report);
        if (!part.organisations) flat.push_back(cycles);
    }
    if (flat.size() > 1) report.add("10k_to_10", "ratio", flat.back() / flat.front(), at_most(1.5));
    report.note(
        "enqueue and dequeue of 60-byte frames at a port of 8 Gbit/s, in bursts of 32; every "
        "principal has a frame waiting and each frame is another's than the one before it");
}

const FigureRegistration registration{
    {"linkcost", "a frame in the queues of a port with a rate, by principals that have some", run,
     parts}};

}  // namespace
}  // namespace ravelin::perf
