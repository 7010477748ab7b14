// SPDX-License-Identifier: Apache-2.0
#include "dataplane/express.h"

#include <algorithm>
#include <bit>

#include "dataplane/account.h"
#include "dataplane/charge.h"
#include "dataplane/express_read.h"
#include "dataplane/flow.h"
#include "dataplane/pipeline.h"
#include "dataplane/rule_tally.h"
#include "dataplane/shortcut_head.h"
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

unsigned Express::take(rte_mbuf** frames, unsigned n, PortId port, Pipeline& pipeline,
                       WorkerContext& context) noexcept {
    if (n == 0 || port >= context.policy->ports.size() || !opens(context, n)) return n;
    burst_.frames = frames;
    burst_.count = n;
    burst_.in_port = port;
    burst_.dropped = burst_.routed = burst_.ready = 0;
    burst_.rule.fill(kNoRule);
    const bool charged = context.account != nullptr;
    if (charged) [[unlikely]]
        burst_.principal.fill(sched::kNoPrincipal);
    burst_.going = express::read(burst_, context.policy->ports[port].mac);
    if (burst_.going != 0) pipeline.express(burst_, context);
    burst_.going &= burst_.ready;
    if ((burst_.going | burst_.dropped) != burst_.all()) keep_order();
    if (charged) [[unlikely]]
        charge_all(*context.account);
    if (burst_.going != 0) send(context);
    if (burst_.dropped != 0) drop(context);
    const unsigned left = leave();
    if (charged) [[unlikely]]
        context.account->lap_taken(Account::kExpress, n - left, left);
    if (left > n - n / 4) pause_ = kPause;
    return left;
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
    for (unsigned i = 0; i < burst_.count; ++i) {
        if ((burst_.source[i] | burst_.destination[i]) == 0) continue;  // no IPv4
        const unsigned place = place_of(burst_.source[i], burst_.destination[i]);
        uint64_t& word = waiting[place / 64];
        const uint64_t bit = uint64_t{1} << place % 64, self = uint64_t{1} << i;
        if (((burst_.going | burst_.dropped) & self) == 0)
            word |= bit;
        else if ((word & bit) != 0)
            burst_.going &= ~self, burst_.dropped &= ~self;
    }
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
        count = context.account->leave_by(Account::kByExpress, gone_.data(), count, context);
    else if (!context.transmitter->is_direct(port))
        for (unsigned i = 0; i < count; ++i) charge(*gone_[i], sched::kCorePrincipal);
    context.transmitter->send(gone_.data(), count, port, context);
}

// Copies of what the loop asks for: the compiler takes each store into a frame for a change of it.
void Express::send(WorkerContext& context) noexcept {
    RuleTally tally;
    const ExpressBurst& b = burst_;
    rte_mbuf* const* const frames = b.frames;
    const uint64_t going = b.going;
    const unsigned end = b.count;
    unsigned count = 0;
    PortId port = b.out_port[static_cast<unsigned>(std::countr_zero(going))];
    for (unsigned i = 0; i < end; ++i) {
        if ((going >> i & 1) == 0) [[unlikely]]
            continue;
        rte_mbuf* const frame = frames[i];
        const uint32_t length = b.length[i];
        shortcut::make_ready<net::Ipv4>(*frame, b.macs[i].bytes, length);
        if (b.rule[i] != kNoRule) tally.hit(b.rule[i], length, context.counters);
        if (b.out_port[i] != port) {
            leave_by(port, count, context);
            port = b.out_port[i];
            count = 0;
        }
        gone_[count++] = frame;
    }
    leave_by(port, count, context);
    tally.flush(context.counters);
}

void Express::drop(WorkerContext& context) noexcept {
    RuleTally tally;
    unsigned count = 0, same = 0;
    DropCode reason = 0;
    for_each_bit(burst_.dropped, [&](unsigned i) {
        if (burst_.rule[i] != kNoRule)
            tally.hit(burst_.rule[i], burst_.length[i], context.counters);
        if (burst_.reason[i] != reason && same != 0) {
            context.counters.add(reason, same);
            same = 0;
        }
        reason = burst_.reason[i];
        ++same;
        gone_[count++] = burst_.frames[i];
    });
    context.counters.add(reason, same);
    tally.flush(context.counters);
    rte_pktmbuf_free_bulk(gone_.data(), count);
}

// What is left moves to the front.
inline unsigned Express::leave() noexcept {
    unsigned left = 0;
    for_each_bit(burst_.all() & ~(burst_.going | burst_.dropped),
                 [&](unsigned i) { burst_.frames[left++] = burst_.frames[i]; });
    return left;
}

}  // namespace ravelin
