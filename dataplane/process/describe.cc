// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/describe.h"
#include "dataplane/functions.h"

#include <fmt/format.h>

#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin {
namespace {

constexpr const char* kOnLink = "on link";

std::string tcp_flags(uint8_t flags) {
    static constexpr const char* kNames[] = {"fin", "syn", "rst", "psh", "ack", "urg"};
    std::string out;
    for (unsigned bit = 0; bit < 6; ++bit)
        if (flags & (1u << bit)) out += (out.empty() ? "" : ",") + std::string(kNames[bit]);
    return out;
}

/// One end of an IPv4 packet.
std::string end(const PacketMeta& meta, uint32_t address, uint16_t port) {
    const IpAddress host = IpAddress::v4(address);
    return meta.has(PacketMeta::kPorts) ? endpoint(host, port) : host.to_string();
}

std::string stage_name(uint16_t stage) {
    if (stage == TraceRecord::kReceived) return "receive";
    if (stage == TraceRecord::kLeft) return "transmit";
    const auto& stages = StageRegistry::get().stages();
    return stage < stages.size() ? std::string(stages[stage]->name) : "unknown";
}

}  // namespace

std::string Describer::port(PortId id) const {
    if (id == kLocalPort) return "local";
    return id < policy_.ports.size() ? policy_.ports[id].name : "";
}

std::string Describer::via(const NextHop& hop) {
    if (hop.kind != RouteKind::kForward) return "";
    return hop.on_link ? kOnLink : hop.gateway.to_string();
}

std::string Describer::via(const PacketMeta& meta) const {
    if (const NextHop* hop = learned_ != nullptr ? learned_->hop(meta.next_hop) : nullptr)
        return hop->port == meta.out_port ? via(*hop) : "";
    const auto* routes = policy_of<RoutePolicy>(policy_, "route");
    if (routes == nullptr || meta.next_hop >= routes->next_hops().size()) return "";
    const NextHop& hop = routes->next_hops()[meta.next_hop];
    return hop.port == meta.out_port ? via(hop) : "";
}

std::string Describer::rule(uint32_t slot) const {
    const RuleInfo* info = policy_.rules.find(slot);
    return info != nullptr ? info->name : "";
}

std::string Describer::action(uint32_t slot) const {
    const RuleInfo* info = policy_.rules.find(slot);
    return info != nullptr ? info->action : "";
}

std::string Describer::principal(const PacketMeta& meta) const {
    return policy_.principals == nullptr ? "" : policy_.principals->name(index(meta.principal));
}

std::string Describer::function(const PacketMeta& meta) const {
    const FunctionSpec* found =
        policy_.functions == nullptr ? nullptr : policy_.functions->of(meta.principal);
    if (found == nullptr) return "-";
    if (found->worker == kAnyWorker) return found->name;
    return fmt::format("{} on worker {}", found->name, found->worker);
}

std::string Describer::reason(DropCode code) const {
    if (code == 0 || code >= specs_.size()) return "";
    const std::string& name = specs_[code].name;
    return name.starts_with("drop.") ? name.substr(5) : name;
}

std::string Describer::verdict(Verdict v) {
    switch (v) {
        case Verdict::kPass:
            return "pass";
        case Verdict::kDrop:
            return "drop";
        case Verdict::kConsumed:
            return "consumed";
    }
    return "";
}

std::string Describer::protocol(const PacketMeta& meta) {
    if (meta.has(PacketMeta::kArp)) return "arp";
    if (!meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6))
        return fmt::format("ether-{:#06x}", meta.ethertype);
    switch (meta.protocol) {
        case net::kTcp:
            return "tcp";
        case net::kUdp:
            return "udp";
        case net::kIcmp:
            return "icmp";
        case net::kIcmpv6:
            return "icmp6";
        default:
            return fmt::format("ip-{}", meta.protocol);
    }
}

std::string Describer::summary(const PacketMeta& meta) {
    if (!meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6)) return protocol(meta);
    const bool ports = meta.has(PacketMeta::kPorts) && !meta.has(PacketMeta::kEcho);
    std::string text = fmt::format(
        "{} {} > {}", protocol(meta),
        ports ? endpoint(meta.source, meta.source_port) : meta.source.to_string(),
        ports ? endpoint(meta.destination, meta.destination_port) : meta.destination.to_string());
    if (meta.protocol == net::kTcp && !meta.has(PacketMeta::kLaterFragment))
        text += " " + tcp_flags(meta.tcp_flags);
    if (meta.protocol == net::kIcmp || meta.protocol == net::kIcmpv6)
        text += fmt::format(" type {} code {}", meta.icmp_type, meta.icmp_code);
    if (meta.has(PacketMeta::kFragment))
        text += fmt::format(" fragment at {}", meta.fragment_offset);
    return text + fmt::format(" len {}", meta.l3_total);
}

std::string Describer::detail(const std::string& stage, const PacketMeta& meta) const {
    if (stage == "parse" || stage == "receive")
        return stage == "parse" ? summary(meta) : "port " + port(meta.in_port);
    if (stage == "steer") return fmt::format("hash {:08x}", meta.hash);
    if (stage == "nat" && meta.has(PacketMeta::kDestinationTranslated))
        return fmt::format("destination {} to {}",
                           end(meta, meta.nat_destination, meta.nat_destination_port),
                           end(meta, meta.destination.v4_host(), meta.destination_port));
    if (stage == "nat") return "untouched";
    if (stage == "firewall") {
        const std::string_view state = firewall::state_name(meta.flow_state);
        return fmt::format("rule {} state {}", rule(meta.rule).empty() ? "-" : rule(meta.rule),
                           state.empty() ? "-" : state);
    }
    if (stage == "classify") return "principal " + principal(meta);
    if (stage == "invoke") return "function " + function(meta);
    const std::string out = port(meta.out_port);
    if (out.empty()) return "no way out";
    std::string text = "out " + out;
    if (const std::string next = stage == "route" ? via(meta) : ""; !next.empty())
        text += (next == kOnLink ? " " : " via ") + next;
    if (stage == "rewrite" && meta.has(PacketMeta::kSourceTranslated))
        text += fmt::format(", source {} to {}", end(meta, meta.nat_source, meta.nat_source_port),
                            end(meta, meta.source.v4_host(), meta.source_port));
    return text;
}

model::Step Describer::step(const TraceRecord& record) const {
    model::Step step;
    step.set_stage(stage_name(record.stage));
    step.set_verdict(verdict(record.verdict));
    step.set_detail(record.verdict == Verdict::kDrop ? reason(record.reason)
                                                     : detail(step.stage(), record.meta));
    return step;
}

model::TraceEvent Describer::trace(const TraceRecord& record) const {
    model::TraceEvent event;
    event.set_packet(record.watch_id);
    event.set_worker(record.worker);
    event.set_generation(record.generation);
    event.set_unix_ns(record.unix_ns);
    event.set_port(port(record.meta.in_port));
    event.set_summary(record.stage == TraceRecord::kReceived ? "" : summary(record.meta));
    *event.add_steps() = step(record);
    event.set_verdict(verdict(record.verdict));
    event.set_reason(reason(record.reason));
    event.set_rule(rule(record.meta.rule));
    event.set_out_port(port(record.meta.out_port));
    event.set_principal(principal(record.meta));
    return event;
}

model::RuleLog Describer::log(const RuleLogRecord& record) const {
    model::RuleLog log;
    log.set_unix_ns(record.unix_ns);
    log.set_generation(record.generation);
    log.set_rule(rule(record.meta.rule));
    log.set_action(action(record.meta.rule));
    log.set_in_port(port(record.meta.in_port));
    log.set_out_port(port(record.meta.out_port));
    log.set_protocol(protocol(record.meta));
    log.set_source(record.meta.source.to_string());
    log.set_destination(record.meta.destination.to_string());
    log.set_source_port(record.meta.source_port);
    log.set_destination_port(record.meta.destination_port);
    log.set_length(record.length);
    log.set_reason(reason(record.reason));
    return log;
}

}  // namespace ravelin
