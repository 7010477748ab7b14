// SPDX-License-Identifier: Apache-2.0
// What a rule asks of a packet beyond the classifier's dimensions: looked at only once those match.
// Data without EAL; firewall_limits.cc decides.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "pipelines/tables/limit_table.h"

namespace ravelin::firewall {

/// Constant conditions on header fields.
struct Conditions {
    enum class Wanted : uint8_t { kAny, kNo, kYes };
    uint64_t dscp = ~uint64_t{0};  ///< bit i: code point i (RFC 2474)
    std::array<uint64_t, 4> hops{~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};
    uint16_t shortest = 0, longest = 0xffff;  ///< IP packet, bytes
    uint8_t tcp_flags = 0, tcp_mask = 0;      ///< TcpFlag bits; of the mask's, exactly these
    Wanted fragment = Wanted::kAny;           ///< any fragment, the first one included
    Wanted options = Wanted::kAny;            ///< IPv4 options or IPv6 extension headers

    bool operator==(const Conditions&) const = default;
};

/// How many live flows a source may have. A flow counts for the rule that accepted it.
struct Connections {
    uint32_t per_source = 0;  ///< 0: not asked
    bool over = false;        ///< the rule takes what is beyond, not what is within
    std::string of;           ///< the rule whose flows count; empty: this one
};

/// How new TCP connections are answered in a server's place.
struct SynProxy {
    uint16_t segment_size = 1460;  ///< over IPv4
    int8_t window_scale = 7;
    bool sack = true, timestamps = true;
    std::optional<LimitSpec> above;  ///< SYNs within it go to the server
};

/// All of it.
struct RuleExtra {
    Conditions conditions;
    std::optional<LimitSpec> limit;
    Connections connections;
    [[nodiscard]] bool empty() const {
        return conditions == Conditions{} && !limit && connections.per_source == 0;
    }
};

/// Of one rule's node, if it has one. Errors as below.
Result<std::optional<SynProxy>> read_syn_proxy(const config::Node& rule);

/// Of one rule's node. Errors name the member, what was found and what was expected.
Result<RuleExtra> read_extra(const config::Node& rule);

}  // namespace ravelin::firewall
