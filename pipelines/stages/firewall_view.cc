// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dataplane/net/headers.h"

namespace ravelin::firewall {
namespace {

// By FlowState.
constexpr std::array<std::string_view, static_cast<size_t>(kLastFlowState) + 1> kStateNames{
    "none",     "syn-sent",  "syn-received", "established", "fin-wait", "close-wait",
    "last-ack", "time-wait", "closed",       "request",     "replied",  "stream"};

std::string protocol_name(uint8_t protocol) {
    switch (protocol) {
        case net::kTcp:
            return "tcp";
        case net::kUdp:
            return "udp";
        case net::kIcmp:
            return "icmp";
        case net::kIcmpv6:
            return "icmp6";
        case net::kSctp:
            return "sctp";
        case net::kEsp:
            return "esp";
        case net::kAh:
            return "ah";
        default:
            return fmt::format("{}", protocol);
    }
}

std::string port_name(const PolicySnapshot& policy, PortId port) {
    if (port == kLocalPort) return "local";
    return port < policy.ports.size() ? policy.ports[port].name : std::string();
}

std::string rule_name(const PolicySnapshot& policy, uint32_t slot) {
    const RuleInfo* at = policy.rules.find(slot);
    return at != nullptr ? at->name : std::string();
}

std::string end_of(const IpAddress& address, uint16_t port) {
    return port == 0 ? address.to_string() : endpoint(address, port);
}

}  // namespace

FlowView describe(const Flow& flow, const FlowTranslation& translation,
                  const PolicySnapshot& policy, uint32_t now_ms) {
    const bool second = (flow.flags & kFlowOriginatorSecond) != 0;
    FlowView v;
    v.protocol = protocol_name(flow.key.protocol);
    v.source = second ? flow.key.second : flow.key.first;
    v.destination = second ? flow.key.first : flow.key.second;
    v.source_port = second ? flow.key.second_port : flow.key.first_port;
    v.destination_port = second ? flow.key.first_port : flow.key.second_port;
    v.state = kStateNames[std::min(static_cast<size_t>(flow.state), kStateNames.size() - 1)];
    v.rule = rule_name(policy, flow.rule);
    const auto outer = [](uint32_t address, uint16_t port) {
        return address == 0 ? std::string() : end_of(IpAddress::v4(address), port);
    };
    v.outer_source = outer(translation.source, translation.source_port);
    v.outer_destination = outer(translation.destination, translation.destination_port);
    v.in_port = port_name(policy, flow.in_port);
    v.out_port = port_name(policy, flow.out_port);
    // Epochs only grow; one from before this generation is judged again on its next packet.
    if (static_cast<int32_t>(flow.epoch - policy.first_epoch) >= 0) {
        v.generation = policy.generation;
        if (policy.principals != nullptr) v.principal = policy.principals->name(flow.principal);
    }
    v.proven = flow.proven();
    v.packets_out = flow.packets[0];
    v.bytes_out = flow.bytes[0];
    v.packets_back = flow.packets[1];
    v.bytes_back = flow.bytes[1];
    if (!flow.expired(now_ms)) v.expires_ms = flow.last_seen_ms + flow.timeout_ms - now_ms;
    return v;
}

std::string to_string(const FlowView& v) {
    return fmt::format("{} {} > {} {}, rule {}", v.protocol, end_of(v.source, v.source_port),
                       end_of(v.destination, v.destination_port), v.state,
                       v.rule.empty() ? "none" : v.rule);
}

}  // namespace ravelin::firewall
