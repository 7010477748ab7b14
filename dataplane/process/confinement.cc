// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/confinement.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "dataplane/port.h"
#include "dataplane/port_policies.h"

namespace ravelin {
namespace {

using sandbox::Access;
using sandbox::Plan;

void allow(Plan& plan, std::initializer_list<long> numbers) {
    for (const long number : numbers) plan.calls.push_back({number});
}

/// net_memif: either end reconnects, and the client shares its memory by descriptor.
void add_memif(Plan& plan) {
    for (const int type : {SOCK_SEQPACKET, SOCK_STREAM})
        plan.calls.push_back(sandbox::socket_call(AF_UNIX, type));
    allow(plan, {SYS_connect, SYS_sendmsg, SYS_memfd_create, SYS_ftruncate});
}

/// net_af_xdp: the XDP program leaves the interface by netlink, which takes CAP_NET_ADMIN; libbpf
/// tries bpf() on the way, which must fail rather than kill.
void add_af_xdp(Plan& plan) {
    plan.calls.push_back(sandbox::socket_call(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    allow(plan, {SYS_bind, SYS_sendmsg});
    plan.capabilities.push_back(CAP_NET_ADMIN);
    std::erase(plan.fatal, long{SYS_bpf});
}

/// mlx5 reads the link from sysfs and netlink; VFIO needs no more than its open descriptors.
void add_pci(Plan& plan) {
    for (const int type : {SOCK_RAW, SOCK_DGRAM})
        plan.calls.push_back(sandbox::socket_call(AF_NETLINK, type));
    allow(plan, {SYS_bind, SYS_getdents64});
    plan.paths.push_back({"/sys", Access::kRead});
}

}  // namespace

sandbox::Plan confinement(std::span<const std::string> devices) {
    Plan plan;
    sandbox::add_everyday_calls(plan.calls);
    const auto fatal = sandbox::fatal_calls();
    plan.fatal.assign(fatal.begin(), fatal.end());
    // Frames and answers go out on sockets that are bound or connected: never to an address.
    plan.calls.push_back({SYS_sendto, {{4, UINT64_MAX, 0}}});
    // net_af_packet asks a datagram socket for the link's state; with neither connect nor bind, and
    // sendto as above, it reaches nobody.
    plan.calls.push_back(sandbox::socket_call(AF_INET, SOCK_DGRAM));
    allow(plan, {SYS_ioctl});
    for (const uint64_t policy : {SCHED_OTHER, SCHED_IDLE})  // merges stand back
        plan.calls.push_back({SYS_sched_setscheduler, {{1, UINT32_MAX, policy}}});
    plan.calls.push_back({SYS_openat, {{2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}}});
    plan.paths.push_back({"/proc/meminfo", Access::kRead});  // is there memory for a new policy
    const auto any = [&](auto is) { return std::ranges::any_of(devices, is); };
    if (any([](std::string_view d) { return d.starts_with("memif:"); })) add_memif(plan);
    if (any([](std::string_view d) { return d.starts_with("af_xdp:"); })) add_af_xdp(plan);
    if (any([](std::string_view d) { return !pci_address_of(d).empty(); })) add_pci(plan);
    return plan;
}

sandbox::Plan confinement_of(const config::Node& config) {
    std::vector<std::string> devices;
    for (const config::Node& port : config["ports"].items())
        if (has_device(port)) devices.push_back(port["device"].as_text());
    return confinement(devices);
}

}  // namespace ravelin
