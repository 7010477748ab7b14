// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sandbox/sandbox.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/sandbox/every_thread.h"

namespace ravelin::sandbox {
namespace {

#ifdef RAVELIN_INSTRUMENTED
// Sanitizers and coverage open files, run a symbolizer and trace themselves when they report.
constexpr bool kInstrumented = true;
#else
constexpr bool kInstrumented = false;
#endif

struct Surrender {
    uint64_t kept = 0;  // capabilities, a bit each
    int ruleset = -1;   // of Landlock; -1: none
};

/// Only system calls: runs in a signal handler. EPERM of the bounding set is no failure: without
/// CAP_SETPCAP it cannot be narrowed, and no_new_privs already keeps execve from giving anything.
int give_up_capabilities(uint64_t kept) noexcept {
    for (unsigned long cap = 0; cap < 64; ++cap)
        if ((kept >> cap & 1) == 0) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {};
    if (syscall(SYS_capget, &header, data) != 0) return errno;
    for (unsigned half = 0; half < 2; ++half) {
        data[half].permitted &= static_cast<uint32_t>(kept >> (32 * half));
        data[half].effective = data[half].permitted;
        data[half].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

int surrender(const void* argument) noexcept {
    const auto& what = *static_cast<const Surrender*>(argument);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    int error = what.ruleset < 0 ? 0 : restrict_thread(what.ruleset);
    if (const int failed = give_up_capabilities(what.kept); error == 0) error = failed;
    return error;
}

/// On all threads at once, which the kernel itself does (SECCOMP_FILTER_FLAG_TSYNC). Refusals go to
/// the kernel's log: `dmesg | grep type=1326` shows the number of the call.
std::string filter_calls(const Plan& plan) {
    std::vector<sock_filter> code = program(plan.calls, plan.fatal);
    const sock_fprog filter{static_cast<unsigned short>(code.size()), code.data()};
    constexpr unsigned kFlags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG;
    const long failed = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kFlags, &filter);
    if (failed > 0) return fmt::format("thread {} has a filter of its own", failed);
    return failed == 0 ? "" : std::strerror(errno);
}

}  // namespace

std::string Report::text() const {
    return reasons.empty() ? state : fmt::format("{} ({})", state, fmt::join(reasons, "; "));
}

Report off(std::string why) { return {.state = "off", .reasons = {std::move(why)}}; }

Report enter(const Plan& plan) {
    if (kInstrumented) return off("instrumented build");
    Report report;
    static Surrender what;  // a late thread may still read it
    const auto add = [&](const char* wall, const std::string& why) {
        report.state = "partial";
        report.reasons.push_back(fmt::format("{}: {}", wall, why));
    };
    for (const int cap : plan.capabilities) what.kept |= uint64_t{1} << cap;
    const auto ruleset = make_ruleset(plan.paths, plan.signals);
    if (ruleset)
        what.ruleset = ruleset->fd;
    else
        add("Landlock", ruleset.error().message);
    if (const std::string why = on_every_thread(surrender, &what); !why.empty())
        add("capabilities and Landlock", why);
    if (ruleset) ::close(ruleset->fd);
    if (const std::string why = filter_calls(plan); !why.empty()) add("seccomp", why);
    return report;
}

}  // namespace ravelin::sandbox
