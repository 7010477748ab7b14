// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/tap_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace ravelin::control {
namespace {

Result<UniqueFd> hold(const std::string& name) {
    const auto failed = [&](const char* what) {
        return Error{fmt::format("tap {}: {}: {}", name, what, std::strerror(errno))};
    };
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    if (!fd) return failed("/dev/net/tun");
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
    if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) return failed("cannot be held");
    request.ifr_flags = IFF_DETACH_QUEUE;
    if (::ioctl(fd.get(), TUNSETQUEUE, &request) != 0) return failed("its queue stays on");
    return fd;
}

}  // namespace

Status TapKeeper::keep(const std::set<std::string>& names) {
    for (auto held = held_.begin(); held != held_.end();)
        if (names.contains(held->first)) {
            ++held;
        } else {
            give_up(held->second);
            held = held_.erase(held);
        }
    for (const std::string& name : names) {
        if (held_.contains(name)) continue;
        auto fd = hold(name);
        if (!fd) return std::move(fd.error());
        held_.emplace(name, std::move(*fd));
    }
    return ok_status();
}

void TapKeeper::release() {
    for (const auto& [name, fd] : held_) give_up(fd);
    held_.clear();
}

void TapKeeper::give_up(const UniqueFd& fd) { ::ioctl(fd.get(), TUNSETPERSIST, 0); }

}  // namespace ravelin::control
