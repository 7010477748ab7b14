// SPDX-License-Identifier: Apache-2.0
// DPDK's net_af_packet joins its sockets to a fanout group that has the kernel reassemble IPv4
// fragments (PACKET_FANOUT_FLAG_DEFRAG in packet(7)), and has no argument against it. We would see
// datagrams that were never on the wire, cut off at the end of the ring's frame, and no overlap. So
// the executable has the setsockopt that the driver finds, and takes that flag out.
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" int setsockopt(int socket, int level, int name, const void* value,
                          socklen_t length) noexcept {
    int fanout = 0;
    if (level == SOL_PACKET && name == PACKET_FANOUT && length == sizeof fanout) {
        __builtin_memcpy(&fanout, value, sizeof fanout);
        fanout &= ~(PACKET_FANOUT_FLAG_DEFRAG << 16);
        value = &fanout;
    }
    return static_cast<int>(syscall(SYS_setsockopt, socket, level, name, value, length));
}
