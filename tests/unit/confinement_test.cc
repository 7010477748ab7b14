// SPDX-License-Identifier: Apache-2.0
// The control plane's sandbox, tried from inside, and the configurations it makes impossible.
#include "controlplane/confinement.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "controlplane/kernel/tap_helper.h"
#include "tests/support/confined.h"

namespace ravelin::control {
namespace {

using config::Node;
using test::Fate;
using test::kAllowed;
using test::kKilled;
using test::kNotPermitted;
using test::kOutside;
using test::outcome;
using ::testing::HasSubstr;

class Confinement : public ::testing::Test {
  protected:
    void SetUp() override {
        if (const std::string why = test::no_sandbox(); !why.empty()) GTEST_SKIP() << why;
        char name[] = "/tmp/ravelin-confinement-XXXXXX";
        top_ = ::mkdtemp(name);
        for (const char* folder : {"state", "run", "configs", "elsewhere"})
            std::filesystem::create_directory(top_ + "/" + folder);
        std::ofstream(top_ + "/configs/bad.txt") << "10.0.0.0/8\n";
        std::ofstream(top_ + "/elsewhere/secret") << "x\n";
    }
    void TearDown() override {
        if (!top_.empty()) std::filesystem::remove_all(top_);
    }
    Fate attempt(const std::function<int()>& what) const {
        return test::confined(
            [this] {
                return confinement({.writable = {top_ + "/state", top_ + "/run"},
                                    .readable = {top_ + "/configs", top_ + "/not-there"}});
            },
            what);
    }
    Fate open(const std::string& path, int flags) const {
        return attempt([&] { return outcome(::open((top_ + path).c_str(), flags, 0600)); });
    }
    std::string top_;
};

TEST_F(Confinement, WritesItsOwnDirectoriesAndReadsConfigurations) {
    EXPECT_EQ(open("/state/journal", O_RDWR | O_CREAT), kAllowed);
    EXPECT_EQ(open("/run/control", O_WRONLY | O_CREAT | O_TRUNC), kAllowed);
    EXPECT_EQ(open("/configs/bad.txt", O_RDONLY), kAllowed);
    EXPECT_EQ(open("/configs/bad.txt", O_WRONLY), kOutside);
    EXPECT_EQ(open("/configs/new.txt", O_WRONLY | O_CREAT), kOutside);
    EXPECT_EQ(open("/elsewhere/secret", O_RDONLY), kOutside);
    EXPECT_EQ(open("/elsewhere/new", O_WRONLY | O_CREAT), kOutside);
    EXPECT_EQ(open("/state/../elsewhere/secret", O_RDONLY), kOutside);
    EXPECT_EQ(attempt([] { return outcome(::open("/etc/shadow", O_RDONLY)); }), kOutside);
    EXPECT_EQ(attempt([] { return outcome(::open("/proc/1/environ", O_RDONLY)); }), kOutside);
}

TEST_F(Confinement, RenamesWithinAndNeverOut) {
    const auto rename = [this](const std::string& from, const std::string& to) {
        return attempt(
            [&, this] { return outcome(::rename((top_ + from).c_str(), (top_ + to).c_str())); });
    };
    for (const char* file : {"/state/new", "/state/b"}) std::ofstream(top_ + file) << "x";
    std::filesystem::create_directory(top_ + "/state/history");
    EXPECT_EQ(rename("/state/new", "/state/journal"), kAllowed);
    EXPECT_EQ(rename("/state/b", "/state/history/b"), kAllowed);
    EXPECT_NE(rename("/state/journal", "/elsewhere/journal"), kAllowed);
    EXPECT_NE(rename("/elsewhere/secret", "/state/secret"), kAllowed);
    EXPECT_EQ(attempt([this] {
                  return outcome(::symlink("/etc/shadow", (top_ + "/state/link").c_str()));
              }),
              kNotPermitted);
}

TEST_F(Confinement, KillsWhoWantsMore) {
    EXPECT_EQ(attempt([] {
                  char program[] = "/bin/true";
                  char* const argv[] = {program, nullptr};
                  return outcome(::execve(program, argv, environ));
              }),
              kKilled);
    for (const long number : {SYS_ptrace, SYS_setuid, SYS_mount, SYS_unshare, SYS_setns, SYS_bpf,
                              SYS_io_uring_setup, SYS_process_vm_writev, SYS_init_module})
        EXPECT_EQ(attempt([=] { return outcome(::syscall(number, 0, 0, 0, 0)); }), kKilled)
            << "system call " << number;
}

TEST_F(Confinement, HasTheSocketsItServesOnAndNoOthers) {
    const auto socket = [this](int family, int type, int protocol) {
        return attempt([=] { return outcome(::socket(family, type | SOCK_CLOEXEC, protocol)); });
    };
    EXPECT_EQ(socket(AF_UNIX, SOCK_STREAM, 0), kAllowed);
    EXPECT_EQ(socket(AF_INET, SOCK_STREAM, 0), kAllowed) << "metrics";
    EXPECT_EQ(socket(AF_INET6, SOCK_STREAM, 0), kAllowed) << "metrics";
    EXPECT_EQ(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), kAllowed) << "the kernel's routes";
    EXPECT_EQ(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), kNotPermitted);
    EXPECT_EQ(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT), kNotPermitted);
    EXPECT_EQ(socket(AF_INET, SOCK_DGRAM, 0), kNotPermitted);
    EXPECT_EQ(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), kNotPermitted);
    EXPECT_EQ(socket(AF_PACKET, SOCK_RAW, 0), kNotPermitted);
}

TEST_F(Confinement, ListensButCallsNobody) {
    const auto address = [](uint16_t port) {
        sockaddr_in out{};
        out.sin_family = AF_INET;
        out.sin_port = htons(port);
        out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return out;
    };
    EXPECT_EQ(attempt([&] {
                  const sockaddr_in any = address(0);
                  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
                  if (::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0)
                      return errno;
                  return outcome(::listen(fd, 1));
              }),
              kAllowed);
    if (const auto ruleset = sandbox::make_ruleset({}, true); !ruleset || ruleset->abi < 4)
        GTEST_SKIP() << "this kernel's Landlock does not watch over TCP";
    EXPECT_EQ(attempt([&] {
                  const sockaddr_in to = address(9);
                  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
                  return outcome(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to));
              }),
              kOutside);
}

TEST_F(Confinement, EndsADataPlaneAndSignalsNobodyElse) {
    EXPECT_EQ(attempt([] { return outcome(::kill(::getppid(), 0)); }), kNotPermitted);
    EXPECT_EQ(attempt([] {
                  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0));
                  return outcome(::syscall(SYS_pidfd_send_signal, fd, SIGSTOP, nullptr, 0));
              }),
              kNotPermitted);
    const pid_t victim = ::fork();
    if (victim == 0)
        for (;;) ::pause();
    EXPECT_EQ(attempt([=] {
                  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, victim, 0));
                  return outcome(::syscall(SYS_pidfd_send_signal, fd, SIGTERM, nullptr, 0));
              }),
              kAllowed);
    int status = 0;
    ASSERT_EQ(::waitpid(victim, &status, 0), victim);
    EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

Node control(const std::string& member, const std::string& value) {
    Node out = Node::map();
    out.set(member, Node::text(value));
    return out;
}

TEST(Permits, ARuleLogOnlyWhereItCanBeWritten) {
    const Territory territory{.writable = {"/var/lib/ravelin", "/run/ravelin"}, .readable = {}};
    EXPECT_TRUE(permits(territory, Node::map(), ""));
    EXPECT_TRUE(permits(territory, control("rule-log", "/var/lib/ravelin/a/rules.log"), ""));
    for (const char* outside : {"/var/log/rules.log", "/var/lib/ravelin/../x.log",
                                "/var/lib/ravelin-not/x.log", "rules.log"}) {
        const Status refused = permits(territory, control("rule-log", outside), "");
        ASSERT_FALSE(refused) << outside;
        EXPECT_THAT(refused.error().message, HasSubstr("control: rule-log: "));
        EXPECT_THAT(refused.error().message, HasSubstr("--writable"));
    }
}

TEST(Permits, NoNewPortOfTheSystems) {
    const Territory territory;
    EXPECT_TRUE(permits(territory, control("metrics", "127.0.0.1:9477"), ""));
    EXPECT_TRUE(permits(territory, control("metrics", "off"), ""));
    if (std::ifstream first("/proc/sys/net/ipv4/ip_unprivileged_port_start"); first) {
        unsigned port = 1024;
        if (first >> port && port <= 80) GTEST_SKIP() << "port 80 is anybody's here";
    }
    EXPECT_TRUE(permits(territory, control("metrics", "127.0.0.1:80"), "127.0.0.1:80"));
    const Status refused = permits(territory, control("metrics", "127.0.0.1:80"), "");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("CAP_NET_BIND_SERVICE"));
}

// In a network namespace of its own, where it may make what it likes.
class TapConfinement : public ::testing::Test {
  protected:
    void SetUp() override {
        if (const std::string why = test::no_sandbox(); !why.empty()) GTEST_SKIP() << why;
        if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    }
    static Fate attempt(const std::function<int()>& what) {
        return test::confined(
            [] {
                ::unshare(CLONE_NEWNET);
                return tap_confinement();
            },
            what);
    }
    static Fate open(const char* path, int flags) {
        return attempt([=] { return outcome(::open(path, flags, 0600)); });
    }
    static int tap(unsigned long request) {
        const int fd = ::open("/dev/net/tun", O_RDWR);
        ifreq interface {};
        interface.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
        if (fd < 0 || ::ioctl(fd, TUNSETIFF, &interface) != 0) return errno;
        interface.ifr_flags = IFF_DETACH_QUEUE;
        return outcome(::ioctl(fd, request, &interface));
    }
};

TEST_F(TapConfinement, MakesTapsAndSetsWhatTheKernelDoesWithThem) {
    EXPECT_EQ(attempt([] { return tap(TUNSETQUEUE); }), kAllowed);
    EXPECT_EQ(open("/proc/sys/net/ipv4/conf/lo/rp_filter", O_WRONLY | O_TRUNC), kAllowed);
    EXPECT_EQ(attempt([] { return ::if_nametoindex("lo") != 0 ? 0 : errno; }), kAllowed);
}

TEST_F(TapConfinement, DoesNothingElse) {
    EXPECT_EQ(attempt([] { return tap(TUNSETOWNER); }), kNotPermitted);
    for (const char* path : {"/etc/passwd", "/proc/sys/kernel/hostname", "/dev/null"})
        EXPECT_EQ(open(path, O_RDONLY), kOutside) << path;
    EXPECT_EQ(open("/proc/sys/kernel/core_pattern", O_WRONLY), kOutside);
    for (const auto& [family, type] : {std::pair{AF_INET, SOCK_STREAM},
                                       {AF_INET6, SOCK_DGRAM},
                                       {AF_PACKET, SOCK_RAW},
                                       {AF_UNIX, SOCK_STREAM}})
        EXPECT_EQ(attempt([f = family, t = type] { return outcome(::socket(f, t, 0)); }),
                  kNotPermitted);
    EXPECT_EQ(attempt([] {
                  char program[] = "/bin/true";
                  char* argv[] = {program, nullptr};
                  return outcome(::execv(program, argv));
              }),
              kKilled);
    EXPECT_EQ(attempt([] { return outcome(::unshare(CLONE_NEWNET)); }), kKilled);
    EXPECT_EQ(attempt([] { return outcome(::kill(1, 0)); }), kNotPermitted);
}

}  // namespace
}  // namespace ravelin::control
