// SPDX-License-Identifier: Apache-2.0
// RewritePolicy: what rewrite has of the stages before it.
#pragma once
#include <memory>

#include "dataplane/stage.h"
#include "pipelines/stages/route.h"
#include "pipelines/stages/vxlan_mtu.h"

namespace ravelin {

struct RewritePolicy final : StagePolicy {
    std::shared_ptr<const RoutePolicy> route;
    std::shared_ptr<TunnelMtus> tunnels;  ///< null: no stage vxlan
    uint16_t before = 0;                  ///< the stage that worker 0 resumes after
    uint32_t icmp_rate = 0;
};

/// StageDecl::compile of rewrite.
Result<std::shared_ptr<const StagePolicy>> compile_rewrite(const config::Node& node,
                                                           CompileContext& context);

}  // namespace ravelin
