// SPDX-License-Identifier: Apache-2.0
#include "dataplane/express.h"

#include <algorithm>
#include <bit>

#include "dataplane/account.h"
#include "dataplane/flow.h"
#include "dataplane/free_frames.h"
#include "dataplane/pipeline.h"
#include "dataplane/rule_tally.h"

namespace ravelin {
namespace {

// Where a look took too little, so many calls pass before the next one; short ones are cheap.
constexpr unsigned kPause = 15, kShort = 15;

// The same for both directions; which addresses meet nobody can choose.
unsigned place_of(uint32_t source, uint32_t destination) noexcept {
    const uint64_t pair = (source ^ destination) ^ flow_hash_secret[2];
    return static_cast<unsigned>(pair * (flow_hash_secret[3] | 1) >> 56);
}

}  // namespace

void Express::take(Pipeline& pipeline, WorkerContext& context) noexcept {
    const auto n = static_cast<unsigned>(std::popcount(burst_.here));
    if (n == 0 || !opens(context, n)) return;
    burst_.read(context.policy->ports[burst_.in_port].mac);
    burst_.going = burst_.plain & burst_.here;
    burst_.dropped = burst_.routed = burst_.counted = 0;
    burst_.way_count = 0;
    const bool charged = context.account != nullptr;
    if (charged) [[unlikely]]
        burst_.principal.fill(index(sched::kNoPrincipal));
    if (burst_.going != 0) pipeline.express(burst_, context);
    burst_.going &= leaving();
    if ((burst_.going | burst_.dropped) != burst_.here) keep_order();
    if (charged) [[unlikely]]
        charge_all(*context.account);
    if (burst_.going != 0) send(context);
    if (burst_.dropped != 0) drop(context);
    burst_.here &= ~(burst_.going | burst_.dropped);
    const auto left = static_cast<unsigned>(std::popcount(burst_.here));
    if (charged) [[unlikely]]
        context.account->lap_taken(Account::kExpress, n - left, left);
    if (left > n - n / 4) pause_ = kPause;
}

// Those that have a way.
inline uint64_t Express::leaving() const noexcept {
    uint64_t bits = 0;
    for (unsigned w = 0; w < burst_.way_count; ++w) bits |= burst_.ways[w].packets;
    return bits;
}

inline bool Express::opens(const WorkerContext& context, unsigned n) noexcept {
    const PolicySnapshot& policy = *context.policy;
    if (&policy != policy_ || policy.epoch != epoch_ || policy.generation != generation_)
        [[unlikely]] {
        policy_ = &policy;
        epoch_ = policy.epoch;
        generation_ = policy.generation;
        pause_ = 0;
        const auto& stages = StageRegistry::get().stages();
        fits_ = std::ranges::all_of(policy.steps, [&](const PolicySnapshot::Step& step) {
            auto* const express = stages[step.stage]->express;
            return express != nullptr && express(*step.policy);
        });
    }
    if (pause_ != 0 && n >= kShort) {
        --pause_;
        return false;
    }
    return fits_;
}

// Nothing overtakes a packet between the same addresses that goes through the pipeline.
void Express::keep_order() noexcept {
    std::array<uint64_t, 4> waiting{};
    for_each_bit(burst_.here, [&](unsigned i) {
        if ((burst_.source[i] | burst_.destination[i]) == 0) return;  // no IPv4
        const unsigned place = place_of(burst_.source[i], burst_.destination[i]);
        uint64_t& word = waiting[place / 64];
        const uint64_t bit = uint64_t{1} << place % 64, self = uint64_t{1} << i;
        if (((burst_.going | burst_.dropped) & self) == 0)
            word |= bit;
        else if ((word & bit) != 0)
            burst_.going &= ~self, burst_.dropped &= ~self;
    });
}

// Nobody's are core's.
void Express::charge_all(Account& account) noexcept {
    auto& whom = burst_.principal;
    columns::fill(whom, columns::equal(whom, index(sched::kNoPrincipal), burst_.all()),
                  index(sched::kCorePrincipal));
    for_each_bit(burst_.dropped,
                 [&](unsigned i) { account.drop(sched::PrincipalId{whom[i]}, burst_.length[i]); });
}

// Whom those that leave are charged to, which stand in leaving_ from `first` on.
inline void Express::charge(uint64_t packets, unsigned first) noexcept {
    if (first == 0) {
        columns::squeeze(burst_.principal, packets, leaving_.whom);
        columns::squeeze(burst_.length, packets, leaving_.bytes);
        return;
    }
    for_each_bit(packets, [&](unsigned i) {
        leaving_.whom[first] = burst_.principal[i];
        leaving_.bytes[first++] = burst_.length[i];
    });
}

void Express::send(WorkerContext& context) noexcept {
    const uint64_t going = burst_.going;
    const bool charged = context.account != nullptr;
    leaving_.count = 0;
    for (unsigned w = 0; w < burst_.way_count; ++w) {
        const ExpressBurst::Way way = burst_.ways[w];
        const uint64_t packets = way.packets & going;
        const unsigned first = leaving_.count;
        unsigned count = first;
        for_each_bit(packets, [&](unsigned i) {
            burst_.make_ready(i, way.macs);
            leaving_.frames[count++] = burst_.frames[i];
        });
        if (charged) [[unlikely]]
            charge(packets, first);
        leaving_.count = count;
        const bool more = w + 1 < burst_.way_count && burst_.ways[w + 1].out_port == way.out_port;
        if (!more && count != 0) leaving_.send(Leaving::kByExpress, way.out_port, context);
    }
    tally(going & burst_.counted, context.counters);
}

inline void Express::tally(uint64_t which, const WorkerCounters& counters) const noexcept {
    if (which == 0) return;
    RuleTally tally;
    for_each_bit(which, [&](unsigned i) { tally.hit(burst_.rule[i], burst_.length[i], counters); });
    tally.flush(counters);
}

void Express::drop(WorkerContext& context) noexcept {
    const uint64_t dropped = burst_.dropped;
    columns::for_each_value(burst_.reason, dropped, [&](unsigned first, uint64_t same) {
        context.counters.add(burst_.reason[first], static_cast<unsigned>(std::popcount(same)));
        return same;
    });
    tally(dropped & burst_.counted, context.counters);
    unsigned count = 0;
    for_each_bit(dropped, [&](unsigned i) { leaving_.frames[count++] = burst_.frames[i]; });
    free_frames(leaving_.frames.data(), count);
}

}  // namespace ravelin
