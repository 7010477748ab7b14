// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port_policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <string_view>

namespace ravelin {
namespace {

using config::Node;
using Mode = PolicySnapshot::Mode;

constexpr uint32_t kUsualMtu = 1500, kLeastMtu = 1280;  // RFC 8200 section 5

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

/// What belongs to a device only, or to the other kind without one.
Status check_members(const Node& node, std::span<const std::string_view> foreign) {
    const auto wrong = [](std::string_view member) {
        return Error{
            fmt::format("{}: found on a port without a device, expected elsewhere", member)};
    };
    for (const std::string_view member : foreign)
        if (node.has(member)) return wrong(member);
    if (node["rss"].as_text() != "auto") return wrong("rss");
    return ok_status();
}

/// Linux hands tags to packet sockets beside the frame, and DPDK's driver puts them back as 802.1Q.
bool tells_tags_apart(std::string_view device) { return !device.starts_with("af_packet:"); }

/// `port` is to stand on one of `ports`, those before it in the list `all`.
Status put_on_parent(PortPolicy& port, const Node& node, const std::vector<PortPolicy>& ports,
                     const Node& all, Mode mode) {
    constexpr std::array<std::string_view, 4> kForeign{"device", "mac", "queues", "peer"};
    if (auto s = check_members(node, kForeign); !s) return s;
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
    const bool told_apart = tells_tags_apart(all.items()[port.parent]["device"].as_text());
    for (const PortPolicy& other : ports)
        if (other.parent == port.parent && !other.vxlan && other.vlan.outer == vlan->outer &&
            other.vlan.inner == vlan->inner &&
            (other.vlan.service == port.vlan.service || !told_apart))
            return Error{fmt::format("vlan: {} is that of '{}' too, expected a different one{}",
                                     vlan->to_string(), other.name,
                                     other.vlan.service == port.vlan.service
                                         ? ""
                                         : ": af_packet receives both tags as 802.1q")};
    if (port.mtu > parent.mtu)
        return Error{fmt::format("mtu: found {} bytes, expected at most the {} of its parent",
                                 port.mtu, parent.mtu)};
    port.mac = parent.mac;
    return ok_status();
}

bool has_address(const Node& port, const IpAddress& address) {
    const auto own = port["addresses"].as_prefixes();
    return std::ranges::find(own, address, &Prefix::address) != own.end();
}

/// The remotes of a tunnel end: distinct addresses, and what is behind them.
Status read_remotes(const Node& list, VxlanEnd& end) {
    for (const Node& node : list.items()) {
        const IpAddress address = node["address"].as_address();
        const auto wrong = [&](const std::string& what) {
            return Error{fmt::format("remotes: {}: {}", address.to_string(), what)};
        };
        if (address.is_v4() != end.local.is_v4() || address == end.local ||
            address.is_multicast() || address.is_link_local() || address.is_loopback() ||
            address.is_unspecified())
            return wrong("expected another host's routable address of the family of local");
        auto remote = std::ranges::find(end.remotes, address);
        if (remote == end.remotes.end()) remote = end.remotes.insert(remote, address);
        if (!node.has("mac")) continue;
        const MacAddress mac = node["mac"].as_mac();
        if (mac.is_multicast()) return wrong("mac: expected one machine's, found a group's");
        if (std::ranges::find(end.stations, mac, &VxlanEnd::Station::mac) != end.stations.end())
            return wrong(fmt::format("mac: {} is listed twice", mac.to_string()));
        end.stations.push_back({mac, static_cast<uint16_t>(remote - end.remotes.begin())});
    }
    if (end.remotes.empty() || end.remotes.size() > VxlanEnd::kMaxRemotes ||
        end.stations.size() > VxlanEnd::kMaxStations)
        return Error{
            fmt::format("remotes: found {} addresses and {} MACs, expected 1 to {}, and at most {}",
                        end.remotes.size(), end.stations.size(), VxlanEnd::kMaxRemotes,
                        VxlanEnd::kMaxStations)};
    std::ranges::sort(end.stations, {}, [](const auto& s) { return s.mac.bytes; });
    return ok_status();
}

Result<VxlanEnd> read_end(const Node& node, const std::vector<PortPolicy>& ports) {
    VxlanEnd end;
    end.vni = static_cast<uint32_t>(node["vni"].as_integer());
    end.local = node["local"].as_address();
    end.udp_port = static_cast<uint16_t>(node["udp-port"].as_integer());
    end.zero_checksum = node["zero-checksum"].as_bool();
    if (auto s = read_remotes(node["remotes"], end); !s) return std::move(s.error());
    for (const PortPolicy& other : ports)
        if (other.vxlan && other.vxlan->vni == end.vni && other.vxlan->local == end.local &&
            other.vxlan->udp_port == end.udp_port)
            return Error{fmt::format("vni: {} is that of '{}' too, expected a different one",
                                     end.vni, other.name)};
    return end;
}

/// `port` is to be the end of tunnels from an address of one of `ports`, those before it.
Status put_on_tunnel(PortPolicy& port, const Node& node, const std::vector<PortPolicy>& ports,
                     Mode mode) {
    constexpr std::array<std::string_view, 6> kForeign{"device", "queues", "peer",
                                                       "parent", "vlan",   "tag"};
    if (auto s = check_members(node, kForeign); !s) return s;
    if (mode == Mode::kWire)
        return Error{"vxlan: found in mode wire, expected only in mode router"};
    auto end = read_end(node["vxlan"], ports);
    if (!end) return std::move(end.error()).within("vxlan");
    const auto under = std::ranges::find_if(ports, [&](const PortPolicy& p) {
        return std::ranges::find(p.addresses, end->local, &Prefix::address) != p.addresses.end();
    });
    if (under == ports.end() || under->vxlan)
        return Error{
            fmt::format("vxlan: local: found {}, expected an address of a port earlier in "
                        "the list, which is no tunnel end itself",
                        end->local.to_string())};
    if (under->mtu < kLeastMtu + end->overhead())
        return Error{fmt::format(
            "vxlan: the mtu of '{}' is {} bytes, expected at least {}: {} for "
            "IPv6 inside and {} of overhead",
            under->name, under->mtu, kLeastMtu + end->overhead(), kLeastMtu, end->overhead())};
    if (port.mtu + end->overhead() > under->mtu)
        return Error{fmt::format("mtu: found {} bytes, expected at most {}: the {} of '{}' less {}",
                                 port.mtu, under->mtu - end->overhead(), under->mtu, under->name,
                                 end->overhead())};
    port.parent = static_cast<PortId>(under - ports.begin());
    port.mac = node.has("mac") ? node["mac"].as_mac() : under->mac;
    port.vxlan = std::move(*end);
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

/// On a device of its own, on a parent, or at the end of tunnels.
Status place(PortPolicy& port, const Node& node, const std::vector<PortPolicy>& ports,
             const Node& all, Mode mode) {
    if (node.has("vxlan")) return put_on_tunnel(port, node, ports, mode);
    return node.has("parent") ? put_on_parent(port, node, ports, all, mode) : check_device(node);
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

bool has_device(const Node& port) { return !port.has("parent") && !port.has("vxlan"); }

PortId carrier_of(const Node& ports, size_t i) {
    const auto& all = ports.items();
    const Node& own = all[i];
    for (size_t p = 0; p < i && !has_device(own); ++p) {
        const bool tunnel = own.has("vxlan");
        const bool fits = tunnel ? has_address(all[p], own["vxlan"]["local"].as_address())
                                 : all[p]["name"].as_text() == own["parent"].as_text();
        if (fits) return static_cast<PortId>(p);
    }
    return static_cast<PortId>(i);
}

uint32_t mtu_of(const Node& ports, size_t i) {
    const Node& own = ports.items()[i];
    if (own.has("mtu")) return static_cast<uint32_t>(own["mtu"].as_integer());
    const PortId carrier = carrier_of(ports, i);
    if (carrier == i) return kUsualMtu;
    if (!own.has("vxlan")) return mtu_of(ports, carrier);
    VxlanEnd end;
    end.local = own["vxlan"]["local"].as_address();
    return mtu_of(ports, carrier) - end.overhead();
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
        if (auto s = place(p, node, out, ports, mode); !s)
            return std::move(s.error()).within(fmt::format("ports[{}]", index));
        out.push_back(std::move(p));
    }
    if (mode == Mode::kWire)
        if (auto s = connect_wires(out, ports); !s) return std::move(s.error());
    return out;
}

std::vector<std::string> names_of(const std::vector<PortPolicy>& ports) {
    std::vector<std::string> out;
    std::ranges::transform(ports, std::back_inserter(out), &PortPolicy::name);
    return out;
}

VlanMap vlans_of(const std::vector<PortPolicy>& ports) {
    std::vector<VlanMap::Entry> entries;
    for (const PortPolicy& port : ports) entries.push_back({port.parent, port.vlan});
    return VlanMap(entries);
}

}  // namespace ravelin
