// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/launcher.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace ravelin::control {

struct Launcher::Request {
    pid_t reap = 0;  // 0: start
};

struct Launcher::Reply {
    int error = 0;  // errno
    pid_t pid = 0;
    int code = 0, status = 0;  // of siginfo_t
};

namespace {

int spawn(char* const* argv, pid_t& pid) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    const int failed = ::posix_spawn(&pid, argv[0], nullptr, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/// Nothing of the control plane's stays open here: no lock, no socket. stdio goes to the child.
void keep_only(int fd) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > 3) ::syscall(SYS_close_range, 3u, kept - 1, 0u);
    ::syscall(SYS_close_range, kept + 1, ~0u, 0u);
}

}  // namespace

Launcher::Launcher(const std::vector<std::string>& command) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
        keep_only(ends[1]);
        serve(ends[1], argv.data());
    }
    ::close(ends[1]);
    fd_.reset(ends[0]);
}

Launcher::~Launcher() {
    fd_.reset();  // it sees the end and goes
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

void Launcher::serve(int fd, char* const* argv) {
    ::prctl(PR_SET_NAME, "ravelin-launch");
    // Ctrl-C is for the control plane to hear; this process lasts exactly as long as that one.
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    Request request;
    while (::recv(fd, &request, sizeof request, 0) == ssize_t{sizeof request}) {
        const Reply reply = handle(request, argv);
        if (::send(fd, &reply, sizeof reply, MSG_NOSIGNAL) != ssize_t{sizeof reply}) break;
    }
    ::_exit(0);
}

Launcher::Reply Launcher::handle(const Request& request, char* const* argv) {
    Reply reply;
    if (request.reap == 0) {
        reply.error = spawn(argv, reply.pid);
        return reply;
    }
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(request.reap), &info, WEXITED) != 0) reply.error = errno;
    reply.code = info.si_code;
    reply.status = info.si_status;
    return reply;
}

Result<Launcher::Reply> Launcher::ask(const Request& request) {
    Reply reply;
    if (::send(fd_.get(), &request, sizeof request, MSG_NOSIGNAL) != ssize_t{sizeof request} ||
        ::recv(fd_.get(), &reply, sizeof reply, 0) != ssize_t{sizeof reply})
        return Error{"the launcher is gone; restart the control plane"};
    if (reply.error != 0) return Error{std::strerror(reply.error)};
    return reply;
}

Result<pid_t> Launcher::start() {
    auto reply = ask({});
    if (!reply) return std::move(reply.error());
    return reply->pid;
}

Result<std::string> Launcher::reap(pid_t pid) {
    auto reply = ask({pid});
    if (!reply) return std::move(reply.error());
    return reply->code == CLD_EXITED ? fmt::format("exited with {}", reply->status)
                                     : fmt::format("was killed by signal {}", reply->status);
}

}  // namespace ravelin::control
