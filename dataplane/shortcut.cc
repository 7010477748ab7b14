// SPDX-License-Identifier: Apache-2.0
#include "dataplane/shortcut.h"

#include <algorithm>
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
bool track(Flow& flow, Direction d, const Head& head, const uint8_t* at) noexcept {
    if (flow.key.protocol == net::kUdp) return flow.state == FlowState::stream;
    if (flow.state != FlowState::tcp_established) return false;
    const auto& tcp = *reinterpret_cast<const net::Tcp*>(at);
    const TcpSegment segment{.seq = tcp.sequence.host(),
                             .ack = tcp.acknowledgement.host(),
                             .payload_len = head.upper - tcp.header_length(),
                             .window = tcp.window.host(),
                             .flags = kTcpAck};
    const auto side = static_cast<uint8_t>(d);
    if (!fits_window(flow, side, segment)) return false;
    learn_window(flow, side, segment);
    return true;
}

// False: what stands behind the frame may be of a flow that it has to do with, whichever that is.
bool read_any(const rte_mbuf& frame, const shortcut::Opening& opening, Head& head) noexcept {
    head.bearing = shortcut::Bearing::kFlow;
    if (read(frame, opening, head)) [[likely]]
        return true;
    read_odd(frame, head);
    return head.bearing != shortcut::Bearing::kUnknown;
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
    unsigned count = 0, left = 0;
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
            count = context.account->leave_by(Account::kByShortcut, frames, count, context);
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

// Three steps that follow one another through the burst: memory that one asks for has come when the
// next needs it.
unsigned Shortcut::take(rte_mbuf** frames, unsigned n, PortId port, unsigned allowed,
                        WorkerContext& context) noexcept {
    if (!opens(context, allowed < n) || port >= context.policy->ports.size()) return n;
    const shortcut::Opening opening(context.policy->ports[port].mac);
    const FlowTable& flows = *context.flows;
    Passing passing(context, port);
    unsigned known = n;
    for (unsigned i = 0; i < known + kFollowBehind; ++i) {
        if (i < known && !read_any(*frames[i], opening, heads_[i])) known = i;
        if (i < known) flows.prefetch_bucket(heads_[i].hash);
        if (const unsigned at = i - kFetchBehind; at < known)
            heads_[at].likely = flows.prefetch_flow(heads_[at].hash);
        if (const unsigned at = i - kFollowBehind; at < known)
            if (!pass(heads_[at], frames[at], passing)) {
                left_[passing.left] = static_cast<uint8_t>(at);
                frames[passing.left++] = frames[at];
            }
    }
    waiting_.clear();
    passing.send();
    passing.tally.flush(context.counters);
    lap(known - passing.left, n - known + passing.left, context);
    if (passing.left > allowed) [[unlikely]]
        passing.left = shed(frames, passing.left, allowed, context);
    std::copy(frames + known, frames + n, frames + passing.left);
    return passing.left + n - known;
}

inline bool Shortcut::pass(const Head& head, rte_mbuf* frame, Passing& passing) noexcept {
    const Way* way = nullptr;
    if (head.open && !waiting_.has(head)) way = follow(head, *frame, passing);
    if (way == nullptr) {
        waiting_.add(head);
        return false;
    }
    if (head.l4 == shortcut::kV4Offset)
        shortcut::make_ready<net::Ipv4>(*frame, way->macs, head.length);
    else
        shortcut::make_ready<net::Ipv6>(*frame, way->macs, head.length);
    passing.leave(frame, way->out_port);
    return true;
}

// The first `n` of `frames`, whose heads left_ tells, are looked at; how many are left of them.
unsigned Shortcut::shed(rte_mbuf** frames, unsigned n, unsigned allowed,
                        WorkerContext& context) noexcept {
    rte_mbuf* given_up[limits::kArrivals];
    unsigned kept = 0, dropped = 0;
    for (unsigned i = 0; i < n; ++i) {
        const Head& head = heads_[left_[i]];
        const Flow* flow = head.bearing == shortcut::Bearing::kFlow
                               ? context.flows->find(head.key, head.hash)
                               : nullptr;
        const bool proven = flow != nullptr && (flow->flags & kFlowProven) != 0;
        if (!proven && allowed == 0) {
            given_up[dropped++] = frames[i];
            continue;
        }
        if (!proven) --allowed;
        frames[kept++] = frames[i];
    }
    rte_pktmbuf_free_bulk(given_up, dropped);
    context.counters.add(kDropOverload, dropped);
    if (context.account != nullptr) [[unlikely]]
        context.account->shed(dropped);
    return kept;
}

[[gnu::always_inline]] inline Shortcut::Way* Shortcut::follow(const Head& head, rte_mbuf& frame,
                                                              Passing& passing) noexcept {
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
        !still_leads(way, *context.neighbours) ||
        !track(*flow, d, head, rte_pktmbuf_mtod_offset(&frame, const uint8_t*, head.l4)))
        return nullptr;
    flow->count(d, head.length);
    flow->last_seen_ms = context.now.ms;
    charge(frame, sched::PrincipalId{flow->principal});
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

void Shortcut::learn(const Packet& packet, const PacketMeta& meta, const NextStop& next,
                     WorkerContext& context) noexcept {
    constexpr uint32_t kOdd = PacketMeta::kFragment | PacketMeta::kIpOptions |
                              PacketMeta::kLocalOrigin | PacketMeta::kL2Multicast |
                              PacketMeta::kTunnelled;
    const bool plain = (meta.protocol == net::kTcp || meta.protocol == net::kUdp) &&
                       meta.vlan_tags == 0 && !meta.has(kOdd);
    const bool handed_over = meta.resume != 0;
    const uint8_t* macs = packet.bytes(0, sizeof Way{}.macs);
    // A policy that take() has not met yet is learned from its next packet on.
    if (!repeats_ || !plain || handed_over || macs == nullptr || context.policy->epoch != epoch_)
        return;
    FlowKey key;
    bool swapped = false;
    FlowKey::make(key, meta.source, meta.destination, meta.source_port, meta.destination_port,
                  meta.protocol, 0, swapped);
    Flow* flow = context.flows->find(key, key.hash());
    if (flow == nullptr) return;  // translated: its key has other ends
    Way way;
    std::memcpy(way.macs.data(), macs, way.macs.size());
    way.in_port = meta.in_port;
    way.out_port = meta.out_port;
    way.mtu = next.mtu;
    way.neighbours = neighbours_;
    way.chosen = meta.has(PacketMeta::kChosenHop);
    way.next = next.address;
    const uint16_t at = find_way(way, context);
    taught_ = true;
    FlowWays& ways = flow->ways;
    if (ways.stamp != stamp_) ways = {.stamp = stamp_, .way = {}};
    ways.way[static_cast<uint8_t>(flow->direction(swapped))] = at;
}

bool Shortcut::Way::same(const Way& o) const noexcept {
    return in_port == o.in_port && out_port == o.out_port && mtu == o.mtu && next == o.next &&
           chosen == o.chosen && (!chosen || neighbours == o.neighbours);
}

// 0: there is no room for it.
uint16_t Shortcut::find_way(const Way& wanted, WorkerContext& context) noexcept {
    const uint64_t ports = uint64_t{wanted.in_port} << 16 | wanted.out_port;
    const uint64_t hash = fold(wanted.next.high() ^ flow_hash_secret[0] ^ ports << 32 ^ wanted.mtu,
                               wanted.next.low() ^ flow_hash_secret[1]) +
                          (wanted.chosen ? wanted.neighbours : 0);
    for (unsigned i = 0; i < kProbes; ++i) {
        const auto at = static_cast<uint16_t>(1 + (hash + i) % kWays);
        Way& way = ways_[at];
        if (way.in_port != kNoPort && !way.same(wanted)) continue;
        if (way.in_port == kNoPort) known_.store(known() + 1, std::memory_order_relaxed);
        way = wanted;  // its MACs may be newer
        return at;
    }
    forget(context);
    return 0;
}

// Ways that nobody goes any more cannot be told from others. Seldom, lest more neighbours than
// there is room for have all learned anew for each packet.
void Shortcut::forget(WorkerContext& context) noexcept {
    if (context.now.ms - forgotten_ms_ < kForgetMs) return;
    forgotten_ms_ = context.now.ms;
    std::fill_n(ways_.get(), kWays + 1, Way{});
    known_.store(0, std::memory_order_relaxed);
    begin(context, learned_);
}

}  // namespace ravelin
