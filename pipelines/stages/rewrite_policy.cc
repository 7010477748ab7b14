// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/rewrite_policy.h"

#include <algorithm>

namespace ravelin {
namespace {

bool opens_tunnels_without(const PolicySnapshot& snapshot) {
    const int vxlan = StageRegistry::get().index("vxlan");
    return std::ranges::any_of(snapshot.ports, [](const auto& p) { return p.vxlan.has_value(); }) &&
           std::ranges::none_of(snapshot.steps, [&](const auto& s) { return s.stage == vxlan; });
}

}  // namespace

Result<std::shared_ptr<const StagePolicy>> compile_rewrite(const config::Node& node,
                                                           CompileContext& context) {
    if (context.snapshot.mode != PolicySnapshot::Mode::kRouter) return Error{"needs mode: router"};
    const int route = StageRegistry::get().index("route"),
              neighbour = StageRegistry::get().index("neighbour");
    auto policy = std::make_shared<RewritePolicy>();
    const int nat = StageRegistry::get().index("nat"),
              firewall = StageRegistry::get().index("firewall");
    const int vxlan = StageRegistry::get().index("vxlan");
    bool asks = false, translates = false, judged = false, opened = false;
    for (const auto& step : context.snapshot.steps) {
        if (step.stage == route)
            policy->route = std::static_pointer_cast<const RoutePolicy>(step.policy);
        asks |= step.stage == neighbour;
        policy->before = step.stage;
        translates |= step.stage == nat;
        judged |= translates && step.stage == firewall;
        opened |= step.stage == vxlan;
        if (step.stage == vxlan)
            policy->tunnels = static_cast<const TunnelPolicy&>(*step.policy).mtus;
        if (opened && step.stage == firewall)
            return Error{
                "found firewall behind vxlan, expected it before; rules judge outer packets too"};
    }
    if (translates && !judged)
        return Error{"found nat without firewall behind it; sources are chosen for its flows"};
    if (opens_tunnels_without(context.snapshot))
        return Error{
            "found a port with vxlan and no stage vxlan before it; expected it earlier in "
            "the pipeline, behind firewall"};
    if (policy->route == nullptr || !asks)
        return Error{
            "found no route and neighbour before it; expected both earlier in the pipeline"};
    policy->icmp_rate = static_cast<uint32_t>(node["icmp-rate"].as_integer());
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

}  // namespace ravelin
