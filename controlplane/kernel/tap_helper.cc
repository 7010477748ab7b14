// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/tap_helper.h"

#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <sstream>
#include <thread>
#include <utility>

#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

constexpr size_t kLargest = 128 << 10;  // 64 ports with a thousand characters of addresses each
constexpr const char* kRelease = "release";
constexpr char kAnew = '\1';  // before the report of a process that takes over from another
constexpr std::chrono::seconds kRestartsWithin{60};
constexpr std::chrono::milliseconds kBeforeRestart{100};

std::string serve(TapMirror& mirror, const std::string& request) {
    if (request == kRelease) {
        mirror.release();
        return "\n";
    }
    const auto ports = decode_taps(request);
    if (!ports) return ports.error().message + "\n";
    const Status done = mirror.sync(*ports);
    std::string answer = (done ? std::string() : done.error().message) + "\n";
    for (const TapPort& port : *ports)
        if (const unsigned index = if_nametoindex(port.tap.c_str()); index != 0)
            answer += fmt::format("{} {}\n", port.tap, index);
    return answer;
}

/// Serves until the control plane's end is closed; `greeting` is the first it says.
[[noreturn]] void mirror_taps(int fd, const std::string& greeting) {
    ::prctl(PR_SET_NAME, "ravelin-mirror");
    ::send(fd, greeting.data(), greeting.size(), MSG_NOSIGNAL);
    TapMirror mirror;
    std::string buffer(kLargest, '\0');
    while (true) {
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) ::_exit(0);
        const std::string answer = serve(mirror, buffer.substr(0, static_cast<size_t>(got)));
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
}

/// Starts that again when it was killed, but not again and again. Reads nothing from anybody.
[[noreturn]] void keep_mirroring(int fd, bool confined) {
    using Clock = std::chrono::steady_clock;
    ::prctl(PR_SET_NAME, "ravelin-taps");
    // Nothing else of the control plane's: its locks must not outlive it here.
    if (fd > 3) ::close_range(3, static_cast<unsigned>(fd) - 1, 0);
    ::close_range(static_cast<unsigned>(fd) + 1, ~0u, 0);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::signal(signal, SIG_IGN);
    const sandbox::Report report =
        confined ? sandbox::enter(tap_confinement()) : sandbox::off("--no-sandbox");
    std::array<Clock::time_point, TapHelper::kMostRestarts> ended{};
    for (unsigned ends = 0;; ++ends) {
        const pid_t pid = ::fork();
        if (pid == 0) mirror_taps(fd, std::string(ends == 0 ? 0 : 1, kAnew) + report.text());
        int status = 0;
        while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        auto& oldest = ended[ends % ended.size()];
        const bool too_often = ends >= ended.size() && Clock::now() - oldest < kRestartsWithin;
        if (pid < 0 || !WIFSIGNALED(status) || too_often) ::_exit(0);
        oldest = Clock::now();
        std::this_thread::sleep_for(kBeforeRestart);
    }
}

}  // namespace

std::string encode_taps(const std::vector<TapPort>& ports) {
    std::string out;
    for (const TapPort& port : ports) {
        out += fmt::format("{} {} {} {}", port.port, port.tap,
                           port.interface.empty() ? "-" : port.interface, port.mtu);
        for (const Prefix& address : port.addresses)
            out += fmt::format(" {}/{}", address.address.to_string(), address.length);
        out += '\n';
    }
    return out;
}

Result<std::vector<TapPort>> decode_taps(const std::string& text) {
    std::vector<TapPort> out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        TapPort port;
        if (!(words >> port.port >> port.tap >> port.interface >> port.mtu))
            return Error{"no description of a TAP: " + line};
        if (port.interface == "-") port.interface.clear();
        for (std::string word; words >> word;) {
            auto address = Prefix::parse(word);
            if (!address) return std::move(address.error());
            port.addresses.push_back(*address);
        }
        out.push_back(std::move(port));
    }
    return out;
}

TapHelper::TapHelper(EventLoop& loop, bool confined) : loop_(loop) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
    UniqueFd theirs(ends[1]);
    fd_.reset(ends[0]);
    pid_ = ::fork();
    if (pid_ == 0) keep_mirroring(theirs.get(), confined);
    theirs.reset();
    std::array<char, 1024> report;
    const ssize_t told = pid_ < 0 ? 0 : ::recv(fd_.get(), report.data(), report.size(), 0);
    if (told <= 0) {
        fd_.reset();
        return;
    }
    sandbox_.assign(report.data(), static_cast<size_t>(told));
    loop_.watch(fd_.get(), POLLIN, [this](short) { ready(); });
}

TapHelper::~TapHelper() {
    if (fd_) loop_.forget(fd_.get());
    fd_.reset();  // it sees the end and goes
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

void TapHelper::sync(const std::vector<TapPort>& ports, std::function<void(const Outcome&)> done) {
    done_ = std::move(done);
    request_ = ports.empty() ? kRelease : encode_taps(ports);
    ask();
}

void TapHelper::ask() {
    if (::send(fd_.get(), request_.data(), request_.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
        static_cast<ssize_t>(request_.size()))
        ++waiting_;
    else
        done_({"the process that mirrors TAPs does not listen", {}});
}

void TapHelper::release() {
    if (!fd_ || ::send(fd_.get(), kRelease, std::strlen(kRelease), MSG_NOSIGNAL) < 0) return;
    // It has happened once it is answered, after what was asked before.
    std::array<char, 16> answer;
    for (++waiting_; waiting_ != 0; --waiting_)
        if (::recv(fd_.get(), answer.data(), answer.size(), 0) <= 0) return;
}

// Whether the one that was killed had answered nobody can tell, and to do it twice does no harm.
void TapHelper::begin_again(std::string sandbox) {
    log_warning("the process that mirrors TAPs was killed; another one has its place");
    sandbox_ = std::move(sandbox);
    waiting_ = 0;
    if (!request_.empty()) ask();
}

void TapHelper::ready() {
    std::string answer(kLargest, '\0');
    const ssize_t got = ::recv(fd_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        log_error("the process that mirrors TAPs has ended: TAPs stay as they are");
        loop_.forget(fd_.get());
        return fd_.reset();
    }
    answer.resize(static_cast<size_t>(got));
    if (answer.front() == kAnew) return begin_again(answer.substr(1));
    if (waiting_ != 0) --waiting_;
    std::istringstream lines(answer);
    Outcome outcome;
    std::getline(lines, outcome.problem);
    std::string tap;
    for (int index = 0; lines >> tap >> index;) outcome.indexes[tap] = index;
    if (done_ && waiting_ == 0) done_(outcome);
}

}  // namespace ravelin::control
