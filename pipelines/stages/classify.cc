// SPDX-License-Identifier: Apache-2.0
// classify: says whom a packet is charged to where the firewall has not. What belongs to a flow has
// the flow's principal, which the firewall found when it opened the flow: by the rule, else by the
// originator's address, else by its port. So this stage stands behind `firewall`, and in pipelines
// without one binds every packet by its own source.
//
// Config: none; principals are declared at the top. Cost: a compare a packet; a table read for
// those without a flow.
#include "pipelines/stages/classify.h"

#include <algorithm>

#include "dataplane/charge.h"
#include "dataplane/stage.h"

namespace ravelin::classify {
namespace {

constexpr config::Schema kSchema{"stage classify", "Says whom packets are charged to.", {}};

class Classify final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy, WorkerContext&) noexcept override {
        const auto& p = static_cast<const ClassifyPolicy&>(policy);
        if (p.principals == nullptr) return;
        for (unsigned i = 0; i < burst.count; ++i)
            if (PacketMeta& meta = burst.meta[i]; meta.principal == sched::kNoPrincipal)
                meta.principal = find(p, meta, *burst.frames[i]);
    }

  private:
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
                           .repeats = [](const StagePolicy&) { return true; }};
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
