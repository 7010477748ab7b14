// SPDX-License-Identifier: Apache-2.0
// nat: gives IPv4 packets to outer addresses their inner destination, before route and firewall
// look at them: answers to flows whose source was translated, by the worker's own table; then what
// destination and static rules name. Sources are chosen where the firewall opens a flow
// (nat_source.cc) and written by rewrite, so rules, routes and flow keys have inner addresses.
//
// Share-nothing: steer brings a packet to the worker that has its flow, without state:
// outer ports are shared out to workers, packets a rule translates go by their inner ends.
// Mapping is address and port dependent (RFC 4787 section 4.1): an outer port serves several flows
// to different ends. Filtering is the firewall's.
//
// Config: nat_schema.h. Drops and counters: below; of sources in firewall. Cost: one table read per
// IPv4 packet; to an outer address a flow lookup more, or a classification.
#include <array>

#include "dataplane/flow_table.h"
#include "dataplane/stage.h"
#include "pipelines/net/translate.h"
#include "pipelines/stages/nat_policy.h"
#include "pipelines/stages/steer.h"

namespace ravelin::nat {
namespace {

enum Drop : unsigned { kNoMapping };
constexpr std::array<CounterDecl, 1> kDrops{{
    {"no_mapping", "Packets to a pool's address that belong to no translated flow."},
}};
enum Counter : unsigned { kAnswers, kForwarded, kErrors, kCounters };
constexpr std::array<CounterDecl, kCounters> kCounterDecls{{
    {"answers", "Packets to an outer source whose inner address was found by its flow."},
    {"forwarded", "Packets whose destination a destination or static rule translated."},
    {"errors", "ICMP errors of these, translated with the packet they quote."},
}};

class Nat final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& nat = static_cast<const NatPolicy&>(policy);
        uint64_t counts[kCounters] = {};
        for (unsigned i = 0; i < burst.count; ++i) {
            const PacketMeta& meta = burst.meta[i];
            if (!burst.live(i) || !meta.has(PacketMeta::kIpv4) ||
                meta.has(PacketMeta::kLocalOrigin))
                continue;
            if (const uint32_t known = nat.known(meta.destination.v4_host()); known != 0)
                one(burst, i, nat, known, context, counts);
        }
        for (unsigned c = 0; c < kCounters; ++c)
            if (counts[c] != 0) context.counters.add(counter(c), counts[c]);
    }

  private:
    void one(Burst& burst, unsigned i, const NatPolicy& nat, uint32_t known,
             const WorkerContext& context, uint64_t* counts) noexcept {
        PacketMeta& meta = burst.meta[i];
        const bool error = meta.has(PacketMeta::kIcmpError);
        const std::optional<Tuple> tuple =
            error ? answered_by(burst.packet(i), meta) : tuple_of(meta);
        // An error is about a packet that came from where it goes; all else is made up.
        if (!tuple || tuple->destination != meta.destination.v4_host()) return;
        auto inner = nat.inner_destination(*tuple, known);
        Counter kind = kForwarded;
        if (!inner) {
            inner = inner_source(*tuple, known, context);
            kind = kAnswers;
        }
        if (inner) {
            translate_destination(burst.packet(i), meta, inner->address, inner->port);
            meta.flags &= ~(PacketMeta::kHashed | PacketMeta::kSwapped);
            set_hash(burst.packet(i), meta);
            ++counts[error ? kErrors : kind];
        } else if ((known & (NatPolicy::kDynamic | NatPolicy::kOwn)) == NatPolicy::kDynamic) {
            burst.drop(i, drop(kNoMapping));
        }
    }

    /// The inner end of the flow that this packet answers.
    static std::optional<End> inner_source(const Tuple& packet, uint32_t known,
                                           const WorkerContext& context) noexcept {
        if ((known & NatPolicy::kDynamic) == 0 || !packet.ports) return std::nullopt;
        bool swapped = false;
        const FlowKey key = packet.key(swapped);
        const Flow* flow = context.flows->find_outer(key, key.hash());
        if (flow == nullptr || flow->expired(context.now.ms)) return std::nullopt;
        const bool second = (flow->flags & kFlowOriginatorSecond) != 0;
        return End{(second ? flow->key.second : flow->key.first).v4_host(),
                   second ? flow->key.second_port : flow->key.first_port};
    }
};

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Nat>(); }

constexpr StageDecl kStage{.name = "nat",
                           .help = "Translates IPv4 addresses and ports (NAT44).",
                           .schema = &kSchema,
                           .drops = kDrops,
                           .counters = kCounterDecls,
                           .compile = NatPolicy::compile,
                           .create = create};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin::nat
