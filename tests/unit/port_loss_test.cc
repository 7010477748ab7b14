// SPDX-License-Identifier: Apache-2.0
// What packet sockets lose, on a loopback of its own. With a data plane: tests/system/test_loss.py.
#include "dataplane/port_loss.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace ravelin {
namespace {

constexpr unsigned kRing = 16;  // frames
constexpr unsigned kSent = 100;

/// As net_af_packet opens one, with a tiny ring.
int packet_socket(unsigned interface) {
    const int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    const int version = TPACKET_V2;
    tpacket_req ring{.tp_block_size = 4096,
                     .tp_block_nr = kRing / 2,
                     .tp_frame_size = 2048,
                     .tp_frame_nr = kRing};
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(ETH_P_ALL);
    to.sll_ifindex = static_cast<int>(interface);
    EXPECT_EQ(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version), 0);
    EXPECT_EQ(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring), 0);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    return fd;
}

void loopback_up() {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    EXPECT_EQ(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

/// Datagrams to nobody's port; each passes loopback twice (out and in), and its ICMP error too.
void flood(unsigned datagrams) {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < datagrams; ++i)
        sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    close(fd);
}

TEST(PacketSockets, CountWhatTheKernelHadNoRoomFor) {
    bool possible = false;
    // A namespace is a thread's own: the process stays where it is.
    std::thread([&] {
        if (unshare(CLONE_NEWNET) != 0) return;
        possible = true;
        loopback_up();
        const unsigned lo = if_nametoindex("lo");
        const int bystander = packet_socket(0);  // bound to no interface
        const int first = packet_socket(lo), second = packet_socket(lo);
        PacketSockets sockets(lo);
        EXPECT_EQ(sockets.count(), 2u);
        EXPECT_EQ(sockets.dropped(), 0u);
        flood(kRing / 8);
        EXPECT_EQ(sockets.dropped(), 0u) << "the ring holds them";
        flood(kSent);
        const uint64_t dropped = sockets.dropped();
        EXPECT_GE(dropped, 2 * (2 * kSent - kRing)) << "both rings, both directions";
        EXPECT_EQ(sockets.dropped(), dropped) << "the kernel forgets, we do not";
        flood(1);
        EXPECT_GT(sockets.dropped(), dropped);
        for (const int fd : {bystander, first, second}) close(fd);
        EXPECT_EQ(PacketSockets(lo).count(), 0u);
        EXPECT_EQ(PacketSockets(0).count(), 0u);
    }).join();
    if (!possible) GTEST_SKIP() << "cannot make a network namespace";
}

}  // namespace
}  // namespace ravelin
