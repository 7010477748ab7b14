// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ravelin {
namespace {

Error failed(int fd, const TapConfig& config, const char* what) {
    Error error{fmt::format("tap {}: {}: {}", config.name, what, std::strerror(errno))};
    if (fd >= 0) close(fd);
    return error;
}

}  // namespace

Result<int> open_tap(const TapConfig& config) {
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return failed(fd, config, "/dev/net/tun");
    ifreq request{};
    std::ranges::copy_n(config.name.begin(), std::min<size_t>(config.name.size(), IFNAMSIZ - 1),
                        request.ifr_name);
    // Several queues: the control plane keeps one, unused, so that the device keeps its carrier
    // while a dead data plane is started again.
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
    if (ioctl(fd, TUNSETIFF, &request) != 0)
        return failed(fd, config, "cannot be made (is the name taken, or CAP_NET_ADMIN missing?)");
    if (ioctl(fd, TUNSETPERSIST, 1) != 0) return failed(fd, config, "cannot be kept");
    ioctl(fd, TUNSETOFFLOAD, 0);  // whole checksums, no super-packets
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::memcpy(request.ifr_hwaddr.sa_data, config.mac.bytes.data(), 6);
    if (ioctl(fd, SIOCSIFHWADDR, &request) != 0)
        return failed(fd, config, "does not take the port's MAC address");
    return fd;
}

void set_tap_carrier(int tap, bool up) noexcept {
    int carrier = up ? 1 : 0;
    ioctl(tap, TUNSETCARRIER, &carrier);
}

}  // namespace ravelin
