// SPDX-License-Identifier: Apache-2.0
// classify: says whom a packet is charged to where the firewall has not. What belongs to a flow has
// the flow's principal, which the firewall found when it opened the flow: by the rule, else by the
// originator's address, else by its port. So this stage stands behind `firewall`, and in pipelines
// without one binds every packet by its own source. It drops what is beyond its principal's cap on
// bandwidth and leaves by a port without a rate (at one with a rate the cap shapes, paced_link.h);
// packets that take the shortcut or the express are asked there. What is beyond its principal's cap
// on cpu is dropped here too, whatever port it leaves by.
//
// Config: none; principals are declared at the top. Cost: a compare a packet; a table read for
// those without a flow.
#include "pipelines/stages/classify.h"

#include <algorithm>

#include "dataplane/account.h"
#include "dataplane/charge.h"
#include "dataplane/engine_counters.h"
#include "dataplane/express.h"
#include "dataplane/stage.h"
#include "dataplane/transmitter.h"
#include "pipelines/stages/neighbour_messages.h"

namespace ravelin::classify {
namespace {

constexpr config::Schema kSchema{"stage classify", "Says whom packets are charged to.", {}};

class Classify final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& p = static_cast<const ClassifyPolicy&>(policy);
        if (p.principals == nullptr) return;
        for (unsigned i = 0; i < burst.count; ++i)
            if (PacketMeta& meta = burst.meta[i]; meta.principal == sched::kNoPrincipal)
                meta.principal = find(p, meta, *burst.frames[i]);
        if (context.dry_run || context.account == nullptr) return;
        if (context.account->caps().cycles().anybody()) [[unlikely]]
            shed(burst, context);
        if (context.account->caps().any()) police(burst, context);
    }

    void express(ExpressBurst& b, const StagePolicy& policy, WorkerContext&) noexcept override {
        const auto& p = static_cast<const ClassifyPolicy&>(policy);
        if (p.principals == nullptr) return;
        ExpressBurst::Column<uint32_t> by_prefix;
        p.prefixes.lookup_v4_burst(b.source.data(), by_prefix.data(), b.count);
        columns::fill(by_prefix, columns::equal(by_prefix, Lpm::kNoRoute, b.all()),
                      index(p.bind(b.in_port)));
        const uint64_t asked = b.going | b.dropped;
        columns::copy(by_prefix, columns::equal(b.principal, index(sched::kNoPrincipal), asked),
                      b.principal);
    }

  private:
    // Before functions and all that is behind cost more.
    static void shed(Burst& burst, WorkerContext& context) noexcept {
        const CycleCaps& caps = context.account->caps().cycles();
        for (unsigned i = 0; i < burst.count; ++i) {
            const PacketMeta& meta = burst.meta[i];
            if (burst.live(i) && !meta.has(PacketMeta::kLocalOrigin | PacketMeta::kArp) &&
                !is_nd(meta) && caps.beyond(meta.principal))
                burst.drop(i, kDropOverCpu);
        }
    }
    // The box's own packets are nobody's, and who finds neighbours harms nobody: without ARP those
    // would be cut off who send to a principal at the expense of another.
    static void police(Burst& burst, WorkerContext& context) noexcept {
        Caps& caps = context.account->caps();
        for (unsigned i = 0; i < burst.count; ++i) context.account->fetch(burst.meta[i].principal);
        for (unsigned i = 0; i < burst.count; ++i) {
            const PacketMeta& meta = burst.meta[i];
            if (burst.live(i) && !meta.has(PacketMeta::kLocalOrigin | PacketMeta::kArp) &&
                !is_nd(meta) && !context.transmitter->is_paced(meta.out_port) &&
                !caps.take(meta.principal, meta.l3_total, context.now.ns))
                burst.drop(i, kDropOverCap);
        }
    }
    // The box's own is core's, but for what is around a tunnelled packet.
    static sched::PrincipalId find(const ClassifyPolicy& policy, const PacketMeta& meta,
                                   const rte_mbuf& frame) noexcept {
        if (meta.has(PacketMeta::kLocalOrigin))
            return meta.has(PacketMeta::kTunnelled) ? charged_to(frame) : sched::kCorePrincipal;
        return meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6)
                   ? policy.bind(meta.source, meta.in_port)
                   : policy.bind(meta.in_port);
    }
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node&, CompileContext& context) {
    const auto& principals = context.snapshot.principals;
    if (context.unchanged != nullptr &&
        static_cast<const ClassifyPolicy&>(*context.unchanged).principals == principals)
        return context.unchanged;
    auto policy = std::make_shared<ClassifyPolicy>();
    policy->principals = principals;
    if (principals == nullptr) return std::shared_ptr<const StagePolicy>(std::move(policy));
    std::vector<LpmEntry> entries;
    for (const auto& [prefix, principal] : principals->prefixes)
        entries.push_back({prefix, index(principal)});
    auto prefixes = Lpm::build(entries);
    if (!prefixes) return std::move(prefixes.error());
    policy->prefixes = std::move(*prefixes);
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

constexpr StageDecl kStage{.name = "classify",
                           .help = "Says whom packets are charged to.",
                           .schema = &kSchema,
                           .drops = {},
                           .counters = {},
                           .compile = compile,
                           .create = [](WorkerId, WorkerId) -> std::unique_ptr<Stage> {
                               return std::make_unique<Classify>();
                           },
                           .repeats = [](const StagePolicy&) { return true; },
                           .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace

const ClassifyPolicy* policy_of(const PolicySnapshot& snapshot) noexcept {
    if (snapshot.principals == nullptr) return nullptr;
    static const int stage = StageRegistry::get().index("classify");
    const auto at = std::ranges::find(snapshot.steps, stage, &PolicySnapshot::Step::stage);
    return at == snapshot.steps.end() ? nullptr
                                      : static_cast<const ClassifyPolicy*>(at->policy.get());
}

}  // namespace ravelin::classify
