// SPDX-License-Identifier: Apache-2.0
// A file descriptor that closes itself, and the Unix sockets the daemon opens.
#pragma once
#include <unistd.h>

#include <string>
#include <utility>

#include "dataplane/result.h"

namespace ravelin::control {

class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

/// Connects to a Unix stream socket without waiting; the descriptor is non-blocking. Error: path
/// and errno text.
Result<UniqueFd> connect_unix(const std::string& path);
/// Listens at `path`, mode 0600, in place of a socket nobody answers on any more. Error: path and
/// errno text, or that somebody does answer there.
Result<UniqueFd> listen_unix(const std::string& path);

}  // namespace ravelin::control
