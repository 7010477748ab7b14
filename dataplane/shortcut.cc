// SPDX-License-Identifier: Apache-2.0
#include "dataplane/shortcut.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/account.h"
#include "dataplane/charge.h"
#include "dataplane/engine_counters.h"
#include "dataplane/fold.h"
#include "dataplane/neighbour_table.h"
#include "dataplane/tcp_window.h"
#include "dataplane/transmitter.h"

namespace ravelin {
namespace {

using shortcut::Head;

// What the firewall does with data of a flow in its steady state. False, and nothing is changed:
// it may be something else.
[[gnu::always_inline]] inline bool track(Flow& flow, Direction d,
                                         const TcpSegment& segment) noexcept {
    const auto side = static_cast<uint8_t>(d);
    if (!fits_window(flow, side, segment)) return false;
    learn_window(flow, side, segment);
    return true;
}

TcpSegment segment_of(const Head& head, const rte_mbuf& frame) noexcept {
    const auto& tcp = *rte_pktmbuf_mtod_offset(&frame, const net::Tcp*, head.l4);
    return {.seq = tcp.sequence.host(),
            .ack = tcp.acknowledgement.host(),
            .payload_len = head.upper - tcp.header_length(),
            .window = tcp.window.host(),
            .flags = kTcpAck};
}

[[gnu::always_inline]] inline TcpSegment segment_of(const Head& head, const Arrivals& in,
                                                    unsigned i) noexcept {
    if ((in.plain >> i & 1) == 0) [[unlikely]]
        return segment_of(head, *in.frames[i]);
    return {.seq = in.sequence[i],
            .ack = in.acknowledgement[i],
            .payload_len = head.upper - (in.offset_window[i] >> 16),
            .window = static_cast<uint16_t>(in.offset_window[i]),
            .flags = kTcpAck};
}

}  // namespace

// The same for both directions.
uint32_t Shortcut::Waiting::hash_of_pair(const FlowKey& key) noexcept {
    const IpAddress &a = key.first, &b = key.second;
    return static_cast<uint32_t>(
        fold(a.high() ^ b.high() ^ flow_hash_secret[2], a.low() ^ b.low() ^ flow_hash_secret[3]));
}

// What a burst has come to: frames for one port so far, and those that stay.
struct Shortcut::Passing {
    WorkerContext& context;
    PortId in_port;
    PortId port = kNoPort;
    unsigned count = 0;
    RuleTally tally;
    rte_mbuf* frames[limits::kArrivals];

    Passing(WorkerContext& c, PortId in) noexcept : context(c), in_port(in) {}
    void leave(rte_mbuf* frame, PortId by) noexcept {
        if (by != port) send();
        port = by;
        frames[count++] = frame;
    }
    void send() noexcept {
        if (count == 0) return;
        if (context.account != nullptr) [[unlikely]]
            count = context.account->leave_by(Account::kByShortcut, frames, count, port, context);
        context.transmitter->send(frames, count, port, context);
        count = 0;
    }
};

// What a turn that is timed learns: how many went by a way, and how many did not.
inline void Shortcut::lap(unsigned hits, unsigned misses, WorkerContext& context) noexcept {
    if (context.account != nullptr) [[unlikely]]
        context.account->lap_taken(Account::kHit, hits, misses);
}

Shortcut::Shortcut() : ways_(new Way[kWays + 1]) {}

// False: what stands behind the frame may be of a flow that it has to do with, whichever that is.
[[gnu::always_inline]] inline bool Shortcut::read_any(const Arrivals& in, unsigned i,
                                                      const shortcut::Opening& opening) noexcept {
    Head& head = heads_[i];
    head.bearing = shortcut::Bearing::kFlow;
    if ((in.plain >> i & 1) != 0) [[likely]] {
        shortcut::read_plain(in, i, head);
        return true;
    }
    if (read(*in.frames[i], opening, head)) {
        head.open &= head.l4 == shortcut::kV6Offset;  // of IPv4 plain packets alone are ready
        return true;
    }
    read_odd(*in.frames[i], head);
    return head.bearing != shortcut::Bearing::kUnknown;
}

// Three steps that follow one another through the burst: memory that one asks for has come when the
// next needs it.
void Shortcut::take(Arrivals& in, unsigned allowed, WorkerContext& context) noexcept {
    if (!opens(context, allowed < in.count)) return;
    const MacAddress& own = context.policy->ports[in.in_port].mac;
    in.read(own);
    const shortcut::Opening opening(own);
    const FlowTable& flows = *context.flows;
    Passing passing(context, in.in_port);
    unsigned known = in.count;
    uint64_t passed = 0;
    for (unsigned at = 0; at < known + 2 * kStep; at += kStep) {
        for (unsigned i = at; i < std::min(at + kStep, known); ++i) {
            if (read_any(in, i, opening))
                flows.prefetch_bucket(heads_[i].hash);
            else
                known = i;
        }
        for (unsigned i = at - kStep; i < std::min(at, known); ++i)
            heads_[i].likely = flows.prefetch_flow(heads_[i].hash);
        for (unsigned i = at - 2 * kStep; i < std::min(at - kStep, known); ++i)
            passed |= uint64_t{pass(in, i, passing)} << i;
    }
    in.here &= ~passed;
    waiting_.clear();
    passing.send();
    passing.tally.flush(context.counters);
    const auto left = static_cast<unsigned>(std::popcount(in.here));
    lap(in.count - left, left, context);
    if (left - (in.count - known) > allowed) [[unlikely]]
        shed(in, known, allowed, context);
}

[[gnu::always_inline]] inline bool Shortcut::pass(const Arrivals& in, unsigned i,
                                                  Passing& passing) noexcept {
    const Head& head = heads_[i];
    rte_mbuf* const frame = in.frames[i];
    const Way* way = nullptr;
    if (head.open && !waiting_.has(head)) way = follow(in, i, passing);
    if (way == nullptr) {
        waiting_.add(head);
        return false;
    }
    if (head.l4 == shortcut::kV4Offset)
        in.make_ready(i, way->macs);
    else
        shortcut::make_ready_v6(*frame, way->macs, head.length);
    passing.leave(frame, way->out_port);
    return true;
}

// Of the first `known`, whose heads are read.
void Shortcut::shed(Arrivals& in, unsigned known, unsigned allowed,
                    WorkerContext& context) noexcept {
    rte_mbuf* given_up[limits::kArrivals];
    unsigned dropped = 0;
    for (unsigned i = 0; i < known; ++i) {
        if ((in.here >> i & 1) == 0) continue;
        const Head& head = heads_[i];
        const Flow* flow = head.bearing == shortcut::Bearing::kFlow
                               ? context.flows->find(head.key, head.hash)
                               : nullptr;
        if (flow != nullptr && (flow->flags & kFlowProven) != 0) continue;
        if (allowed != 0) {
            --allowed;
            continue;
        }
        given_up[dropped++] = in.frames[i];
        in.here &= ~(uint64_t{1} << i);
    }
    rte_pktmbuf_free_bulk(given_up, dropped);
    context.counters.add(kDropOverload, dropped);
    if (context.account != nullptr) [[unlikely]]
        context.account->shed(dropped);
}

[[gnu::always_inline]] inline Shortcut::Way* Shortcut::follow(const Arrivals& in, unsigned i,
                                                              Passing& passing) noexcept {
    const Head& head = heads_[i];
    const WorkerContext& context = passing.context;
    FlowTable& flows = *context.flows;
    Flow* flow = head.likely;
    if (flow == nullptr || !(flow->key == head.key)) [[unlikely]]
        if (flow = flows.find(head.key, head.hash); flow == nullptr) return nullptr;
    const FlowWays& ways = flow->ways;
    constexpr unsigned kKinds = kFlowProven | kFlowTranslated | kFlowProxied;
    if (ways.stamp != stamp_ || flow->epoch != epoch_ || (flow->flags & kKinds) != kFlowProven ||
        flow->expired(context.now.ms))
        return nullptr;
    const Direction d = flow->direction(head.swapped);
    Way& way = ways_[ways.way[static_cast<uint8_t>(d)]];
    if (way.in_port != passing.in_port || head.length > way.mtu ||
        !still_leads(way, *context.neighbours))
        return nullptr;
    const bool tcp = flow->key.protocol == net::kTcp;
    if (flow->state != (tcp ? FlowState::tcp_established : FlowState::stream)) return nullptr;
    if (tcp && !track(*flow, d, segment_of(head, in, i))) return nullptr;
    flow->count(d, head.length);
    flow->last_seen_ms = context.now.ms;
    charge(*in.frames[i], sched::PrincipalId{flow->principal});
    if (flow->rule < limits::kMaxRules)
        passing.tally.hit(flow->rule, head.length, context.counters);
    return &way;
}

inline bool Shortcut::still_leads(Way& way, const NeighbourTable& neighbours) const noexcept {
    if (way.neighbours == neighbours_) [[likely]]
        return true;
    MacAddress mac;
    if (way.chosen || !neighbours.lookup(way.out_port, way.next, mac)) return false;
    std::memcpy(way.macs.data(), mac.bytes.data(), mac.bytes.size());
    way.neighbours = neighbours_;
    return true;
}

// Versions are read here, before anything is looked up that a way learned in this turn is made of.
// Before one was, nobody can go by it: as where flows are left of a policy with a firewall. Under a
// flood it still tells proven flows from others.
inline bool Shortcut::opens(const WorkerContext& context, bool crowded) noexcept {
    const PolicySnapshot& policy = *context.policy;
    const uint32_t learned =
        context.learned_version != nullptr ? context.learned_version->read() : 0;
    if (policy.epoch != epoch_ || policy.generation != generation_ || learned != learned_)
        [[unlikely]]
        begin(context, learned);
    neighbours_ = context.neighbours->version();
    return repeats_ && (taught_ || crowded) && context.flows->size() != 0;
}

void Shortcut::begin(const WorkerContext& context, uint32_t learned) noexcept {
    const PolicySnapshot& policy = *context.policy;
    epoch_ = policy.epoch;
    generation_ = policy.generation;
    learned_ = learned;
    const auto& stages = StageRegistry::get().stages();
    repeats_ = std::ranges::all_of(policy.steps, [&](const PolicySnapshot::Step& step) {
        auto* const repeats = stages[step.stage]->repeats;
        return repeats != nullptr && repeats(*step.policy);
    });
    // Stamps come again, but not before every flow has lost what it had from the last time.
    if (++stamp_ == 0) stamp_ = 1;
    taught_ = false;
    context.flows->forget_some_ways();
}

}  // namespace ravelin
