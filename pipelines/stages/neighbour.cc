// SPDX-License-Identifier: Apache-2.0
// neighbour: ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery (RFC 4861) for the box's own
// addresses. Router mode, after the firewall. Other workers hand such packets to worker 0, which
// alone writes the table, answers, asks, ages, and keeps the packets that wait for an answer.
//
// Config: static, icmp-rate. Drops: as listed. Cost: a compare a packet; timers of a few entries a
// millisecond.
#include "pipelines/stages/neighbour.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "dataplane/express.h"
#include "dataplane/handoff.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/icmp_error.h"
#include "pipelines/net/tags.h"
#include "pipelines/stages/neighbour_messages.h"
#include "pipelines/stages/neighbour_schema.h"

namespace ravelin {
namespace {

namespace timing = neighbour_timing;

constexpr std::array<CounterDecl, 8> kDrops{{
    {"bad_arp", "ARP packets that no correct host sends."},
    {"bad_nd", "Neighbour discovery messages that fail RFC 4861's checks."},
    {"not_ours", "ARP and solicitations about addresses that are not the box's."},
    {"off_link", "ARP and neighbour discovery from senders outside the port's networks."},
    {"conflict", "Messages of a machine that claims an address of the box."},
    {"router_message", "Router solicitations and advertisements; the box takes part in neither."},
    {"redirect", "ICMPv6 redirects; routers do not follow them."},
    {"unresolved", "Packets whose next hop did not tell its MAC address."},
}};
enum Counter : unsigned { kTaken, kAnnounced, kIcmpSent, kEvicted, kRefused };
constexpr std::array<CounterDecl, 5> kCounters{{
    {"taken", "ARP and neighbour discovery messages that were in order."},
    {"announced", "Announcements of the box's own addresses."},
    {"icmp_sent", "Host-unreachable messages sent for packets that waited in vain."},
    {"evicted", "Stale entries given up because the table was full."},
    {"refused", "Entries not made because the table was full of live ones."},
}};

constexpr unsigned kAnnouncementsPerTick = 8;
constexpr unsigned kTimersPerTick = 64;  // a millisecond: all that can be looked for in 16
constexpr uint32_t kSweepMs = 1000;      // the whole table is looked at once in this time
constexpr uint32_t kKernelRate = 1000;   // answers a second: four times what the box asks itself
constexpr uint32_t kDefendMs = 10'000;   // RFC 5227 section 2.4 (b): DEFEND_INTERVAL

bool past(uint32_t now, uint32_t due) { return static_cast<int32_t>(now - due) >= 0; }

class Neighbour final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        adopt(static_cast<const NeighbourPolicy&>(policy), context);
        unsigned taken = 0;
        for (unsigned i = 0; i < burst.count; ++i) {
            const PacketMeta& meta = burst.meta[i];
            if (!burst.live(i) || meta.out_port != kLocalPort) continue;
            if (meta.has(PacketMeta::kLocalOrigin)) continue;
            if (meta.has(PacketMeta::kArp) || is_nd(meta)) taken += take(burst, i, context);
        }
        if (taken != 0) context.counters.add(counter(kTaken), taken);
    }
    void express(ExpressBurst&, const StagePolicy& p, WorkerContext& context) noexcept override {
        adopt(static_cast<const NeighbourPolicy&>(p), context);
    }
    void tick(const StagePolicy& policy, WorkerContext& context) noexcept override {
        if (context.worker != 0) return;
        const auto& p = static_cast<const NeighbourPolicy&>(policy);
        adopt(p, context);
        announce(context);
        run_timers(p, context);
        sweep(context);
    }

  private:
    unsigned take(Burst& burst, unsigned i, WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        if (context.dry_run) return burst.consume(i), 0;
        if (context.worker != 0) {
            context.handoff->send(0, burst.frames[i], meta, before(context));
            burst.hand_on(i);
            return 0;
        }
        const bool arp = meta.has(PacketMeta::kArp);
        const NeighbourDrop what = arp ? take_arp(burst.packet(i), meta, context)
                                       : take_nd(burst.packet(i), meta, context);
        if (what == NeighbourDrop::kConflict && arp) defend(burst.packet(i), meta, context);
        if (is_for_kernel(burst.packet(i), meta, what, context) &&
            kernel_rate_.take(context.now.ns, kKernelRate, kKernelRate / 10)) {
            net::strip_tags(burst.frames[i], meta);
            if (context.to_kernel(burst.frames[i], meta.in_port)) return burst.consume(i), 1;
        }
        if (what != NeighbourDrop::kHandled)
            return burst.drop(i, drop(static_cast<unsigned>(what))), 0;
        rte_pktmbuf_free(burst.frames[i]);
        burst.consume(i);
        return 1;
    }
    // The stage before this one: what worker 0 resumes after.
    static uint16_t before(const WorkerContext& context) {
        const auto own = static_cast<uint16_t>(StageRegistry::get().index("neighbour"));
        uint16_t previous = 0;
        for (const auto& step : context.policy->steps) {
            if (step.stage == own) break;
            previous = step.stage;
        }
        return previous;
    }
    // Says once in ten seconds that the address is ours, and never fights beyond that.
    void defend(const Packet& packet, const PacketMeta& meta, WorkerContext& context) {
        const auto* arp = packet.at<net::Arp>(meta.l3_offset);
        if (arp == nullptr || context.now.ms - defended_ms_ < kDefendMs) return;
        defended_ms_ = context.now.ms;
        send_announcement(meta.in_port, IpAddress::v4(arp->sender_ip.host()), context);
    }

    void adopt(const NeighbourPolicy& policy, WorkerContext& context) {
        if (policy.serial == serial_ || context.worker != 0 || context.dry_run) return;
        NeighbourTable& table = *context.neighbours;
        const auto listed = [&](const NeighbourView& v) {
            return std::ranges::any_of(policy.statics, [&](const StaticNeighbour& s) {
                return s.port == v.port && s.address == v.address;
            });
        };
        for (uint32_t slot = 0; slot < table.capacity(); ++slot) {
            const NeighbourView view = table.at(slot);
            if (view.state == NeighbourState::kPermanent && !listed(view)) table.erase(slot);
        }
        for (const StaticNeighbour& s : policy.statics) {
            const uint32_t slot = table.find(s.port, s.address);
            if (slot == NeighbourTable::kNoSlot) {
                table.insert(s.port, s.address, s.mac, NeighbourState::kPermanent, context.now.ms);
            } else {
                table.set(slot, s.mac, NeighbourState::kPermanent, context.now.ms);
                send_held(slot, context);
            }
        }
        serial_ = policy.serial;
        port_ = address_ = 0;
    }

    void announce(WorkerContext& context) {
        const auto& ports = context.policy->ports;
        unsigned sent = 0;
        for (; port_ < ports.size() && sent < kAnnouncementsPerTick; ++port_, address_ = 0)
            for (; address_ < ports[port_].addresses.size(); ++address_) {
                if (sent == kAnnouncementsPerTick) return count_announced(sent, context);
                const auto port = static_cast<PortId>(port_);
                sent += send_announcement(port, ports[port_].addresses[address_].address, context);
            }
        count_announced(sent, context);
    }
    void count_announced(unsigned sent, WorkerContext& context) {
        if (sent != 0) context.counters.add(counter(kAnnounced), sent);
    }

    void run_timers(const NeighbourPolicy& policy, WorkerContext& context) {
        if (context.now.ms == timers_ms_) return;  // a busy loop turns many times a millisecond
        timers_ms_ = context.now.ms;
        NeighbourTable& table = *context.neighbours;
        const size_t look = std::min<size_t>(kTimersPerTick, table.active().size());
        for (size_t i = 0; i < look && !table.active().empty(); ++i) {
            // Downwards: what leaves the list is replaced by its last entry, already seen this
            // round.
            if (timer_at_ == 0 || timer_at_ > table.active().size())
                timer_at_ = table.active().size();
            const uint32_t slot = table.active()[--timer_at_];
            if (past(context.now.ms, table.timer(slot).due_ms)) expire(slot, policy, context);
        }
    }
    void expire(uint32_t slot, const NeighbourPolicy& policy, WorkerContext& context) {
        NeighbourTable& table = *context.neighbours;
        auto& timer = table.timer(slot);
        const NeighbourView view = table.at(slot);
        switch (view.state) {
            case NeighbourState::kDelay:
                table.set(slot, NeighbourState::kProbing, context.now.ms);
                timer.tries = 0;
                [[fallthrough]];
            case NeighbourState::kProbing:
            case NeighbourState::kIncomplete:
                if (timer.tries < timing::kTries && view.port < context.policy->ports.size()) {
                    const bool probe = view.state != NeighbourState::kIncomplete;
                    ++timer.tries;
                    timer.due_ms = context.now.ms + timing::kRetransmit;
                    send_request(view.port, view.address, probe ? &view.mac : nullptr, context);
                    return;
                }
                if (view.state == NeighbourState::kProbing) return table.erase(slot);
                give_up(slot, policy, context);
                table.set(slot, NeighbourState::kFailed, context.now.ms);
                timer.due_ms = context.now.ms + timing::kFailedFor;
                return;
            default:
                table.erase(slot);
        }
    }
    void give_up(uint32_t slot, const NeighbourPolicy& policy, WorkerContext& context) {
        while (rte_mbuf* frame = context.neighbours->release(slot)) {
            const PacketMeta meta = *travelling_meta(frame);
            const auto outcome = replies_.icmp(Packet(frame), meta, IcmpError::kHostUnreachable,
                                               policy.icmp_rate, context);
            if (outcome == Replies::Outcome::kSent) context.counters.add(counter(kIcmpSent));
            context.counters.add(drop(static_cast<unsigned>(NeighbourDrop::kUnresolved)));
            context.charge_drop(meta);
            rte_pktmbuf_free(frame);
        }
    }

    // A part of the table in proportion to the time that passed.
    void sweep(WorkerContext& context) {
        NeighbourTable& table = *context.neighbours;
        if (swept_ms_ == 0) swept_ms_ = context.now.ms;
        const uint64_t elapsed = std::min(context.now.ms - swept_ms_, kSweepMs),
                       n = (table.capacity() * elapsed + kSweepMs - 1) / kSweepMs;
        if (n == 0) return;
        swept_ms_ = context.now.ms;
        for (uint64_t i = 0; i < n; ++i, ++sweep_at_) {
            if (sweep_at_ >= table.capacity()) sweep_at_ = 0;
            age(sweep_at_, context);
        }
        context.counters.set(counter(kEvicted), table.evicted());
        context.counters.set(counter(kRefused), table.refused());
    }
    static void age(uint32_t slot, WorkerContext& context) {
        NeighbourTable& table = *context.neighbours;
        const NeighbourView view = table.at(slot);
        const uint32_t since = context.now.ms - view.changed_ms;
        if (view.state == NeighbourState::kReachable && since >= timing::kReachable) {
            table.set(slot, NeighbourState::kStale, context.now.ms);
        } else if (view.state == NeighbourState::kStale && table.used(slot)) {
            table.set(slot, NeighbourState::kDelay, context.now.ms);
            table.timer(slot) = {context.now.ms + timing::kDelay, 0};
        } else if (view.state == NeighbourState::kStale && since >= timing::kForgotten) {
            table.erase(slot);
        }
    }

    Replies replies_;
    RateLimit kernel_rate_;
    uint64_t serial_ = 0;
    size_t port_ = 0, address_ = 0;  // the next address to announce
    size_t timer_at_ = 0;
    uint32_t timers_ms_ = 0, swept_ms_ = 0, sweep_at_ = 0, defended_ms_ = 0;
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& node,
                                                   CompileContext& context) {
    if (context.snapshot.mode != PolicySnapshot::Mode::kRouter) return Error{"needs mode: router"};
    if (context.snapshot.steps.empty())
        return Error{"stands after route: expected an earlier stage"};
    if (context.unchanged != nullptr) return context.unchanged;
    static std::atomic<uint64_t> serial{0};
    auto policy = std::make_shared<NeighbourPolicy>();
    policy->serial = ++serial;
    policy->icmp_rate = static_cast<uint32_t>(node["icmp-rate"].as_integer());
    for (const config::Node& entry : node["static"].items()) {
        const auto& ports = context.snapshot.ports;
        const auto port = std::ranges::find(ports, entry["port"].as_text(), &PortPolicy::name);
        const IpAddress address = entry["address"].as_address();
        if (port == ports.end())
            return Error{fmt::format("static: {}: no port '{}'", address.to_string(),
                                     entry["port"].as_text())};
        if (entry["mac"].as_mac().is_multicast() || address.is_multicast())
            return Error{fmt::format("static: {}: expected one machine, found a group",
                                     address.to_string())};
        policy->statics.push_back(
            {static_cast<PortId>(port - ports.begin()), address, entry["mac"].as_mac()});
    }
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Neighbour>(); }

constexpr StageDecl kStage{
    .name = "neighbour",
    .help = "Finds the MAC addresses of neighbours and tells them the box's own.",
    .schema = &neighbour_schema::kSchema,
    .drops = kDrops,
    .counters = kCounters,
    .compile = compile,
    .create = create,
    .repeats = [](const StagePolicy&) { return true; },
    .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
