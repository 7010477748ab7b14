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
bool track(Flow& flow, Direction d, const Head& head, const rte_mbuf& frame) noexcept {
    const auto& tcp = *rte_pktmbuf_mtod_offset(&frame, const net::Tcp*, head.l4);
    const uint32_t end = tcp.sequence.host() + head.upper - tcp.header_length();
    return track_data(flow, static_cast<uint8_t>(d), end, tcp.acknowledgement.host(),
                      tcp.window.host());
}

[[gnu::always_inline]] inline bool track(Flow& flow, Direction d, const Arrivals& in,
                                         unsigned i) noexcept {
    return track_data(flow, static_cast<uint8_t>(d), in.segment_end[i], in.acknowledgement[i],
                      in.window[i]);
}

bool is_plain(const Arrivals& in, unsigned i) noexcept { return (in.plain >> i & 1) != 0; }

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

FlowKey Shortcut::key_of(const Arrivals& in, unsigned i) const noexcept {
    return is_plain(in, i) ? in.key(i) : heads_[i].key;
}

// Heads of what is not plain, as far as anybody knows which flows it has to do with.
void Shortcut::read_others(Arrivals& in, const MacAddress& own) noexcept {
    const shortcut::Opening opening(own);
    for (uint64_t others = in.all() & ~in.plain; others != 0; others &= others - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(others));
        Head& head = heads_[i];
        head.bearing = shortcut::Bearing::kFlow;
        if (!read(*in.frames[i], opening, head)) read_odd(*in.frames[i], head);
        if (head.bearing == shortcut::Bearing::kUnknown) {
            known_here_ = i;
            return;
        }
        in.hash[i] = head.hash;
        in.length[i] = head.length;
        // Of IPv4 plain packets alone are ready.
        open_ |= uint64_t{head.open && head.l4 == shortcut::kV6Offset} << i;
    }
}

// Three steps that follow one another through the burst: memory that one asks for has come when the
// next needs it.
void Shortcut::take(Arrivals& in, unsigned allowed, WorkerContext& context) noexcept {
    if (!opens(context, allowed < in.count)) return;
    const MacAddress& own = context.policy->ports[in.in_port].mac;
    in.read(own);
    in.find_flows();
    known_here_ = in.count;
    open_ = in.steady;
    if (in.plain != in.all()) read_others(in, own);
    const FlowTable& flows = *context.flows;
    const unsigned known = known_here_;
    Passing passing(context, in.in_port);
    uint64_t passed = 0;
    for (unsigned at = 0; at < known + 2 * kStep; at += kStep) {
        for (unsigned i = at, end = std::min(at + kStep, known); i < end; ++i)
            flows.prefetch_bucket(in.hash[i]);
        for (unsigned i = at - kStep, end = std::min(at, known); i < end; ++i)
            likely_[i] = flows.prefetch_flow(in.hash[i]);
        if (at < 2 * kStep) continue;
        const uint64_t found = find(in, at - 2 * kStep, std::min(at - kStep, known), context);
        send(in, found, passing);
        passed |= found;
    }
    in.here &= ~passed;
    waiting_.clear();
    passing.send();
    const auto left = static_cast<unsigned>(std::popcount(in.here));
    lap(in.count - left, left, context);
    if (left - (in.count - known) > allowed) [[unlikely]]
        shed(in, known, allowed, context);
}

// Bits of the packets from `first` to before `end` that go by a way; ways_taken_ has it, likely_
// the flow and sides_ the direction.
[[gnu::noinline]] uint64_t Shortcut::find(const Arrivals& in, unsigned first, unsigned end,
                                          const WorkerContext& context) noexcept {
    uint64_t found = 0;
    for (unsigned i = first; i < end; ++i) {
        bool goes =
            (open_ >> i & 1) != 0 && (!waiting_.any() || !waiting_.has(key_of(in, i), in.hash[i]));
        if (goes) [[likely]]
            goes = is_plain(in, i) ? follow_plain(in, i, context) : follow_head(in, i, context);
        if (goes) [[likely]]
            found |= uint64_t{1} << i;
        else
            stay(in, i);
    }
    return found;
}

[[gnu::noinline]] void Shortcut::send(const Arrivals& in, uint64_t which,
                                      Passing& passing) noexcept {
    const WorkerContext& context = passing.context;
    for_each_bit(which, [&](unsigned i) {
        Flow& flow = *likely_[i];
        const Way& way = *ways_taken_[i];
        rte_mbuf* const frame = in.frames[i];
        const uint32_t length = in.length[i];
        flow.count(sides_[i], length);
        flow.last_seen_ms = context.now.ms;
        charge(*frame, sched::PrincipalId{flow.principal});
        if (flow.rule < limits::kMaxRules) context.counters.hit_rule(flow.rule, 1, length);
        if (is_plain(in, i)) [[likely]]
            in.make_ready(i, way.macs);
        else
            shortcut::make_ready_v6(*frame, way.macs, length);
        passing.leave(frame, way.out_port);
    });
}

inline void Shortcut::stay(const Arrivals& in, unsigned i) noexcept {
    if (is_plain(in, i) || heads_[i].bearing == shortcut::Bearing::kFlow)
        waiting_.add_flow(in.hash[i]);
    else if (heads_[i].bearing == shortcut::Bearing::kPair)
        waiting_.add_pair(heads_[i].key);
}

// Of the first `known`, whose heads are read.
void Shortcut::shed(Arrivals& in, unsigned known, unsigned allowed,
                    WorkerContext& context) noexcept {
    rte_mbuf* given_up[limits::kArrivals];
    unsigned dropped = 0;
    for (unsigned i = 0; i < known; ++i) {
        if ((in.here >> i & 1) == 0) continue;
        const bool of_flow = is_plain(in, i) || heads_[i].bearing == shortcut::Bearing::kFlow;
        const Flow* flow = of_flow ? context.flows->find(key_of(in, i), in.hash[i]) : nullptr;
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

[[gnu::always_inline]] inline bool Shortcut::follow_plain(const Arrivals& in, unsigned i,
                                                          const WorkerContext& context) noexcept {
    Flow* flow = likely_[i];
    if (flow == nullptr || !in.is_of(i, flow->key)) [[unlikely]]
        if (flow = context.flows->find(in.key(i), in.hash[i]); flow == nullptr) return false;
    const bool tcp = in.protocol[i] == net::kTcp;
    const Direction d = flow->direction((in.swapped >> i & 1) != 0);
    return follow(in, i, *flow, d, tcp, context) && (!tcp || track(*flow, d, in, i));
}

bool Shortcut::follow_head(const Arrivals& in, unsigned i, const WorkerContext& context) noexcept {
    const Head& head = heads_[i];
    Flow* flow = likely_[i];
    if (flow == nullptr || !(flow->key == head.key)) [[unlikely]]
        if (flow = context.flows->find(head.key, head.hash); flow == nullptr) return false;
    const bool tcp = flow->key.protocol == net::kTcp;
    const Direction d = flow->direction(head.swapped);
    return follow(in, i, *flow, d, tcp, context) && (!tcp || track(*flow, d, head, *in.frames[i]));
}

[[gnu::always_inline]] inline bool Shortcut::follow(const Arrivals& in, unsigned i, Flow& flow,
                                                    Direction d, bool tcp,
                                                    const WorkerContext& context) noexcept {
    // A way learned under this stamp was so under this epoch.
    constexpr unsigned kKinds = kFlowProven | kFlowTranslated | kFlowProxied;
    constexpr uint64_t kSteady = Flow::word_of(UINT16_MAX, FlowState{UINT8_MAX}, kKinds);
    if ((flow.word() & kSteady) != steady_[tcp] || flow.expired(context.now.ms)) return false;
    Way& way = ways_[flow.ways.way[static_cast<uint8_t>(d)]];
    likely_[i] = &flow;
    ways_taken_[i] = &way;
    sides_[i] = d;
    return way.in_port == in.in_port && in.length[i] <= way.mtu &&
           still_leads(way, *context.neighbours);
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
    steady_ = {Flow::word_of(stamp_, FlowState::stream, kFlowProven),
               Flow::word_of(stamp_, FlowState::tcp_established, kFlowProven)};
    taught_ = false;
    context.flows->forget_some_ways();
}

}  // namespace ravelin
