// SPDX-License-Identifier: Apache-2.0
// What the process that mirrors TAPs keeps. Found with strace.
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "controlplane/kernel/tap_helper.h"

namespace ravelin::control {

using sandbox::Access;

sandbox::Plan tap_confinement() {
    constexpr uint64_t kWord = UINT32_MAX;
    constexpr uint64_t kNoProcess = CLONE_THREAD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                    CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    sandbox::Plan plan;
    sandbox::add_everyday_calls(plan.calls);
    const auto fatal = sandbox::fatal_calls();
    plan.fatal.assign(fatal.begin(), fatal.end());
    plan.calls.push_back(sandbox::socket_call(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    plan.calls.push_back(sandbox::socket_call(AF_UNIX, SOCK_DGRAM));  // if_nametoindex
    plan.calls.push_back({SYS_sendto, {{4, UINT64_MAX, 0}}});         // the control plane's end
    plan.calls.push_back({SYS_clone, {{0, kNoProcess, 0}}});
    plan.calls.push_back({SYS_wait4});
    for (const long number : {SYS_bind, SYS_sendmsg, SYS_openat}) plan.calls.push_back({number});
    for (const uint64_t request : {uint64_t{TUNSETIFF}, uint64_t{TUNSETQUEUE},
                                   uint64_t{TUNSETPERSIST}, uint64_t{SIOCGIFINDEX}})
        plan.calls.push_back({SYS_ioctl, {{1, kWord, request}}});
    plan.capabilities = {CAP_NET_ADMIN};
    plan.paths = {{"/dev/net/tun", Access::kDevice}, {"/proc/sys/net", Access::kWrite}};
    return plan;
}

}  // namespace ravelin::control
