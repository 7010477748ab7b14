// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/nat_source.h"

#include <algorithm>
#include <array>

#include "dataplane/net/headers.h"

namespace ravelin::nat {
namespace {

/// What a source may be translated to: addresses in order of preference, and their ports.
struct Candidates {
    const CompiledRule* rule = nullptr;  ///< null: leave it alone
    unsigned count = 0;
    std::array<uint32_t, kAddressTries> addresses{};
};

uint32_t pool_address(const CompiledRule& rule, uint32_t index) noexcept {
    for (const Prefix& prefix : rule.pool) {
        const uint64_t size = uint64_t{1} << (32 - prefix.length);
        if (index < size) return prefix.address.v4_host() + index;
        index -= static_cast<uint32_t>(size);
    }
    return 0;
}

/// A port's address for packets to `peer`; 0 if it has none.
uint32_t address_of(const PolicySnapshot& snapshot, PortId port, uint32_t peer) noexcept {
    if (port >= snapshot.ports.size()) return 0;
    uint32_t any = 0;
    for (const Prefix& own : snapshot.ports[port].addresses) {
        if (!own.is_v4()) continue;
        if (own.contains(IpAddress::v4(peer))) return own.address.v4_host();
        if (any == 0) any = own.address.v4_host();
    }
    return any;
}

/// Paired (RFC 4787 section 4.1): an inner address begins at the same outer one each time, on
/// whatever worker.
void from_pool(const CompiledRule& rule, uint32_t inner, Candidates& out) noexcept {
    constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
    const auto start = static_cast<uint32_t>((inner * kFactor >> 32) % rule.pool_size);
    out.count = std::min(rule.pool_size, kAddressTries);
    for (uint32_t i = 0; i < out.count; ++i)
        out.addresses[i] = pool_address(rule, (start + i) % rule.pool_size);
}

Candidates candidates(const NatPolicy& policy, const PolicySnapshot& snapshot, const Tuple& inner,
                      PortId out_port, uint32_t outer_destination) noexcept {
    Candidates out;
    if (out_port >= snapshot.ports.size()) return out;  // to the box, or nowhere
    out.rule = policy.source_rule(inner, out_port);
    if (out.rule != nullptr && out.rule->kind == Kind::kSource) {
        from_pool(*out.rule, inner.source, out);
        return out;
    }
    out.count = 1;
    if (out.rule != nullptr) {
        out.addresses[0] = out.rule->kind == Kind::kStatic
                               ? out.rule->mapped(inner.source)
                               : address_of(snapshot, out_port, inner.destination);
        return out;
    }
    // Hairpin (RFC 4787 section 6): the outer address as source, or answers take the short way.
    const uint32_t known = outer_destination == 0 ? 0 : policy.known(outer_destination);
    if ((known & NatPolicy::kHairpin) == 0 || inner.in_port != out_port) return out;
    out.rule = &NatPolicy::kAnyPort;
    out.addresses[0] = (known & NatPolicy::kWhole) != 0
                           ? address_of(snapshot, out_port, inner.destination)
                           : outer_destination;
    return out;
}

/// What answers to the flow carry if it leaves from `address` and `port`.
Tuple answer_to(const Tuple& inner, PortId out_port, uint32_t address, uint16_t port) noexcept {
    Tuple t{inner.destination, address,    inner.destination_port, port, out_port,
            inner.protocol,    inner.ports};
    if (t.protocol == net::kIcmp) t.source_port = port;
    return t;
}

/// Neither another flow's nor such that a rule would take the answers.
bool usable(const NatPolicy& policy, const FlowTable& flows, const Tuple& answer) noexcept {
    bool swapped = false;
    const FlowKey key = answer.key(swapped);
    const uint32_t hash = key.hash();
    // In clear: a conversation of the box itself has that port.
    return flows.find_outer(key, hash) == nullptr && flows.find(key, hash) == nullptr &&
           !policy.inner_destination(answer, policy.known(answer.destination));
}

class PortSearch {
  public:
    PortSearch(const NatPolicy& policy, const WorkerContext& context, const Tuple& inner,
               PortId out_port, const CompiledRule& rule) noexcept
        : policy_(policy), context_(context), inner_(inner), out_port_(out_port), rule_(rule) {
        const unsigned workers = context.workers;
        first_ = rule.low + (context.worker + workers - rule.low % workers) % workers;
        if (first_ <= rule.high) count_ = (rule.high - first_) / workers + 1;
    }

    /// The inner port if it is free, else another; 0 without one.
    [[nodiscard]] uint16_t find(uint32_t address) const noexcept {
        const uint16_t own = inner_.source_port;
        const bool mine = own >= rule_.low && own <= rule_.high &&
                          NatPolicy::owner_of_port(own, context_.workers) == context_.worker;
        if (mine && free(address, own)) return own;
        if (count_ == 0) return 0;
        const unsigned start = random() % count_, step = stride();
        for (unsigned i = 0; i < std::min(count_, kPortTries); ++i) {
            const unsigned at = (start + i * step) % count_;
            const auto port = static_cast<uint16_t>(first_ + at * context_.workers);
            if (free(address, port)) return port;
        }
        return 0;
    }

  private:
    [[nodiscard]] bool free(uint32_t address, uint16_t port) const noexcept {
        return usable(policy_, *context_.flows, answer_to(inner_, out_port_, address, port));
    }
    /// Not to be foretold from outside (RFC 6056 section 3.3.3): the keyed hash of flow and time.
    [[nodiscard]] uint32_t random() const noexcept {
        bool swapped = false;
        FlowKey key = inner_.key(swapped);
        key.zone = static_cast<uint16_t>(context_.now.ns >> 10);
        return key.hash();
    }
    /// Walks all of a share before it comes back: a prime that does not divide it.
    [[nodiscard]] unsigned stride() const noexcept {
        for (const unsigned prime : {7919u, 6007u, 4001u})
            if (count_ % prime != 0) return prime;
        return 1;
    }

    const NatPolicy& policy_;
    const WorkerContext& context_;
    const Tuple& inner_;
    PortId out_port_;
    const CompiledRule& rule_;
    unsigned first_ = 0, count_ = 0;
};

/// The flow's inner ends, from its originator.
Tuple tuple_of(const Flow& flow) noexcept {
    const bool second = (flow.flags & kFlowOriginatorSecond) != 0;
    const FlowKey& k = flow.key;
    Tuple t{(second ? k.second : k.first).v4_host(),
            (second ? k.first : k.second).v4_host(),
            second ? k.second_port : k.first_port,
            second ? k.first_port : k.second_port,
            flow.in_port,
            k.protocol,
            has_translated_ports(k.protocol)};
    t.ports = t.ports || k.protocol == net::kSctp;
    return t;
}

bool destination_holds(const NatPolicy& policy, const Tuple& inner, FlowTranslation& t) noexcept {
    if (t.destination == 0) return true;
    Tuple outer = inner;
    outer.destination = t.destination;
    if (has_translated_ports(inner.protocol)) outer.destination_port = t.destination_port;
    const auto end =
        policy.inner_destination(outer, policy.known(t.destination), &t.destination_rule);
    return end == End{inner.destination, inner.destination_port};
}

}  // namespace

Choice choose(const NatPolicy& policy, const PacketMeta& meta, const WorkerContext& context,
              FlowTranslation& out) noexcept {
    out = {};
    const Tuple inner = nat::tuple_of(meta);
    if (meta.has(PacketMeta::kDestinationTranslated)) {
        out.destination = meta.nat_destination;
        out.destination_port = meta.nat_destination_port;
        if (!destination_holds(policy, inner, out)) return Choice::kDoubtful;
    }
    const Choice without = out.destination != 0 ? Choice::kTranslated : Choice::kNone;
    const Candidates from =
        candidates(policy, *context.policy, inner, meta.out_port, out.destination);
    if (from.rule == nullptr) return without;
    out.source_rule = from.rule->slot;
    if (from.rule->kind == Kind::kStatic) {
        out.source = from.addresses[0];
        out.source_port = has_translated_ports(inner.protocol) ? inner.source_port : uint16_t{0};
        return Choice::kTranslated;
    }
    if (!inner.ports || !has_translated_ports(inner.protocol)) return Choice::kUnsupported;
    const PortSearch search(policy, context, inner, meta.out_port, *from.rule);
    for (unsigned i = 0; i < from.count; ++i) {
        if (from.addresses[i] == 0) continue;
        const uint16_t port = search.find(from.addresses[i]);
        if (port == 0) continue;
        out.source = from.addresses[i];
        out.source_port = port;
        return port == inner.source_port ? Choice::kKeptPort : Choice::kChangedPort;
    }
    return Choice::kNoPort;
}

Choice choose_stateless(const NatPolicy& policy, const PacketMeta& meta,
                        FlowTranslation& out) noexcept {
    out = {};
    const CompiledRule* rule = policy.source_rule(nat::tuple_of(meta), meta.out_port);
    if (rule == nullptr) return Choice::kNone;
    if (rule->kind != Kind::kStatic) return Choice::kUnsupported;
    out.source = rule->mapped(meta.source.v4_host());
    out.source_rule = rule->slot;
    out.source_port = meta.has(PacketMeta::kPorts) ? meta.source_port : uint16_t{0};
    return Choice::kTranslated;
}

bool still_holds(const NatPolicy* policy, const Flow& flow, FlowTranslation& t,
                 const PolicySnapshot& snapshot) noexcept {
    if (policy == nullptr) return false;
    const Tuple inner = tuple_of(flow);
    if (!destination_holds(*policy, inner, t)) return false;
    if (t.source == 0) return true;
    const Candidates now = candidates(*policy, snapshot, inner, flow.out_port, t.destination);
    if (now.rule == nullptr) return false;
    t.source_rule = now.rule->slot;
    const auto* end = now.addresses.begin() + now.count;
    if (std::find(now.addresses.begin(), end, t.source) == end) return false;
    if (now.rule->kind == Kind::kStatic) return true;
    const Tuple answer = answer_to(inner, flow.out_port, t.source, t.source_port);
    return t.source_port >= now.rule->low && t.source_port <= now.rule->high &&
           !policy->inner_destination(answer, policy->known(t.source));
}

}  // namespace ravelin::nat
