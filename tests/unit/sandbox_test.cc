// SPDX-License-Identifier: Apache-2.0
// The data plane's sandbox, tried from inside: what must fail, and what must still work.
#include "dataplane/sandbox/sandbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "dataplane/process/confinement.h"
#include "tests/support/confined.h"

namespace ravelin {
namespace {

using test::confined;
using test::Fate;
using test::kAllowed;
using test::kKilled;
using test::kNotPermitted;
using test::kOutside;
using test::outcome;

sandbox::Plan for_devices(std::vector<std::string> devices) { return confinement(devices); }
sandbox::Plan ordinary() { return for_devices({"af_packet:eth1", "null"}); }

class Sandbox : public ::testing::Test {
  protected:
    static void SetUpTestSuite() { reason_ = test::no_sandbox(); }
    void SetUp() override {
        if (!reason_.empty()) GTEST_SKIP() << reason_;
    }
    static Fate attempt(const std::function<int()>& what) { return confined(ordinary, what); }
    static Fate call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
        return attempt([=] { return outcome(::syscall(number, a, b, c, d)); });
    }

  private:
    static inline std::string reason_;
};

TEST_F(Sandbox, KillsWhoWantsAnotherProgram) {
    EXPECT_EQ(attempt([] {
                  char program[] = "/bin/true";
                  char* const argv[] = {program, nullptr};
                  return outcome(::execve(program, argv, environ));
              }),
              kKilled);
    EXPECT_EQ(attempt([] { return outcome(::fork()); }), kNotPermitted) << "clone, not fork(2)";
#ifdef SYS_fork
    EXPECT_EQ(call(SYS_fork), kKilled);
#endif
}

TEST_F(Sandbox, KillsWhoWantsAnotherProcess) {
    EXPECT_EQ(attempt([] { return outcome(::ptrace(PTRACE_ATTACH, ::getppid(), 0, 0)); }), kKilled);
    EXPECT_EQ(call(SYS_process_vm_readv, ::getpid()), kKilled);
    EXPECT_EQ(attempt([] { return outcome(::kill(::getppid(), 0)); }), kNotPermitted);
    EXPECT_EQ(attempt([] { return outcome(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0)); }),
              kNotPermitted);
}

TEST_F(Sandbox, KillsWhoWantsToBeSomebodyElse) {
    EXPECT_EQ(call(SYS_setuid, 0), kKilled);
    EXPECT_EQ(call(SYS_setresgid, 0, 0, 0), kKilled);
    EXPECT_EQ(attempt([] { return outcome(::unshare(CLONE_NEWUSER)); }), kKilled);
    EXPECT_EQ(attempt([] { return outcome(::unshare(CLONE_NEWNET)); }), kKilled);
    EXPECT_EQ(call(SYS_setns, 0, 0), kKilled);
    EXPECT_EQ(attempt([] { return outcome(::mount("none", "/mnt", "tmpfs", 0, nullptr)); }),
              kKilled);
    EXPECT_EQ(call(SYS_pivot_root), kKilled);
}

TEST_F(Sandbox, KillsWhoWantsTheKernel) {
    EXPECT_EQ(call(SYS_bpf, BPF_MAP_CREATE), kKilled);
    EXPECT_EQ(call(SYS_io_uring_setup, 8), kKilled);
    EXPECT_EQ(call(SYS_perf_event_open), kKilled);
    EXPECT_EQ(call(SYS_init_module), kKilled);
    EXPECT_EQ(call(SYS_kexec_load), kKilled);
    EXPECT_EQ(call(SYS_userfaultfd), kKilled);
#ifdef __x86_64__
    EXPECT_EQ(call(0x40000000 | SYS_getpid), kKilled) << "the x32 table";
#endif
}

TEST_F(Sandbox, HasNoSocketThatReachesAnybody) {
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_PACKET, AF_NETLINK, AF_VSOCK})
        EXPECT_EQ(attempt([&] { return outcome(::socket(family, SOCK_STREAM, 0)); }), kNotPermitted)
            << family;
    EXPECT_EQ(attempt([] { return outcome(::socket(AF_INET, SOCK_RAW, IPPROTO_RAW)); }),
              kNotPermitted);
    // The one for the link's state.
    EXPECT_EQ(attempt([] {
                  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                  if (fd < 0) return errno;
                  sockaddr_in to{};
                  to.sin_family = AF_INET;
                  to.sin_port = htons(9);
                  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                  const auto* address = reinterpret_cast<const sockaddr*>(&to);
                  iovec part{&to, sizeof to};
                  msghdr message{};
                  message.msg_name = &to;
                  message.msg_namelen = sizeof to;
                  message.msg_iov = &part;
                  message.msg_iovlen = 1;
                  for (const int error : {outcome(::connect(fd, address, sizeof to)),
                                          outcome(::bind(fd, address, sizeof to)),
                                          outcome(::sendto(fd, "x", 1, 0, address, sizeof to)),
                                          outcome(::sendmsg(fd, &message, 0))})
                      if (error != EPERM) return 200;
                  return 0;
              }),
              kAllowed);
}

TEST_F(Sandbox, OpensNothing) {
    const auto open = [](const char* path, int flags) {
        return attempt([=] { return outcome(::open(path, flags, 0600)); });
    };
    EXPECT_EQ(open("/etc/passwd", O_RDONLY), kOutside);
    EXPECT_EQ(open("/dev/kmsg", O_RDONLY), kOutside);
    EXPECT_EQ(open("/proc/self/mem", O_RDONLY), kOutside);
    EXPECT_EQ(open("/tmp", O_RDONLY | O_DIRECTORY), kOutside);
    EXPECT_EQ(open("/tmp/ravelin-sandbox", O_RDWR | O_CREAT), kNotPermitted);
    EXPECT_EQ(open("/tmp", O_RDWR | O_TMPFILE), kNotPermitted);
    EXPECT_EQ(open("/proc/meminfo", O_RDONLY), kAllowed) << "a policy's memory is asked there";
    EXPECT_EQ(attempt([] { return outcome(::unlink("/tmp/ravelin-sandbox")); }), kNotPermitted);
    EXPECT_EQ(attempt([] { return outcome(::mkdir("/tmp/ravelin-sandbox", 0700)); }),
              kNotPermitted);
    EXPECT_EQ(attempt([] { return outcome(::chmod("/tmp", 0777)); }), kNotPermitted);
}

TEST_F(Sandbox, MakesNoCode) {
    const auto map = [](int protection) {
        return attempt([=] {
            void* at = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            return at == MAP_FAILED ? errno : 0;
        });
    };
    EXPECT_EQ(map(PROT_READ | PROT_WRITE | PROT_EXEC), kNotPermitted);
    EXPECT_EQ(map(PROT_READ | PROT_EXEC), kNotPermitted);
    EXPECT_EQ(map(PROT_READ | PROT_WRITE), kAllowed);
    EXPECT_EQ(attempt([] {
                  void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  return outcome(::mprotect(at, 4096, PROT_READ | PROT_EXEC));
              }),
              kNotPermitted);
}

TEST_F(Sandbox, StillDoesWhatAWorkerDoes) {
    EXPECT_EQ(attempt([] {
                  std::atomic<int> ran{0};
                  std::thread worker([&] {
                      pthread_setname_np(pthread_self(), "worker");
                      ran = 1;
                  });
                  worker.join();
                  return ran == 1 ? 0 : 1;
              }),
              kAllowed)
        << "workers start after the sandbox";
    EXPECT_EQ(attempt([] {
                  const int fd = ::eventfd(0, EFD_NONBLOCK);
                  const uint64_t one = 1;
                  return outcome(::write(fd, &one, sizeof one));
              }),
              kAllowed);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_EQ(attempt([&] { return outcome(::send(ends[0], "x", 1, MSG_NOSIGNAL)); }), kAllowed);
    EXPECT_EQ(attempt([] {
                  cpu_set_t set;
                  if (::sched_getaffinity(0, sizeof set, &set) != 0) return errno;
                  return outcome(::sched_setaffinity(0, sizeof set, &set));
              }),
              kAllowed);
    EXPECT_EQ(attempt([] { return outcome(::raise(SIGCHLD)); }), kAllowed);
    EXPECT_EQ(attempt([] { return outcome(::epoll_create(1)); }), kAllowed) << "EAL's interrupts";
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(Sandbox, GivesADriverWhatItNeedsAndOnlyWhereItIsUsed) {
    const auto unix_socket = [] { return outcome(::socket(AF_UNIX, SOCK_SEQPACKET, 0)); };
    const auto route_socket = [] { return outcome(::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)); };
    const auto bpf = [] { return outcome(::syscall(SYS_bpf, BPF_MAP_CREATE, nullptr, 0)); };
    const auto sysfs = [] { return outcome(::open("/sys/class/net", O_RDONLY | O_DIRECTORY)); };
    EXPECT_EQ(confined([] { return for_devices({"memif:id=0"}); }, unix_socket), kAllowed);
    EXPECT_EQ(confined([] { return for_devices({"memif:id=0"}); }, bpf), kKilled);
    EXPECT_EQ(confined(
                  [] {
                      return for_devices({"null", "af_xdp:eth0"});
                  },
                  route_socket),
              kAllowed);
    EXPECT_EQ(confined([] { return for_devices({"af_xdp:eth0"}); }, bpf), kNotPermitted);
    EXPECT_EQ(confined([] { return for_devices({"0000:17:00.0"}); }, sysfs), kAllowed);
    EXPECT_EQ(confined(ordinary, sysfs), kOutside);
}

/// The member of /proc/PID/task/TID/status, of each thread.
std::vector<std::string> of_threads(pid_t pid, const std::string& member) {
    std::vector<std::string> out;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
        std::ifstream status(task.path() / "status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with(member + ":")) {
                const size_t value = line.find_first_not_of(" \t", member.size() + 1);
                out.push_back(line.substr(value));
            }
    }
    return out;
}

/// A process with three threads more that enters and then waits for the end of `hold`.
pid_t threaded_child(int hold, int tell) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    std::atomic<int> up{0};
    for (int i = 0; i < 3; ++i)
        std::thread([&up] {
            ++up;
            for (;;) ::pause();
        }).detach();
    while (up < 3) std::this_thread::yield();
    const bool whole = sandbox::enter(ordinary()).reasons.empty();
    char byte = whole ? 'y' : 'n';
    if (::write(tell, &byte, 1) != 1) ::_exit(1);
    while (::read(hold, &byte, 1) > 0) continue;
    ::_exit(0);
}

TEST_F(Sandbox, ConfinesThreadsThatWereThereBefore) {
    int hold[2], tell[2];
    ASSERT_EQ(::pipe(hold), 0);
    ASSERT_EQ(::pipe(tell), 0);
    const pid_t child = threaded_child(hold[0], tell[1]);
    char whole = 0;
    ASSERT_EQ(::read(tell[0], &whole, 1), 1);
    EXPECT_EQ(whole, 'y');
    using ::testing::AllOf;
    using ::testing::Each;
    using ::testing::SizeIs;
    EXPECT_THAT(of_threads(child, "NoNewPrivs"), AllOf(SizeIs(4), Each("1")));
    EXPECT_THAT(of_threads(child, "Seccomp"), AllOf(SizeIs(4), Each("2")));
    for (const char* set : {"CapEff", "CapPrm", "CapInh", "CapAmb"})
        EXPECT_THAT(of_threads(child, set), AllOf(SizeIs(4), Each("0000000000000000"))) << set;
    if (::geteuid() == 0) {
        EXPECT_THAT(of_threads(child, "CapBnd"), Each("0000000000000000"));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (const int fd : {hold[0], hold[1], tell[0], tell[1]}) ::close(fd);
}

TEST_F(Sandbox, KeepsTheCapabilityItWasToldTo) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto effective = [] {
        __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
        __user_cap_data_struct data[2] = {};
        if (::syscall(SYS_capget, &header, data) != 0) return 99;
        return data[0].effective == 1u << CAP_NET_ADMIN && data[1].effective == 0 ? 0 : 1;
    };
    EXPECT_EQ(confined(
                  [] {
                      sandbox::Plan plan = ordinary();
                      plan.capabilities = {CAP_NET_ADMIN};
                      plan.calls.push_back({SYS_capget});
                      return plan;
                  },
                  effective),
              kAllowed);
}

}  // namespace
}  // namespace ravelin
