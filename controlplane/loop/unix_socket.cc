// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "controlplane/loop/unique_fd.h"

namespace ravelin::control {
namespace {

constexpr int kBacklog = 64;

Error failed(const std::string& path, const char* action) {
    return Error{fmt::format("{}: {}: {}", path, action, std::strerror(errno))};
}

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error{fmt::format("{}: is {} characters long, a socket's path has at most {}", path,
                                 path.size(), sizeof address.sun_path - 1)};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Result<UniqueFd> connect_unix(const std::string& path) {
    auto address = address_of(path);
    if (!address) return address.error();
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return failed(path, "socket");
    if (::connect(fd.get(), generic(*address), sizeof *address) != 0)
        return failed(path, "connect");
    return fd;
}

Result<UniqueFd> listen_unix(const std::string& path) {
    auto address = address_of(path);
    if (!address) return address.error();
    if (connect_unix(path)) return Error{path + ": another process listens here already"};
    ::unlink(path.c_str());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return failed(path, "socket");
    const mode_t before = ::umask(0177);  // no moment at which others could connect
    const int bound = ::bind(fd.get(), generic(*address), sizeof *address);
    ::umask(before);
    if (bound != 0) return failed(path, "bind");
    if (::listen(fd.get(), kBacklog) != 0) return failed(path, "listen");
    return fd;
}

}  // namespace ravelin::control
