// SPDX-License-Identifier: Apache-2.0
#include "perf/replay/wire.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "perf/replay/frame.h"

namespace ravelin::perf {
namespace {

constexpr unsigned kBatch = 64, kLargest = 2048;

[[noreturn]] void fail(const std::string& interface, const char* what) {
    std::fprintf(stderr, "wire: %s: %s: %s\n", interface.c_str(), what, std::strerror(errno));
    std::exit(1);
}

int open_socket(const std::string& interface) {
    const int socket_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (socket_fd < 0) fail(interface, "no socket");
    const int bypass = 1;
    if (setsockopt(socket_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof bypass) != 0)
        fail(interface, "cannot go past its queueing discipline");
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(ETH_P_ALL);
    to.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (bind(socket_fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        fail(interface, "cannot be bound to");
    return socket_fd;
}

struct Batch {
    std::array<std::array<uint8_t, kLargest>, kBatch> frames{};
    std::array<iovec, kBatch> vectors{};
    std::array<mmsghdr, kBatch> messages{};

    // The next packets of the tape.
    void fill(const Tape& tape, const Template (&common)[2], Moment& at) {
        for (unsigned i = 0; i < kBatch; ++i) {
            const Descriptor& flow = tape.flows()[at.index];
            const uint32_t size = write_frame(frames[i].data(), tape.head(),
                                              common[flow.protocol == net::kTcp ? 0 : 1], flow, at);
            vectors[i] = {frames[i].data(), size};
            messages[i].msg_hdr = {};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            if (++at.index == tape.flows().size()) at.index = 0, ++at.turn;
        }
    }
};

}  // namespace

Sent send_to_wire(const Tape& tape, const std::string& interface, const MacAddress& mac,
                  double seconds) {
    using Clock = std::chrono::steady_clock;
    const int out = open_socket(interface);
    Template common[2] = {Template::make(tape.head(), 0, net::kTcp),
                          Template::make(tape.head(), 0, net::kUdp)};
    for (Template& t : common) std::memcpy(t.bytes, &mac, sizeof mac);
    static Batch batch;
    Moment at;
    Sent sent;
    const auto begin = Clock::now();
    const std::chrono::duration<double> whole(seconds);
    while (Clock::now() - begin < whole) {
        batch.fill(tape, common, at);
        for (unsigned done = 0; done < kBatch;) {
            const int n = sendmmsg(out, &batch.messages[done], kBatch - done, 0);
            if (n < 0 && errno != ENOBUFS && errno != EAGAIN) fail(interface, "cannot be sent to");
            if (n < 0) ++sent.refused, ++done;
            if (n > 0) sent.packets += static_cast<unsigned>(n), done += static_cast<unsigned>(n);
        }
    }
    sent.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    close(out);
    return sent;
}

}  // namespace ravelin::perf
