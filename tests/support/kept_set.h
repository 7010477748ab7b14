// SPDX-License-Identifier: Apache-2.0
// Sets of reservations executed in virtual time: who sends, and whether it was kept what they were
// promised.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/isolated_set.h"
#include "tests/support/turned_load.h"

namespace ravelin::test {

inline constexpr uint64_t kRun = 100'000'000;  ///< ns
/// A crowd in which who has reserved has next to nothing beside.
inline constexpr unsigned kHeavy = 1'000;

/// Each of the wishes from `first` on sends as it reserved.
inline void add_wishes(Load& load, const std::vector<Wish>& wishes, size_t first = 0) {
    for (size_t i = first; i < wishes.size(); ++i)
        load.add(fmt::format("10.1.{}.1", i), 1'000'000'000 / wishes[i].rate + 1);
}
/// Others from number `first` up to `end`, each `together` packets every `period_ns`.
inline void add_others(Load& load, unsigned first, unsigned end, uint64_t period_ns,
                       unsigned together = 1) {
    for (unsigned i = first; i < end; ++i)
        load.add(fmt::format("10.2.{}.1", i), period_ns, together);
}
inline void add_flood(Load& load) { load.add("172.16.0.1", 3'000, 2); }

/// ns beyond its deadline: what comes in waits for a run before its first function's queue, and
/// workers are up to a run apart in time.
inline uint64_t allowance(unsigned workers = 1) {
    return workers * (kMaxRunNs + TurnedTime::ns_of(20'000 + 4 * (kTurn + 64 * kEach)));
}
/// Nothing of wish `i` was late or lost, which is host `i`.
inline void expect_kept(TurnedBox& box, const Load& load, const std::vector<Wish>& wishes, size_t i,
                        unsigned workers = 1) {
    const Load::Seen seen = load.seen(i);
    const Wish& wish = wishes[i];
    const std::string name = fmt::format("v{}", i);
    SCOPED_TRACE(fmt::format("{}: {} functions on {} workers, {} cycles, {}/s, {} us", name,
                             wish.hops, wish.cpu_parts.size(), wish.cycles, wish.rate,
                             wish.deadline_us));
    EXPECT_EQ(box.invoked(name, sched::Use::kMisses), 0u);
    EXPECT_EQ(box.charged(name, sched::Use::kDrops), 0u);
    EXPECT_EQ(box.counter("drop.pipeline.handoff_full"), 0u) << "which nobody is charged for";
    EXPECT_GE(seen.left + 2 + wish.rate * wish.deadline_us / 1'000'000, seen.sent);
    EXPECT_LE(seen.longest_ns, wish.deadline_us * 1'000 + allowance(workers));
}

/// `function` of a set's configuration burns so many cycles a packet, whatever it states.
inline void let_burn(std::string& yaml, std::string_view function, uint64_t cycles) {
    const std::string burns = fmt::format("name: {}, burn: {{cycles: ", function);
    const size_t at = yaml.find(burns);
    ASSERT_NE(at, yaml.npos) << function;
    const size_t from = at + burns.size();
    yaml.replace(from, yaml.find('}', from) - from, std::to_string(cycles));
}

}  // namespace ravelin::test
