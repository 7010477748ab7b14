// SPDX-License-Identifier: Apache-2.0
// What the control plane promises of a link its scheduler keeps: random reservations, each with a
// deadline hardly longer than the shortest that is granted, at ports of 1 Mbit/s to 8 Gbit/s,
// beside floods of the longest and of short frames and a box that sends more than it has. In
// virtual time, with the link's own settings.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <random>

#include "controlplane/compile/compiler.h"
#include "controlplane/compile/promises.h"
#include "dataplane/charge.h"
#include "tests/support/sched_sets.h"
#include "tests/support/sched_sim.h"
#include "tests/support/sched_table.h"

namespace ravelin::control {
namespace {

using config::Node;
using sched::Contract;
using sched::id;
using sched::PrincipalId;
using sched::SimPacket;
using sched::Source;
using sched::Use;

constexpr size_t kNames = 24, kFloods = 3;
constexpr uint64_t kNsPerByte[] = {8000, 800, 80, 8, 1};  // 1 Mbit/s to 8 Gbit/s

Node port_of(uint64_t ns_per_byte, unsigned mtu) {
    std::string names;
    for (size_t i = 0; i < kNames; ++i)
        names += fmt::format("{}{{name: p{}}}", i == 0 ? "" : ", ", i);
    Compiler compiler;
    auto compiled = compiler.compile(
        fmt::format("workers: {{poll: busy}}\nprincipals: [{}]\nports:\n- {{name: wan, device: "
                    "'null', addresses: 10.0.0.1/24, mtu: {}B, rate: {}bit, queue: 4MB}}\n"
                    "pipeline: [parse, route, classify]\n",
                    names, mtu, 8'000'000'000 / ns_per_byte),
        "x.yaml", SlotMap());
    EXPECT_TRUE(compiled.ok()) << compiled.error().message;
    return compiled ? std::move(compiled->tree) : Node::map();
}

/// As many reservations as were granted, some with all that was left.
class Promised {
  public:
    Promised(const Node& tree, uint64_t ns_per_byte, unsigned mtu, std::mt19937_64& rng)
        : tree_(tree), promises_(Promises::of(tree)) {
        const size_t wanted = 1 + rng() % kNames;
        for (size_t i = 0; i < wanted; ++i) {
            const uint64_t bytes = rng() % 3 == 0 ? 20 + rng() % 200 : 20 + rng() % (mtu - 20);
            // Of the rate: from a thousandth to all.
            const double share = std::pow(10.0, -3.0 * static_cast<double>(rng() % 1000) / 1000);
            const auto rate = static_cast<uint64_t>(
                share * 1e9 / static_cast<double>((bytes + 38) * ns_per_byte));
            ask(i, bytes, std::max<uint64_t>(rate, 1), rng);
        }
    }
    [[nodiscard]] std::vector<Reservation> granted() const {
        auto read = read_reservations(tree_, promises_->live());
        return read ? std::move(*read) : std::vector<Reservation>();
    }

  private:
    /// Hardly longer than the shortest that is granted, or half as long again.
    void ask(size_t i, uint64_t bytes, uint64_t rate, std::mt19937_64& rng) {
        Node node = Node::map();
        node.set("name", Node::text(fmt::format("r{}", i)));
        node.set("principal", Node::text(fmt::format("p{}", i)));
        node.set("out", Node::text("wan"));
        node.set("bytes", Node::integer(static_cast<int64_t>(bytes)));
        node.set("rate", Node::integer(static_cast<int64_t>(rate)));
        const auto fits = [&](int64_t ns) {
            node.set("deadline", Node::integer(ns));
            return promises_->fits(node).ok();
        };
        int64_t refused = 5'000, granted = 10'000;
        for (; granted < 20'000'000'000 && !fits(granted); granted *= 2) refused = granted;
        for (int step = 0; step < 4; ++step) {
            const int64_t middle = (refused + granted) / 2;
            (fits(middle) ? granted : refused) = middle;
        }
        if (rng() % 2 == 0 && fits(granted * 3 / 2)) granted = granted * 3 / 2;
        node.set("deadline", Node::integer(granted));
        (void)promises_->add(node).ok();  // there may be no rate left
    }
    const Node& tree_;
    Result<Promises> promises_;
};

struct Fate {
    uint64_t served = 0, late = 0, misses = 0, rejected = 0, tight = 0;
};

class LinkRun {
  public:
    LinkRun(const LinkPlan& plan, const std::vector<Reservation>& set, uint64_t ns_per_byte,
            std::mt19937_64& rng)
        : plan_(plan),
          rng_(rng),
          principals_(sched::table_of(set.size() + kFloods)),
          usage_(principals_.size()),
          scheduler_(principals_, usage_, config_of(plan), {}, {}, 0),
          link_(clock_, scheduler_, ns_per_byte, config_of(plan),
                [this](SimPacket& p, uint64_t when) { left(p, when); }) {
        scheduler_.reserve(kBoxFrames, box_contract(plan), 0);
        for (const Reservation& one : set) {
            scheduler_.reserve(id(sources_.size()), one.links[0].contract, 0);
            sources_.push_back({one.links[0].contract});
            frames_.push_back(static_cast<uint32_t>(one.links[0].frame_bytes));
        }
    }
    Fate run(uint64_t end) {
        for (size_t i = 0; i < sources_.size(); ++i)
            clock_.at(rng_() % sources_[i].contract.period_ns, [this, i] { arrive(i); });
        fill(end);
        clock_.run_until(end);
        for (size_t i = 0; i < sources_.size(); ++i) {
            fate_.misses += usage_.get(id(i), Use::kMisses);
            fate_.rejected += usage_.get(id(i), Use::kRejected);
        }
        return fate_;
    }

  private:
    void send(PrincipalId who, uint32_t bytes, uint64_t due) {
        packets_.push_back({.principal = who, .bytes = bytes, .arrival = clock_.now(), .due = due});
        link_.send(packets_.back());
    }
    void left(const SimPacket& p, uint64_t when) {
        if (p.due == UINT64_MAX) return;
        ++fate_.served;
        fate_.late += when > p.due ? 1 : 0;
        fate_.tight += (when - p.arrival) * 10 > (p.due - p.arrival) * 7 ? 1 : 0;
    }
    void arrive(size_t i) {
        Source& source = sources_[i];
        send(id(i), rng_() % 4 == 0 ? frames_[i] / 2 : frames_[i], source.due(clock_.now()));
        const uint64_t pause = rng_() % 4 == 0 ? rng_() % source.contract.period_ns : 0;
        clock_.at(clock_.now() + source.contract.period_ns + pause, [this, i] { arrive(i); });
    }
    /// Keeps queues of the others, and of the box, from running empty.
    void fill(uint64_t end) {
        for (size_t f = 0; f < kFloods; ++f)
            while (scheduler_.depth(id(sources_.size() + f)) < 8)
                send(id(sources_.size() + f), f == 0 ? 42 : plan_.most_frame, UINT64_MAX);
        while (scheduler_.depth(kBoxFrames) < 4)
            send(kBoxFrames, rng_() % 2 == 0 ? 42 : plan_.most_frame, UINT64_MAX);
        const uint64_t most = config_of(plan_).ring_bytes;
        if (clock_.now() < end)
            clock_.at(clock_.now() + most * 1'000'000'000 / (plan_.rate / 8) / 8,
                      [this, end] { fill(end); });
    }

    LinkPlan plan_;
    std::mt19937_64& rng_;
    sched::VirtualClock clock_;
    sched::PrincipalTable principals_;
    sched::Usage usage_;
    sched::LinkScheduler scheduler_;
    std::deque<SimPacket> packets_;
    std::vector<Source> sources_;
    std::vector<uint32_t> frames_;
    Fate fate_;
    sched::VirtualLink link_;
};

TEST(PromisesKept, WhateverIsGrantedIsNeverLate) {
    std::mt19937_64 rng(5);
    Fate all;
    for (unsigned round = 0; round < 20; ++round) {
        const uint64_t ns_per_byte = kNsPerByte[round % std::size(kNsPerByte)];
        const unsigned mtu = round % 2 == 0 ? 1500 : 9000;
        const Node tree = port_of(ns_per_byte, mtu);
        const LinkPlan plan = plan_of(tree, 0);
        const auto set = Promised(tree, ns_per_byte, mtu, rng).granted();
        ASSERT_FALSE(set.empty());
        const Fate fate =
            LinkRun(plan, set, ns_per_byte, rng).run(2'000 * plan.most_frame * ns_per_byte);
        EXPECT_EQ(fate.late, 0u) << "round " << round;
        EXPECT_EQ(fate.misses, 0u) << "round " << round;
        EXPECT_EQ(fate.rejected, 0u) << "round " << round;
        all.served += fate.served;
        all.tight += fate.tight;
    }
    EXPECT_GT(all.served, 20'000u);
    EXPECT_GT(all.tight, 1'000u) << "of packets that took most of their deadline";
}

}  // namespace
}  // namespace ravelin::control
