// SPDX-License-Identifier: Apache-2.0
#include "dataplane/paced_ports.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/net/headers.h"

namespace ravelin {
namespace {

using config::Node;

constexpr uint64_t kBitsPerByte = 8, kQueueTimes = 25;  // 40 ms
constexpr uint64_t kLeastFrames = 32;
// Of one worker's buffers, frames that wait for ports with a rate: all may be of one pool.
constexpr uint32_t kPartThatWaits = 4;
constexpr uint32_t kLeastWaiting = 16, kMostWaiting = 16'384;

constexpr uint32_t kLeastQueue = 4;  // of the longest frames

uint32_t longest_frame(uint32_t mtu) {
    return static_cast<uint32_t>(sizeof(net::Ethernet) +
                                 limits::kMaxVlanTags * sizeof(net::VlanTag)) +
           mtu;
}

Result<bool> is_paced(const Node& port, uint32_t mtu) {
    if (!port.has("rate")) {
        if (port.has("queue")) return Error{"queue: found without rate, expected both"};
        return false;
    }
    if (!has_device(port))
        return Error{
            "rate: found on a port without a device, expected on the one whose link it uses"};
    if (port.has("queue") && port["queue"].as_integer() < kLeastQueue * longest_frame(mtu))
        return Error{
            fmt::format("queue: found {} bytes, expected at least {}: {} of the longest frames",
                        port["queue"].as_integer(), kLeastQueue * longest_frame(mtu), kLeastQueue)};
    return true;
}

}  // namespace

LinkPlan plan_of(const Node& config, size_t port) {
    const auto& ports = config["ports"].items();
    const Node& node = ports[port];
    const auto paced = static_cast<uint32_t>(
        std::ranges::count_if(ports, [](const Node& p) { return p.has("rate"); }));
    const auto buffers = static_cast<uint32_t>(config["workers"]["buffers"].as_integer());
    LinkPlan plan;
    plan.rate = static_cast<uint64_t>(node["rate"].as_integer());
    plan.most_frame = longest_frame(mtu_of(config["ports"], port));
    plan.queue_bytes = node.has("queue") ? static_cast<uint64_t>(node["queue"].as_integer())
                                         : std::max(plan.rate / kBitsPerByte / kQueueTimes,
                                                    kLeastFrames * plan.most_frame);
    plan.frames =
        std::clamp(buffers / kPartThatWaits / std::max(paced, 1u), kLeastWaiting, kMostWaiting);
    return plan;
}

Node link_part_of(const Node& config) {
    Node out = Node::map();
    for (const char* member :
         {"mode", "workers", "ports", "principals", "functions", "reservations"})
        if (config.has(member)) out.set(member, config[member]);
    return out;
}

Status set_aside(const Node& config, const LinkPlan& plan, const ReservedLink& link,
                 uint64_t& aside) {
    const std::string& port = config["ports"].items()[link.port]["name"].as_text();
    const uint64_t packets = sched::packets_waiting(link.contract),
                   bytes = packets * link.frame_bytes;
    if (bytes > plan.queue_bytes)
        return Error{fmt::format(
            "out: {} packets may wait at port {}, whose queue holds {} bytes, expected a queue of "
            "at least {}",
            packets, port, plan.queue_bytes, bytes)};
    if (aside + packets > plan.frames / 2)
        return Error{
            fmt::format("out: {} packets of reservations and of the box may wait at port {}, "
                        "expected at most {}: more workers.buffers, a shorter deadline or a lower "
                        "rate",
                        aside + packets, port, plan.frames / 2)};
    aside += packets;
    return ok_status();
}

std::shared_ptr<PacedLink> LinkKeeper::make(const LinkPlan& plan,
                                            const std::shared_ptr<const Principals>& principals) {
    // Nobody but us knows those any more.
    std::erase_if(links_, [](const std::shared_ptr<PacedLink>& link) {
        return link.use_count() == 1 && !link->attached();
    });
    links_.push_back(std::make_shared<PacedLink>(plan, principals));
    return links_.back();
}

void LinkKeeper::release_all() {
    for (const auto& link : links_) link->release_all();
}

namespace {

Result<LinkPlan> plan_with_promises(const Node& config, size_t port,
                                    const std::vector<Reservation>& reservations,
                                    const Principals* principals) {
    LinkPlan plan = plan_of(config, port);
    uint64_t aside = sched::packets_waiting(box_contract(plan));
    for (const Reservation& reservation : reservations) {
        for (const ReservedLink& link : reservation.links) {
            if (link.port != port) continue;
            if (auto s = set_aside(config, plan, link, aside); !s)
                return std::move(s.error()).within(reservation.place);
            if (principals == nullptr) continue;
            const sched::PrincipalId id = principals->table.find(reservation.principal);
            if (link.payer.empty())
                plan.promises.push_back({id, link.contract});
            else
                plan.sharers.push_back({id, principals->table.find(link.payer)});
        }
    }
    // Whichever came first: the same are the same.
    std::ranges::sort(plan.promises, {}, &Promise::principal);
    std::ranges::sort(plan.sharers, {}, &Sharer::principal);
    return plan;
}

bool alike(const std::shared_ptr<const Node>& a, const std::shared_ptr<const Node>& b) {
    return a == b || (a != nullptr && b != nullptr && *a == *b);
}

/// Where nothing has changed `previous` itself, and of that the links that have not.
Result<std::shared_ptr<const PacedPorts>> make(const Node& config, bool any,
                                               std::shared_ptr<const Node> live,
                                               const PortFacts& facts,
                                               const std::shared_ptr<const Principals>& principals,
                                               const std::shared_ptr<const PacedPorts>& previous) {
    const auto reservations = read_reservations(config, live != nullptr ? *live : Node());
    if (!reservations) return reservations.error();
    const auto& ports = config["ports"].items();
    auto out = std::make_shared<PacedPorts>();
    out->links.resize(ports.size());
    for (size_t i = 0; i < ports.size(); ++i) {
        if (!ports[i].has("rate")) continue;
        auto plan = plan_with_promises(config, i, *reservations, principals.get());
        if (!plan) return std::move(plan.error());
        if (facts.links == nullptr) continue;
        if (previous != nullptr && i < previous->links.size()) out->links[i] = previous->links[i];
        std::shared_ptr<PacedLink>& link = out->links[i];
        if (link == nullptr || link->plan() != *plan || link->principals() != principals)
            link = facts.links->make(*plan, principals);
    }
    if (!any || facts.links == nullptr) return std::shared_ptr<const PacedPorts>();
    out->config = std::make_shared<const Node>(link_part_of(config));
    out->live = std::move(live);
    if (previous != nullptr && previous->links == out->links &&
        alike(previous->config, out->config) && alike(previous->live, out->live))
        return previous;
    out->serial = facts.links->next_serial();
    return std::shared_ptr<const PacedPorts>(std::move(out));
}

}  // namespace

Result<std::shared_ptr<const PacedPorts>> read_paced_ports(
    const Node& config, const PortFacts& facts, const PolicySnapshot& snapshot,
    const std::shared_ptr<const PacedPorts>& previous) {
    const auto& ports = config["ports"].items();
    bool any = false;
    for (size_t i = 0; i < ports.size(); ++i) {
        const auto paced = is_paced(ports[i], snapshot.ports[i].mtu);
        if (!paced) return Error{paced.error()}.within(fmt::format("ports[{}]", i));
        any |= *paced;
    }
    return make(config, any, previous != nullptr ? previous->live : nullptr, facts,
                snapshot.principals, previous);
}

Result<std::shared_ptr<const PacedPorts>> with_live(const PolicySnapshot& policy,
                                                    const PortFacts& facts, Node live) {
    if (policy.paced == nullptr) {
        if (std::ranges::none_of(live.items(), [](const Node& one) { return one.has("out"); }))
            return policy.paced;
        return Error{"no port has a rate, so none can be reserved of"};
    }
    auto list = live.items().empty() ? nullptr : std::make_shared<const Node>(std::move(live));
    return make(*policy.paced->config, true, std::move(list), facts, policy.principals,
                policy.paced);
}

}  // namespace ravelin
