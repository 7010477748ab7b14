// SPDX-License-Identifier: Apache-2.0
#include "dataplane/kernel_path.h"

#include <poll.h>
#include <pthread.h>
#include <rte_mbuf.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace ravelin {
namespace {

constexpr unsigned kBatch = limits::kBurst;
constexpr int kSegments = 16;  // more than a jumbo frame of the smallest buffers has
constexpr timespec kPause{0, 1'000'000};

}  // namespace

KernelPath::KernelPath(WorkerId workers, rte_mempool* pool)
    : pool_(pool), wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    for (WorkerId w = 0; w < workers; ++w)
        to_kernel_.push_back(std::make_unique<SpscRing<rte_mbuf*>>(kRing));
}

KernelPath::~KernelPath() {
    stop();
    rte_mbuf* left = nullptr;
    for (const auto& ring : to_kernel_)
        while (ring->pop(&left, 1) == 1) rte_pktmbuf_free(left);
    while (from_kernel_.pop(&left, 1) == 1) rte_pktmbuf_free(left);
    for (const Tap& tap : taps_) close(tap.fd);
    close(wakeup_);
}

void KernelPath::add(PortId port, int tap) { taps_.push_back({port, tap}); }

void KernelPath::start(std::function<void()> wake) {
    wake_ = std::move(wake);
    thread_ = std::thread([this] { loop(); });
}

void KernelPath::stop() {
    if (!thread_.joinable()) return;
    stop_.store(true);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(wakeup_, &one, sizeof one);
    thread_.join();
}

int KernelPath::tap_of(PortId port) const noexcept {
    const auto found = std::ranges::find(taps_, port, &Tap::port);
    return found == taps_.end() ? -1 : found->fd;
}

void KernelPath::set_link(PortId port, bool up) noexcept {
    const auto found = std::ranges::find(taps_, port, &Tap::port);
    if (found == taps_.end() || found->up == up) return;
    found->up = up;
    set_tap_carrier(found->fd, up);
}

bool KernelPath::send(WorkerId from, rte_mbuf* frame, PortId port) noexcept {
    frame->port = port;
    if (!to_kernel_[from]->push(frame)) return false;
    // A system call only where the thread sleeps: once for all that waits when it wakes.
    if (asleep_.exchange(false)) {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = write(wakeup_, &one, sizeof one);
    }
    return true;
}

bool KernelPath::give(rte_mbuf* frame, PortId port) noexcept {
    frame->port = port;
    return from_kernel_.push(frame);
}

void KernelPath::loop() noexcept {
    pthread_setname_np(pthread_self(), "kernel-path");
    while (!stop_.load()) {
        unsigned moved = write_all(), came = 0;
        for (const Tap& tap : taps_) came += read_from(tap);
        if (came != 0) wake_();
        moved += came;
        if (moved == 0) sleep();
    }
}

unsigned KernelPath::write_all() noexcept {
    unsigned moved = 0;
    for (const auto& ring : to_kernel_) {
        rte_mbuf* frames[kBatch];
        const unsigned n = ring->pop(frames, kBatch);
        for (unsigned i = 0; i < n; ++i) write_frame(frames[i]);
        moved += n;
    }
    return moved;
}

void KernelPath::write_frame(rte_mbuf* frame) noexcept {
    iovec parts[kSegments];
    int count = 0;
    const bool long_chain = frame->nb_segs > kSegments;
    for (const rte_mbuf* part = frame; part != nullptr && count < kSegments; part = part->next)
        parts[count++] = {rte_pktmbuf_mtod(part, void*), part->data_len};
    if (long_chain || writev(tap_of(frame->port), parts, count) < 0) refused_.fetch_add(1);
    rte_pktmbuf_free(frame);
}

unsigned KernelPath::read_from(const Tap& tap) noexcept {
    for (unsigned n = 0; n < kBatch; ++n) {
        rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
        if (frame == nullptr) {  // the workers hold all: what waits in the kernel, waits there
            nanosleep(&kPause, nullptr);
            return n;
        }
        const ssize_t got =
            read(tap.fd, rte_pktmbuf_mtod(frame, void*), rte_pktmbuf_tailroom(frame));
        if (got <= 0) {
            rte_pktmbuf_free(frame);
            return n;
        }
        rte_pktmbuf_append(frame, static_cast<uint16_t>(got));
        if (give(frame, tap.port)) continue;
        rte_pktmbuf_free(frame);
        lost_.fetch_add(1);
    }
    return kBatch;
}

void KernelPath::sleep() noexcept {
    // Announced before the rings are looked at once more: who pushes later finds it announced.
    asleep_.exchange(true);
    const bool waits = std::ranges::any_of(to_kernel_, [](const auto& r) { return !r->empty(); });
    if (!waits) {
        std::array<pollfd, limits::kMaxPorts + 1> fds;
        nfds_t count = 0;
        fds[count++] = {wakeup_, POLLIN, 0};
        for (const Tap& tap : taps_) fds[count++] = {tap.fd, POLLIN, 0};
        poll(fds.data(), count, -1);
        // A TAP that was deleted is always ready, for nothing.
        const auto gone = [](const pollfd& p) { return (p.revents & (POLLERR | POLLNVAL)) != 0; };
        if (std::any_of(fds.begin(), fds.begin() + count, gone)) nanosleep(&kPause, nullptr);
        uint64_t drained = 0;
        [[maybe_unused]] const ssize_t n = read(wakeup_, &drained, sizeof drained);
    }
    asleep_.store(false);
}

}  // namespace ravelin
