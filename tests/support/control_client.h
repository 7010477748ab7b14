// SPDX-License-Identifier: Apache-2.0
// A blocking client of control.sock, and a running ravelin-controlplane, for tests.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "pipelines/model/frame.h"

namespace ravelin::test {

using Json = nlohmann::json;

class ControlClient {
  public:
    explicit ControlClient(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        do {
            ::close(fd_);
            fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) break;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        } while (std::chrono::steady_clock::now() < until);
        const timeval limit{30, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    ~ControlClient() { ::close(fd_); }
    ControlClient(const ControlClient&) = delete;
    ControlClient& operator=(const ControlClient&) = delete;

    void send(const Json& message) { send_text(message.dump()); }
    void send_text(const std::string& text) {
        (void)model::write_frame(fd_, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }
    void send_raw(const std::string& bytes) {
        (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    /// The next message; null when the daemon is gone.
    Json next() {
        for (;;) {
            if (auto frame = reader_.next()) return Json::parse(*frame, nullptr, false);
            const auto got = model::receive(fd_, reader_);
            if (!got || *got != model::Received::kBytes) return nullptr;
        }
    }
    Json call(const std::string& method, const Json& params = Json::object()) {
        send({{"method", method}, {"params", params}});
        return next();
    }

  private:
    int fd_ = -1;
    model::FrameReader reader_;
};

/// A ravelin-controlplane process on directories of its own.
class ControlplaneProcess {
  public:
    explicit ControlplaneProcess(std::string directory) : directory_(std::move(directory)) {}
    ~ControlplaneProcess() { kill(); }
    ControlplaneProcess(const ControlplaneProcess&) = delete;
    ControlplaneProcess& operator=(const ControlplaneProcess&) = delete;

    [[nodiscard]] std::string socket() const { return directory_ + "/control.sock"; }
    void start(const std::string& crash_at = "", const std::vector<std::string>& more = {}) {
        std::vector<std::string> words{RAVELIN_CONTROLPLANE, "--state-dir", directory_ + "/state",
                                       "--run-dir", directory_};
        words.insert(words.end(), more.begin(), more.end());
        pid_ = ::fork();
        if (pid_ != 0) return;
        if (!crash_at.empty()) ::setenv("RAVELIN_CRASH_AT", crash_at.c_str(), 1);
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        const int log = ::open((directory_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, STDERR_FILENO);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    /// Waits until it is gone; the signal that killed it, or 0.
    int wait() {
        int status = 0;
        if (pid_ > 0) ::waitpid(pid_, &status, 0);
        pid_ = 0;
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    void kill(int signal = SIGKILL) {
        if (pid_ <= 0) return;
        ::kill(pid_, signal);
        wait();
    }

  private:
    std::string directory_;
    pid_t pid_ = 0;
};

}  // namespace ravelin::test
