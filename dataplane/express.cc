// SPDX-License-Identifier: Apache-2.0
#include "dataplane/express.h"

#include <algorithm>
#include <bit>

#include "dataplane/account.h"
#include "dataplane/charge.h"
#include "dataplane/flow.h"
#include "dataplane/free_frames.h"
#include "dataplane/pipeline.h"
#include "dataplane/rule_tally.h"
#include "dataplane/transmitter.h"

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
        burst_.principal.fill(sched::kNoPrincipal);
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
    const auto payer = [&](unsigned i) {
        const sched::PrincipalId id = burst_.principal[i];
        return id == sched::kNoPrincipal ? sched::kCorePrincipal : id;
    };
    for_each_bit(burst_.going, [&](unsigned i) { charge(*burst_.frames[i], payer(i)); });
    for_each_bit(burst_.dropped, [&](unsigned i) { account.drop(payer(i), burst_.length[i]); });
}

// Frames that go out by one port.
inline void Express::leave_by(PortId port, unsigned count, WorkerContext& context) noexcept {
    if (context.account != nullptr) [[unlikely]]
        count = context.account->leave_by(Account::kByExpress, gone_.data(), count, port, context);
    else if (!context.transmitter->is_direct(port))
        for (unsigned i = 0; i < count; ++i) charge(*gone_[i], sched::kCorePrincipal);
    context.transmitter->send(gone_.data(), count, port, context);
}

void Express::send(WorkerContext& context) noexcept {
    const uint64_t going = burst_.going;
    unsigned count = 0;
    for (unsigned w = 0; w < burst_.way_count; ++w) {
        const ExpressBurst::Way way = burst_.ways[w];
        for_each_bit(way.packets & going, [&](unsigned i) {
            burst_.make_ready(i, way.macs);
            gone_[count++] = burst_.frames[i];
        });
        const bool more = w + 1 < burst_.way_count && burst_.ways[w + 1].out_port == way.out_port;
        if (more || count == 0) continue;
        leave_by(way.out_port, count, context);
        count = 0;
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
    for_each_bit(dropped, [&](unsigned i) { gone_[count++] = burst_.frames[i]; });
    free_frames(gone_.data(), count);
}

}  // namespace ravelin
