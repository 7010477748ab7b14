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

LinkPlan plan_of(const Node& port, uint32_t mtu, uint32_t frames) {
    LinkPlan plan;
    plan.rate = static_cast<uint64_t>(port["rate"].as_integer());
    plan.most_frame = longest_frame(mtu);
    plan.queue_bytes = port.has("queue") ? static_cast<uint64_t>(port["queue"].as_integer())
                                         : std::max(plan.rate / kBitsPerByte / kQueueTimes,
                                                    kLeastFrames * plan.most_frame);
    plan.frames = std::clamp(frames, kLeastWaiting, kMostWaiting);
    return plan;
}

}  // namespace

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

Result<std::shared_ptr<const PacedPorts>> read_paced_ports(
    const Node& config, const PortFacts& facts, const PolicySnapshot& snapshot,
    const std::shared_ptr<const PacedPorts>& previous) {
    const auto& ports = config["ports"].items();
    std::vector<bool> paced;
    for (size_t i = 0; i < ports.size(); ++i) {
        auto is = is_paced(ports[i], snapshot.ports[i].mtu);
        if (!is) return std::move(is.error()).within(fmt::format("ports[{}]", i));
        paced.push_back(*is);
    }
    const auto count = static_cast<uint32_t>(std::ranges::count(paced, true));
    if (count == 0 || facts.links == nullptr) return std::shared_ptr<const PacedPorts>();
    auto out = std::make_shared<PacedPorts>();
    out->links.resize(ports.size());
    for (size_t i = 0; i < ports.size(); ++i) {
        if (!paced[i]) continue;
        const LinkPlan plan =
            plan_of(ports[i], snapshot.ports[i].mtu, facts.links->frames() / count);
        if (previous != nullptr && i < previous->links.size()) out->links[i] = previous->links[i];
        std::shared_ptr<PacedLink>& link = out->links[i];
        if (link == nullptr || link->plan() != plan || link->principals() != snapshot.principals)
            link = facts.links->make(plan, snapshot.principals);
    }
    if (previous != nullptr && previous->links == out->links) return previous;
    out->serial = facts.links->next_serial();
    return std::shared_ptr<const PacedPorts>(std::move(out));
}

}  // namespace ravelin
