// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/kernel_side.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tests/oracle/topology.h"

namespace ravelin::oracle {
namespace {

using test::Bytes;
using test::Sent;

Error failed(const std::string& what) {
    return Error{fmt::format("{}: {}", what, std::strerror(errno))};
}

Result<int> open_tap(const std::string& name) {
    const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return failed("/dev/net/tun");
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(fd, TUNSETIFF, &request) != 0) {
        ::close(fd);
        return failed("TUNSETIFF");
    }
    return fd;
}

Status pipe_to(const std::string& command, const std::string& text) {
    FILE* pipe = ::popen((command + " 2>&1 >/dev/null >&2").c_str(), "w");
    if (pipe == nullptr) return failed(command);
    const bool written = std::fwrite(text.data(), 1, text.size(), pipe) == text.size();
    if (::pclose(pipe) != 0 || !written) return Error{command + " failed"};
    return ok_status();
}

Status set(const std::string& name, const std::string& value) {
    const std::string path = "/proc/sys/net/" + name;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const bool good = fd >= 0 && ::write(fd, value.data(), value.size()) >= 0;
    const int reason = errno;
    if (fd >= 0) ::close(fd);
    errno = reason;
    return good ? ok_status() : Status(failed(path));
}

// Nothing of the kernel's own may come between: no redirects, no rate limits on errors, no reverse
// path check (a router under test has none), no router solicitations.
Status set_all() {
    const std::pair<const char*, const char*> settings[]{
        {"ipv4/ip_forward", "1"},
        {"ipv4/conf/all/rp_filter", "0"},
        {"ipv4/conf/default/rp_filter", "0"},
        {"ipv4/conf/all/send_redirects", "0"},
        {"ipv4/conf/default/send_redirects", "0"},
        {"ipv4/icmp_ratelimit", "0"},
        {"ipv4/icmp_msgs_per_sec", "100000000"},
        {"ipv4/icmp_msgs_burst", "100000000"},
        {"ipv6/icmp/ratelimit", "0"},
        {"ipv6/conf/all/forwarding", "1"},
        {"ipv6/conf/default/accept_dad", "0"},
        {"ipv6/conf/default/router_solicitations", "0"},
        {"ipv6/conf/default/addr_gen_mode", "1"},
        {"netfilter/nf_conntrack_tcp_be_liberal", "0"},
        {"netfilter/nf_conntrack_checksum", "1"},
    };
    for (const auto& [name, value] : settings)
        if (auto s = set(name, value); !s) return s;
    // Datagrams that never become whole must not fill the tables for those that do.
    (void)set("ipv4/ipfrag_high_thresh", "268435456");
    (void)set("ipv4/ipfrag_time", "5");
    (void)set("netfilter/nf_conntrack_frag6_high_thresh", "268435456");
    (void)set("netfilter/nf_conntrack_frag6_timeout", "5");
    return ok_status();
}

std::string links() {
    std::string out = "link set lo up\n";
    for (const TopologyPort& p : kPorts) {
        out += fmt::format("link set {0} address {1} addrgenmode none\nlink set {0} up\n", p.name,
                           p.mac);
        out +=
            fmt::format("addr add {1} dev {0}\naddr add {2} dev {0} nodad\n", p.name, p.v4, p.v6);
        out += fmt::format("neigh add {1} lladdr {3} dev {0}\nneigh add {2} lladdr {3} dev {0}\n",
                           p.name, p.gateway_v4, p.gateway_v6, p.gateway_mac);
    }
    for (const TopologyRoute& r : kRoutes)
        out += fmt::format("route add {} via {} dev {}\n", r.to, r.via, r.port);
    return out;
}

}  // namespace

Result<KernelSide> KernelSide::enter() {
    if (::unshare(CLONE_NEWNET) != 0) return failed("no network namespace");
    KernelSide side;
    for (unsigned i = 0; i < 2; ++i) {
        auto tap = open_tap(kPorts[i].name);
        if (!tap) return std::move(tap.error());
        side.taps_[i] = *tap;
    }
    // conntrack registers its settings once a ruleset asks for it.
    if (auto s = pipe_to("nft -f -",
                         "table inet oracle {\n chain forward {\n type filter hook forward "
                         "priority 0\n ct state new accept\n}\n}\n");
        !s)
        return std::move(s.error());
    if (auto s = set_all(); !s) return std::move(s.error());
    if (auto s = pipe_to("ip -batch -", links()); !s) return std::move(s.error());
    side.netlink_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (side.netlink_ < 0) return failed("netlink");
    std::vector<Sent> ignored;
    side.drain(ignored);
    return side;
}

KernelSide::KernelSide(KernelSide&& other) noexcept {
    std::swap(taps_, other.taps_);
    std::swap(netlink_, other.netlink_);
}

KernelSide::~KernelSide() {
    for (const int fd : taps_)
        if (fd >= 0) ::close(fd);
    if (netlink_ >= 0) ::close(netlink_);
}

Status KernelSide::forget_connections() {
    struct {
        nlmsghdr header;
        nfgenmsg body;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    if (::send(netlink_, &request, sizeof request, 0) < 0) return failed("conntrack flush");
    struct {
        nlmsghdr header;
        nlmsgerr error;
        char rest[512];
    } answer{};
    if (::recv(netlink_, &answer, sizeof answer, 0) < 0) return failed("conntrack flush");
    errno = -answer.error.error;
    return answer.error.error == 0 ? ok_status() : Status(failed("conntrack flush"));
}

Status KernelSide::load(const std::string& nft, bool loose) {
    if (auto s = pipe_to("nft -f -", "flush ruleset\n" + nft); !s) return s;
    if (auto s = set("netfilter/nf_conntrack_tcp_loose", loose ? "1" : "0"); !s) return s;
    if (auto s = forget_connections(); !s) return s;
    std::vector<Sent> ignored;
    drain(ignored);
    return ok_status();
}

Status KernelSide::restore(const std::string& iptables) {
    if (auto s = load("", true); !s) return s;
    if (auto s = pipe_to("iptables-nft-restore", iptables); !s) return s;
    if (auto s = pipe_to("nft -f -",
                         "table ip seen {\n counter in {}\n chain input {\n type filter hook "
                         "input priority 400\n counter name in\n}\n}\n");
        !s)
        return s;
    std::vector<Sent> ignored;
    drain(ignored);
    return ok_status();
}

Result<uint64_t> KernelSide::taken_in() {
    FILE* pipe = ::popen("nft list counter ip seen in", "r");
    if (pipe == nullptr) return failed("nft");
    char text[512]{};
    const size_t read = std::fread(text, 1, sizeof text - 1, pipe);
    const int status = ::pclose(pipe);
    const char* at = std::strstr(text, "packets ");
    if (status != 0 || read == 0 || at == nullptr) return Error{"nft: no counter"};
    return std::strtoull(at + std::strlen("packets "), nullptr, 10);
}

void KernelSide::drain(std::vector<Sent>& out) {
    uint8_t buffer[65536];
    for (unsigned i = 0; i < 2; ++i)
        for (ssize_t n; (n = ::read(taps_[i], buffer, sizeof buffer)) > 0;)
            out.push_back({kPorts[i].name, Bytes(buffer, buffer + n)});
}

std::vector<Sent> KernelSide::receive(unsigned port, const Bytes& frame) {
    std::vector<Sent> out;
    // A frame the driver itself refuses (too short for its type) counts as dropped.
    (void)!::write(taps_[port], frame.data(), frame.size());
    drain(out);
    return out;
}

bool KernelSide::marker(std::vector<Sent>& late) {
    const Bytes frame = marker_frame();
    for (auto& sent : receive(0, frame)) late.push_back(std::move(sent));
    const bool came =
        !late.empty() && late.back().port == kPorts[1].name && is_marker(late.back().frame);
    if (came) late.pop_back();
    return came;
}

}  // namespace ravelin::oracle
