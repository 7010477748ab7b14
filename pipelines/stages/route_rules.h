// SPDX-License-Identifier: Apache-2.0
// Policy routes: rules that send packets by another table than the main one, or straight to a next
// hop. Immutable once built. Cost where there are rules: one Classifier match a packet; where there
// are none, nothing.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dataplane/packet.h"
#include "pipelines/stages/route_next_hops.h"
#include "pipelines/tables/classifier.h"

namespace ravelin {

class RouteRules {
  public:
    static constexpr uint32_t kNoRule = UINT32_MAX;

    struct Rule {
        std::string name;
        uint32_t table = UINT32_MAX;          ///< index of a named table, or
        uint32_t value = NextHops::kNowhere;  ///< of a next hop or group
        uint64_t dscp = ~uint64_t{0};         ///< bit d: takes packets of DSCP d (RFC 2474)
    };

    /// Rules in order of precedence; `tables`: the names that `table` may give. Errors name the
    /// rule, what was found and what is expected.
    static Result<RouteRules> build(const config::Node& rules, const PolicySnapshot& snapshot,
                                    const std::vector<std::string>& tables, NextHopsBuilder& hops);

    [[nodiscard]] bool empty() const { return rules_.empty(); }
    const Rule& operator[](uint32_t i) const { return rules_[i]; }
    /// The first rule from `from` on that takes the packet, or kNoRule.
    [[nodiscard]] uint32_t match(const PacketMeta& meta, uint32_t from) const noexcept;
    [[nodiscard]] size_t memory_bytes() const;

  private:
    std::vector<Rule> rules_;
    Classifier classifier_;
};

}  // namespace ravelin
