// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port_policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace ravelin {
namespace {

using config::Node;
using Mode = PolicySnapshot::Mode;

constexpr uint32_t kUsualMtu = 1500;

ReversePath reverse_path(const std::string& word) {
    if (word == "strict") return ReversePath::kStrict;
    return word == "loose" ? ReversePath::kLoose : ReversePath::kOff;
}

PortId find_port(const std::vector<PortPolicy>& ports, std::string_view name) {
    const auto found = std::ranges::find(ports, name, &PortPolicy::name);
    return found == ports.end() ? kNoPort : static_cast<PortId>(found - ports.begin());
}

Status check_tap(const std::vector<PortPolicy>& ports, const PortPolicy& port, Mode mode) {
    constexpr size_t kLongest = 15;  // IFNAMSIZ less its end
    if (port.tap.empty()) return ok_status();
    if (mode == Mode::kWire)
        return Error{fmt::format("ports: {}: tap needs mode: router", port.name)};
    if (port.tap.size() > kLongest || port.tap.find('/') != std::string::npos)
        return Error{
            fmt::format("ports: {}: tap {}: expected an interface name of at most {} "
                        "characters without /",
                        port.name, port.tap, kLongest)};
    for (const PortPolicy& other : ports)
        if (other.tap == port.tap)
            return Error{fmt::format("ports: {} and {} name the same tap {}", other.name, port.name,
                                     port.tap)};
    return ok_status();
}

/// What belongs to a device only.
Status check_members(const Node& node) {
    constexpr std::array<std::string_view, 4> kOfDevices{"device", "mac", "queues", "peer"};
    for (const std::string_view member : kOfDevices)
        if (node.has(member))
            return Error{
                fmt::format("{}: found on a sub-interface, expected on its parent only", member)};
    if (node["rss"].as_text() != "auto")
        return Error{"rss: found on a sub-interface, expected on its parent only"};
    return ok_status();
}

/// `port` is to stand on one of `ports`, those before it in the list.
Status put_on_parent(PortPolicy& port, const Node& node, const std::vector<PortPolicy>& ports,
                     Mode mode) {
    if (auto s = check_members(node); !s) return s;
    if (mode == Mode::kWire)
        return Error{"parent: found in mode wire, expected only in mode router"};
    const std::string& named = node["parent"].as_text();
    port.parent = find_port(ports, named);
    if (port.parent == kNoPort || ports[port.parent].parent != kNoPort)
        return Error{fmt::format(
            "parent: found '{}', expected a port with a device, earlier in the list", named)};
    const PortPolicy& parent = ports[port.parent];
    auto vlan = Vlan::parse(node["vlan"].as_text());
    if (!vlan) return std::move(vlan.error()).within("vlan");
    port.vlan = *vlan;
    port.vlan.service = node.has("tag") ? node["tag"].as_text() == "802.1ad" : vlan->inner != 0;
    for (const PortPolicy& other : ports)
        if (other.parent == port.parent && other.vlan.outer == vlan->outer &&
            other.vlan.inner == vlan->inner)
            return Error{fmt::format("vlan: {} is that of '{}' too, expected a different one",
                                     vlan->to_string(), other.name)};
    if (port.mtu > parent.mtu)
        return Error{fmt::format("mtu: found {} bytes, expected at most the {} of its parent",
                                 port.mtu, parent.mtu)};
    port.mac = parent.mac;
    return ok_status();
}

/// What belongs to a sub-interface only.
Status check_device(const Node& node) {
    if (!node.has("device")) return Error{"device: is missing, expected it, or parent and vlan"};
    for (const std::string_view member : {"vlan", "tag"})
        if (node.has(member))
            return Error{fmt::format("{}: found without parent, expected both", member)};
    return ok_status();
}

Status connect_wires(std::vector<PortPolicy>& all, const Node& ports) {
    const bool pair = all.size() == 2;
    for (size_t i = 0; i < all.size(); ++i) {
        const std::string& named = ports.items()[i]["peer"].as_text();
        if (named.empty() && pair)
            all[i].wire_peer = static_cast<PortId>(1 - i);
        else
            all[i].wire_peer = find_port(all, named);
        if (all[i].wire_peer == kNoPort || all[i].wire_peer == i)
            return Error{fmt::format("ports: '{}' has no peer; wire mode needs one for each port",
                                     all[i].name)};
    }
    for (size_t i = 0; i < all.size(); ++i)
        if (all[all[i].wire_peer].wire_peer != i)
            return Error{
                fmt::format("ports: '{}' and its peer do not name each other", all[i].name)};
    return ok_status();
}

}  // namespace

bool has_device(const Node& port) { return !port.has("parent"); }

PortId carrier_of(const Node& ports, size_t i) {
    const auto& all = ports.items();
    for (size_t p = 0; p < i && !has_device(all[i]); ++p)
        if (all[p]["name"].as_text() == all[i]["parent"].as_text()) return static_cast<PortId>(p);
    return static_cast<PortId>(i);
}

uint32_t mtu_of(const Node& ports, size_t i) {
    const Node& own = ports.items()[i];
    const Node& from = own.has("mtu") ? own : ports.items()[carrier_of(ports, i)];
    return from.has("mtu") ? static_cast<uint32_t>(from["mtu"].as_integer()) : kUsualMtu;
}

Result<std::vector<PortPolicy>> read_ports(const Node& ports, Mode mode, const PortFacts& facts) {
    std::vector<PortPolicy> out;
    for (const Node& node : ports.items()) {
        PortPolicy p;
        const size_t index = out.size();
        p.name = node["name"].as_text();
        if (find_port(out, p.name) != kNoPort)
            return Error{fmt::format("ports: two are named '{}'", p.name)};
        p.mtu = mtu_of(ports, index);
        p.addresses = node["addresses"].as_prefixes();
        p.rpf = reverse_path(node["rpf"].as_text());
        p.tap = node["tap"].as_text();
        if (auto s = check_tap(out, p, mode); !s) return std::move(s.error());
        if (index < facts.macs.size()) p.mac = facts.macs[index];
        if (auto s = has_device(node) ? check_device(node) : put_on_parent(p, node, out, mode); !s)
            return std::move(s.error()).within(fmt::format("ports[{}]", index));
        out.push_back(std::move(p));
    }
    if (mode == Mode::kWire)
        if (auto s = connect_wires(out, ports); !s) return std::move(s.error());
    return out;
}

VlanMap vlans_of(const std::vector<PortPolicy>& ports) {
    std::vector<VlanMap::Entry> entries;
    for (const PortPolicy& port : ports) entries.push_back({port.parent, port.vlan});
    return VlanMap(entries);
}

}  // namespace ravelin
