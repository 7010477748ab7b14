// SPDX-License-Identifier: Apache-2.0
#include "dataplane/shortcut.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/account.h"
#include "dataplane/fold.h"
#include "dataplane/neighbour_table.h"
#include "dataplane/tcp_window.h"

namespace ravelin {
namespace {

using shortcut::Head;

// Flow::word() without what differs from flow to flow in its steady state. A way learned under this
// stamp was so under this epoch.
constexpr unsigned kKinds = kFlowProven | kFlowTranslated | kFlowProxied;
constexpr uint64_t kSteady = Flow::word_of(UINT16_MAX, FlowState{UINT8_MAX}, kKinds);

// Of an open packet of IPv6.
TcpAdvance advance_of(const rte_mbuf& frame, const Head& head) noexcept {
    if (head.key.protocol != net::kTcp) return {0, 0, 0, head.length};
    const auto& tcp = *rte_pktmbuf_mtod_offset(&frame, const net::Tcp*, head.l4);
    return {tcp.sequence.host() + head.upper - tcp.header_length(), tcp.acknowledgement.host(),
            tcp.window.host(), head.length};
}

bool is_plain(const Arrivals& in, unsigned i) noexcept { return (in.plain >> i & 1) != 0; }

}  // namespace

// The same for both directions.
uint32_t Shortcut::Waiting::hash_of_pair(const FlowKey& key) noexcept {
    const IpAddress &a = key.first, &b = key.second;
    return static_cast<uint32_t>(
        fold(a.high() ^ b.high() ^ flow_hash_secret[2], a.low() ^ b.low() ^ flow_hash_secret[3]));
}

// What a burst has come to.
struct Shortcut::Passing {
    WorkerContext& context;
    const Entry entry;
    Leaving leaving;                 // all of them
    Arrivals::Column<PortId> ports;  // that they leave by

    Passing(WorkerContext& c, PortId in, uint32_t neighbours) noexcept
        : context(c), entry{.in_port = in, .neighbours = neighbours} {}
    // Those of one port together, in order.
    void send() noexcept {
        const uint64_t all = leaving.all();
        columns::for_each_value(ports, all, [&](unsigned first, uint64_t same) {
            if (same == all) [[likely]] {
                leaving.send(Leaving::kByShortcut, ports[first], context);
                return same;
            }
            Leaving some;
            for_each_bit(same, [&](unsigned i) {
                some.add(leaving.frames[i], leaving.whom[i], leaving.bytes[i]);
            });
            some.send(Leaving::kByShortcut, ports[first], context);
            return same;
        });
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
        // Of IPv4 plain packets alone are ready.
        if (!head.open || head.l4 != shortcut::kV6Offset) continue;
        open_ |= uint64_t{1} << i;
        in.swapped |= uint64_t{head.swapped} << i;
        in.advance[i] = advance_of(*in.frames[i], head);
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
    Passing passing(context, in.in_port, neighbours_);
    uint64_t passed = 0;
    for (unsigned at = 0; at < known + 2 * kStep; at += kStep) {
        for (unsigned i = at, end = std::min(at + kStep, known); i < end; ++i)
            flows.prefetch_bucket(in.hash[i]);
        for (unsigned i = at - kStep, end = std::min(at, known); i < end; ++i)
            likely_[i] = flows.prefetch_flow(in.hash[i]);
        if (at < 2 * kStep) continue;
        const unsigned first = at - 2 * kStep, end = std::min(at - kStep, known);
        if (first < end) passed |= send(in, first, end, passing);
    }
    in.here &= ~passed;
    waiting_.clear();
    passing.send();
    const auto left = static_cast<unsigned>(std::popcount(in.here));
    lap(in.count - left, left, context);
    if (left - (in.count - known) > allowed) [[unlikely]]
        shed(in, known, allowed, context);
}

// Sends those that may go by a way: tracked, counted, on their way. Bits of them. What is not as
// usual stops run(): it stays, and what may not overtake it, or goes after all.
[[gnu::noinline]] uint64_t Shortcut::send(const Arrivals& in, unsigned first, unsigned end,
                                          Passing& passing) noexcept {
    uint64_t may = open_ & ~uint64_t{0} << first & ~uint64_t{0} >> (Arrivals::kCapacity - end);
    if (waiting_.any()) may &= ~hindered(in, may);
    for (unsigned i = first;; ++i) {
        i = run_on(in, i, end, may, passing);
        if (i == end) return may;
        const uint64_t bit = uint64_t{1} << i;
        if ((may & bit) != 0 && renew(in, i, passing) && run_on(in, i, i + 1, may, passing) > i)
            continue;
        may &= ~(bit | stay(in, i, may & -(bit << 1)));
    }
}

// Whichever kind they are of.
unsigned Shortcut::run_on(const Arrivals& in, unsigned first, unsigned end, uint64_t may,
                          Passing& passing) const noexcept {
    for (;;) {
        const unsigned plain = run<true>(in, first, end, may & in.plain, passing);
        if (plain == end) return end;
        const unsigned others = run<false>(in, plain, end, may & ~in.plain, passing);
        if (others == end || others == plain) return others;  // neither has gone on from there
        first = others;
    }
}

// All that it calls is inline and the rest is left to renew(), for the sake of the registers. The
// first packet that is not sent; of what is wrong with it nothing is changed. kPlain: `may` has
// plain ones alone, else none of them.
template <bool kPlain>
[[gnu::noinline]] unsigned Shortcut::run(const Arrivals& in, unsigned first, unsigned end,
                                         uint64_t may, Passing& passing) const noexcept {
    const WorkerCounters counters = passing.context.counters;
    const Way* const ways = ways_.get();
    const uint32_t now_ms = passing.context.now.ms;
    const Entry entry = passing.entry;
    Leaving& leaving = passing.leaving;
    unsigned count = leaving.count;
    unsigned i = first;
    for (; i < end; ++i) {
        Flow* const flow = likely_[i];
        if ((may >> i & 1) == 0 || flow == nullptr ||
            !(kPlain ? in.is_of(i, flow->key) : flow->key == heads_[i].key))
            break;
        const bool tcp = flow->key.protocol == net::kTcp;
        if ((flow->word() & kSteady) != steady_[tcp] || flow->expired(now_ms)) break;
        const Direction d = flow->direction((in.swapped >> i & 1) != 0);
        const Way& way = ways[flow->ways.way[static_cast<uint8_t>(d)]];
        const uint32_t length = in.advance[i].length;
        if (way.entry != entry || length > way.mtu ||
            (tcp && !track_data(*flow, static_cast<uint8_t>(d), in.advance[i])))
            break;
        rte_mbuf* const frame = in.frames[i];
        flow->count(d, length);
        flow->last_seen_ms = now_ms;
        leaving.whom[count] = flow->principal;
        leaving.bytes[count] = length;
        counters.hit_rule(flow->rule.counter(), 1, length);
        if constexpr (kPlain)
            in.make_ready(i, way.macs);
        else
            shortcut::make_ready_v6(*frame, way.macs, length);
        leaving.frames[count] = frame;
        passing.ports[count++] = way.out_port;
    }
    leaving.count = count;
    return i;
}

// What run() does not look for: the flow where it is not the likely one, and the MAC of a neighbour
// that may have moved. False: neither stopped it.
bool Shortcut::renew(const Arrivals& in, unsigned i, const Passing& passing) noexcept {
    const WorkerContext& context = passing.context;
    Flow* const flow = context.flows->find(key_of(in, i), in.hash[i]);
    if (flow == nullptr || flow->expired(context.now.ms) ||
        (flow->word() & kSteady) != steady_[flow->key.protocol == net::kTcp])
        return false;
    Way& way = ways_[flow->ways.way[static_cast<uint8_t>(flow->direction(in.swapped >> i & 1))]];
    const bool looked_at = flow == likely_[i] && way.entry == passing.entry;
    if (looked_at || way.entry.in_port != in.in_port || !still_leads(way, *context.neighbours))
        return false;
    likely_[i] = flow;
    return true;
}

// Those that wait for others.
uint64_t Shortcut::hindered(const Arrivals& in, uint64_t which) const noexcept {
    uint64_t bits = 0;
    for_each_bit(
        which, [&](unsigned i) { bits |= uint64_t{waiting_.has(key_of(in, i), in.hash[i])} << i; });
    return bits;
}

// Those of `later` that wait for it.
inline uint64_t Shortcut::stay(const Arrivals& in, unsigned i, uint64_t later) noexcept {
    if (is_plain(in, i) || heads_[i].bearing == shortcut::Bearing::kFlow) {
        waiting_.add_flow(in.hash[i]);
        return columns::alike(in.hash, in.hash[i], Waiting::kAsked, later);
    }
    if (heads_[i].bearing != shortcut::Bearing::kPair) return 0;
    waiting_.add_pair(heads_[i].key);
    return hindered(in, later);
}

inline bool Shortcut::still_leads(Way& way, const NeighbourTable& neighbours) const noexcept {
    if (way.entry.neighbours == neighbours_) return true;
    MacAddress mac;
    if (way.chosen || !neighbours.lookup(way.out_port, way.next, mac)) return false;
    std::memcpy(way.macs.data(), mac.bytes.data(), mac.bytes.size());
    way.entry.neighbours = neighbours_;
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
