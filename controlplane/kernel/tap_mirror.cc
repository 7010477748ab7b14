// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/tap_mirror.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/port_policies.h"

namespace ravelin::control {
namespace {

struct Release {
    void operator()(nl_addr* a) const { nl_addr_put(a); }
    void operator()(rtnl_addr* a) const { rtnl_addr_put(a); }
    void operator()(rtnl_link* l) const { rtnl_link_put(l); }
    void operator()(nl_cache* c) const { nl_cache_free(c); }
};
template <typename T>
using Owned = std::unique_ptr<T, Release>;

Error failed(const TapPort& port, const std::string& what, int code) {
    return Error{fmt::format("tap {}: {}: {}", port.tap, what, nl_geterror(code))};
}

Owned<nl_addr> local_of(const Prefix& own) {
    const bool v4 = own.is_v4();
    const auto* bytes = own.address.bytes.data() + (v4 ? 12 : 0);
    Owned<nl_addr> out(nl_addr_build(v4 ? AF_INET : AF_INET6, bytes, v4 ? 4 : 16));
    nl_addr_set_prefixlen(out.get(), own.length);
    return out;
}

Owned<rtnl_addr> address_of(const Prefix& own, int index) {
    Owned<rtnl_addr> out(rtnl_addr_alloc());
    rtnl_addr_set_ifindex(out.get(), index);
    rtnl_addr_set_local(out.get(), local_of(own).get());
    // The data plane answers for it already: nobody else has it.
    if (!own.is_v4()) rtnl_addr_set_flags(out.get(), IFA_F_NODAD);
    return out;
}

std::optional<Prefix> prefix_of(rtnl_addr* address) {
    const nl_addr* local = rtnl_addr_get_local(address);
    if (local == nullptr) return std::nullopt;
    const auto* bytes = static_cast<const uint8_t*>(nl_addr_get_binary_addr(local));
    Prefix out;
    out.length = static_cast<uint8_t>(rtnl_addr_get_prefixlen(address));
    if (nl_addr_get_family(local) == AF_INET)
        out.address = IpAddress::v4(uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
                                    uint32_t{bytes[2]} << 8 | bytes[3]);
    else
        out.address = IpAddress::v6(bytes);
    return out;
}

struct Setting {
    const char *family, *key, *value;
};
// A TAP speaks both families and configures nothing by itself.
constexpr std::array kTap{Setting{"ipv6", "disable_ipv6", "0"}, Setting{"ipv6", "accept_ra", "0"}};
// No source of packets is reached by the device itself, so that a strict reverse path refuses all.
constexpr std::array kDevice{Setting{"ipv4", "rp_filter", "1"}, Setting{"ipv4", "arp_ignore", "8"},
                             Setting{"ipv6", "disable_ipv6", "1"}};

/// False: one is otherwise and cannot be changed.
bool settle(const std::string& interface, std::span<const Setting> settings) {
    bool settled = true;
    for (const Setting& s : settings) {
        const std::string path =
            fmt::format("/proc/sys/net/{}/conf/{}/{}", s.family, interface, s.key);
        std::string now;
        if (!(std::ifstream(path) >> now) || now == s.value) continue;  // no such family
        settled &= static_cast<bool>(std::ofstream(path) << s.value << std::flush);
    }
    return settled;
}

std::string interface_of(const std::string& device) {
    for (const std::string_view kind : {"af_packet:", "af_xdp:"})
        if (device.starts_with(kind)) {
            const std::string rest = device.substr(kind.size());
            return rest.substr(0, rest.find(','));
        }
    return {};
}

}  // namespace

std::vector<TapPort> taps_of(const config::Node& tree) {
    std::vector<TapPort> out;
    const config::Node& ports = tree["ports"];
    for (size_t i = 0; i < ports.items().size(); ++i) {
        const config::Node& port = ports.items()[i];
        if (const std::string& tap = port["tap"].as_text(); !tap.empty())
            out.push_back({port["name"].as_text(), tap, interface_of(port["device"].as_text()),
                           mtu_of(ports, i), port["addresses"].as_prefixes()});
    }
    return out;
}

TapMirror::~TapMirror() {
    if (socket_ != nullptr) nl_socket_free(socket_);
}

Status TapMirror::connect() {
    if (socket_ != nullptr) return ok_status();
    socket_ = nl_socket_alloc();
    const int code = nl_connect(socket_, NETLINK_ROUTE);
    if (code == 0) return ok_status();
    nl_socket_free(socket_);
    socket_ = nullptr;
    return Error{fmt::format("netlink: {}", nl_geterror(code))};
}

Status TapMirror::sync(const std::vector<TapPort>& ports) {
    Status outcome = ok_status();
    const auto note = [&](Status s) {
        if (!s && outcome) outcome = std::move(s);
    };
    if (!ports.empty()) note(connect());
    if (socket_ == nullptr) return outcome;
    std::set<std::string> names;
    for (const TapPort& port : ports)
        if (if_nametoindex(port.tap.c_str()) != 0)
            names.insert(port.tap);
        else
            note(Error{fmt::format("tap {}: is not there yet", port.tap)});
    note(keeper_.keep(names));
    for (const TapPort& port : ports)
        if (names.contains(port.tap)) note(sync_one(port));
    return outcome;
}

Status TapMirror::sync_one(const TapPort& port) {
    if (!port.interface.empty() && !settle(port.interface, kDevice))
        return Error{
            fmt::format("{}: its rp_filter, arp_ignore or disable_ipv6 cannot be set: the "
                        "kernel would hear it beside {}",
                        port.interface, port.tap)};
    if (!settle(port.tap, kTap))
        return Error{fmt::format("tap {}: its disable_ipv6 or accept_ra cannot be set", port.tap)};
    rtnl_link* found = nullptr;
    if (const int code = rtnl_link_get_kernel(socket_, 0, port.tap.c_str(), &found); code < 0)
        return failed(port, "cannot be read", code);
    const Owned<rtnl_link> link(found);
    const Owned<rtnl_link> change(rtnl_link_alloc());
    rtnl_link_set_mtu(change.get(), port.mtu);
    rtnl_link_set_flags(change.get(), IFF_UP);
    const bool differs = rtnl_link_get_mtu(link.get()) != port.mtu ||
                         (rtnl_link_get_flags(link.get()) & IFF_UP) == 0;
    if (differs) {
        if (const int code = rtnl_link_change(socket_, link.get(), change.get(), 0); code < 0)
            return failed(port, fmt::format("cannot be set up with MTU {}", port.mtu), code);
    }
    return sync_addresses(port, rtnl_link_get_ifindex(link.get()));
}

Status TapMirror::sync_addresses(const TapPort& port, int index) {
    nl_cache* all = nullptr;
    if (const int code = rtnl_addr_alloc_cache(socket_, &all); code < 0)
        return failed(port, "its addresses cannot be read", code);
    const Owned<nl_cache> cache(all);
    std::vector<Prefix> missing = port.addresses;
    for (nl_object* o = nl_cache_get_first(all); o != nullptr; o = nl_cache_get_next(o)) {
        auto* address = reinterpret_cast<rtnl_addr*>(o);
        if (rtnl_addr_get_ifindex(address) != index) continue;
        const auto own = prefix_of(address);
        if (!own || (!own->is_v4() && own->address.is_link_local())) continue;
        if (std::erase(missing, *own) != 0) continue;
        if (const int code = rtnl_addr_delete(socket_, address, 0); code < 0)
            return failed(port, fmt::format("{} cannot be removed", own->to_string()), code);
    }
    for (const Prefix& own : missing) {
        const auto address = address_of(own, index);
        if (const int code = rtnl_addr_add(socket_, address.get(), NLM_F_CREATE | NLM_F_REPLACE);
            code < 0)
            return failed(port, fmt::format("{} cannot be added", own.to_string()), code);
    }
    return ok_status();
}

}  // namespace ravelin::control
