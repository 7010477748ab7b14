// SPDX-License-Identifier: Apache-2.0
#include "controlplane/confinement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "controlplane/compile/checks.h"

namespace ravelin::control {
namespace {

using sandbox::Access;
using sandbox::Plan;

constexpr uint64_t kWord = UINT32_MAX;

constexpr long kFiles[] = {
    SYS_openat, SYS_mkdirat,    SYS_renameat2,  SYS_unlinkat, SYS_ftruncate,
    SYS_fsync,  SYS_fdatasync,  SYS_fallocate,  SYS_fchmod,   SYS_fchmodat,
    SYS_umask,  SYS_getdents64, SYS_readlinkat, SYS_getcwd,
#ifdef __x86_64__
    SYS_open,   SYS_mkdir,      SYS_rename,     SYS_renameat, SYS_unlink,
    SYS_rmdir,  SYS_chmod,      SYS_readlink,
#endif
};

// pidfd_open and pidfd_send_signal: the supervisor's; waitid: for the launcher's end.
constexpr long kSocketsAndChildren[] = {
    SYS_bind,     SYS_listen,   SYS_connect,    SYS_sendto, SYS_sendmsg,
    SYS_sendmmsg, SYS_sendfile, SYS_pidfd_open, SYS_wait4,  SYS_waitid,
};

/// No UDP, no raw and no packet sockets. Of netlink only routes and addresses.
void add_sockets(Plan& plan) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM})
        plan.calls.push_back(sandbox::socket_call(AF_UNIX, type));  // DGRAM: syslog
    for (const int family : {AF_INET, AF_INET6})
        plan.calls.push_back(sandbox::socket_call(family, SOCK_STREAM));
    for (const int type : {SOCK_RAW, SOCK_DGRAM})
        plan.calls.push_back(sandbox::socket_call(AF_NETLINK, type, NETLINK_ROUTE));
    for (const uint64_t request : {FIONBIO, FIONREAD, TCGETS})
        plan.calls.push_back({SYS_ioctl, {{1, kWord, request}}});
    for (const uint64_t signal : {SIGTERM, SIGKILL})
        plan.calls.push_back({SYS_pidfd_send_signal, {{1, kWord, signal}}});
}

/// Of the address's port: bound by the system's own programs only. Namespaces may say otherwise.
unsigned first_free_port() {
    unsigned port = 1024;
    if (FILE* f = std::fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re")) {
        if (std::fscanf(f, "%u", &port) != 1) port = 1024;
        std::fclose(f);
    }
    return port;
}

bool below(const std::string& file, const std::string& directory) {
    std::error_code error;
    const auto at = std::filesystem::weakly_canonical(file, error);
    const auto top = std::filesystem::weakly_canonical(directory, error);
    return std::mismatch(top.begin(), top.end(), at.begin(), at.end()).first == top.end();
}

}  // namespace

std::string directory_of(const std::string& file) {
    const std::string folder = std::filesystem::path(file).parent_path().string();
    return folder.empty() ? "." : folder;
}

sandbox::Plan confinement(const Territory& territory) {
    Plan plan;
    sandbox::add_everyday_calls(plan.calls);
    for (const long number : kFiles) plan.calls.push_back({number});
    for (const long number : kSocketsAndChildren) plan.calls.push_back({number});
    add_sockets(plan);
    const auto fatal = sandbox::fatal_calls();
    plan.fatal.assign(fatal.begin(), fatal.end());
    plan.signals = true;  // the supervisor ends a data plane that does not heed
    for (const std::string& path : territory.writable) plan.paths.push_back({path, Access::kWrite});
    for (const std::string& path : territory.readable) plan.paths.push_back({path, Access::kRead});
    for (const char* path : {"/etc/localtime", "/usr/share/zoneinfo", "/etc/ssl/openssl.cnf",
                             "/proc/sys/net/ipv4/ip_unprivileged_port_start"})
        plan.paths.push_back({path, Access::kRead});
    return plan;
}

Status permits(const Territory& territory, const config::Node& control, const std::string& bound) {
    if (const std::string& log = control["rule-log"].as_text();
        !log.empty() && std::ranges::none_of(territory.writable, [&](const std::string& directory) {
            return below(log, directory);
        }))
        return Error{fmt::format(
            "control: rule-log: {} is outside of what the control plane may write ({}), expected a "
            "file below; or start it with --writable {}",
            log, fmt::join(territory.writable, ", "), directory_of(log))};
    const std::string& metrics = control["metrics"].as_text();
    if (metrics.empty() || metrics == "off" || metrics == bound) return ok_status();
    const auto endpoint = parse_endpoint(metrics);
    if (const unsigned first = first_free_port(); endpoint && endpoint->port < first)
        return Error{fmt::format(
            "control: metrics: port {} takes CAP_NET_BIND_SERVICE, which was given up after the "
            "start; expected a port from {} on",
            endpoint->port, first)};
    return ok_status();
}

}  // namespace ravelin::control
