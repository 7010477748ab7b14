// SPDX-License-Identifier: Apache-2.0
// The lists of system calls that both processes share. Found with strace over the system tests.
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "dataplane/sandbox/filter.h"

namespace ravelin::sandbox {
namespace {

constexpr uint64_t kWord = UINT32_MAX;  // an int argument, whole

constexpr long kEveryday[] = {
    // What a polling worker and an event loop do; first, because the list is searched in order.
    SYS_ppoll,
    SYS_read,
    SYS_write,
    SYS_futex,
    SYS_clock_nanosleep,
    SYS_readv,
    SYS_writev,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_pread64,
    SYS_pwrite64,
    SYS_close,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_epoll_create1,
    // By EAL's thread for interrupts, whenever a socket of a driver's comes or goes (memif).
    SYS_epoll_create,
    SYS_pselect6,
    SYS_nanosleep,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_eventfd2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_fcntl,
    SYS_dup,
    SYS_pipe2,
    SYS_accept4,
    SYS_shutdown,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_flock,
    // Memory. mbind and its kin: EAL when its heap grows.
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_mincore,
    SYS_get_mempolicy,
    SYS_set_mempolicy,
    SYS_mbind,
    SYS_membarrier,
    // Threads and signals.
    SYS_set_robust_list,
    SYS_rseq,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_getcpu,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_rt_sigpending,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
    // Who and where we are.
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrusage,
    SYS_getrandom,
#ifdef __x86_64__
    SYS_poll,
    SYS_epoll_wait,
    SYS_select,
    SYS_time,
    SYS_accept,
    SYS_access,
    SYS_stat,
    SYS_lstat,
#endif
};

constexpr long kFatal[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_setns,
    SYS_unshare,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_acct,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_open_by_handle_at,
    SYS_personality,
    SYS_quotactl,
    SYS_sethostname,
    SYS_setdomainname,
#ifdef __x86_64__
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_fork,
    SYS_vfork,
#endif
};

constexpr uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

}  // namespace

void add_everyday_calls(std::vector<Call>& calls) {
    for (const long number : kEveryday) calls.push_back({number});
    calls.push_back({SYS_mmap, {{2, PROT_EXEC, 0}}});
    calls.push_back({SYS_mprotect, {{2, PROT_EXEC, 0}}});
    // Threads, no processes.
    calls.push_back({SYS_clone, {{0, CLONE_THREAD | kNewNamespaces, CLONE_THREAD}}});
    for (const uint64_t option : {PR_SET_NAME, PR_SET_TIMERSLACK})
        calls.push_back({SYS_prctl, {{0, kWord, option}}});
    calls.push_back({SYS_prlimit64, {{0, kWord, 0}, {2, UINT64_MAX, 0}}});  // to look, not to set
    const auto own = static_cast<uint64_t>(::getpid());
    // abort() and raise(), on ourselves.
    calls.push_back({SYS_tgkill, {{0, kWord, own}}});
    calls.push_back({SYS_kill, {{0, kWord, own}}});
}

Call socket_call(int domain, int type, int protocol) {
    constexpr uint64_t kKind = 0xf;  // without SOCK_CLOEXEC and SOCK_NONBLOCK
    Call call{SYS_socket,
              {{0, kWord, static_cast<uint64_t>(domain)}, {1, kKind, static_cast<uint64_t>(type)}}};
    if (protocol >= 0) call.when.push_back({2, kWord, static_cast<uint64_t>(protocol)});
    return call;
}

std::span<const long> fatal_calls() { return kFatal; }

}  // namespace ravelin::sandbox
