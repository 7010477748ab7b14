// SPDX-License-Identifier: Apache-2.0
// KernelPath: the exception path. Frames for the box that the data plane does not answer itself go
// to the kernel by the port's TAP; what the kernel sends comes back to worker 0. A thread of its
// own makes the system calls; workers only touch rings: each has one to the thread, worker 0 one
// from it.
#pragma once
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "dataplane/limits.h"
#include "dataplane/spsc_ring.h"
#include "dataplane/tap.h"

namespace ravelin {

class KernelPath {
  public:
    static constexpr unsigned kRing = 512;     ///< frames each way; 50 ms at the default rate
    static constexpr unsigned kFrames = 2048;  ///< buffers of its pool, for what the kernel sends

    /// Without descriptors only the rings: tests are the thread then. `pool` is for frames from
    /// the kernel.
    KernelPath(WorkerId workers, rte_mempool* pool);
    /// The workers have stopped.
    ~KernelPath();
    KernelPath(const KernelPath&) = delete;
    KernelPath& operator=(const KernelPath&) = delete;

    /// Boot: takes the descriptor.
    void add(PortId port, int tap);
    /// `wake` is called when worker 0 has something to fetch.
    void start(std::function<void()> wake);
    void stop();
    /// Control thread: the port's link went up or down.
    void set_link(PortId port, bool up) noexcept;

    /// Worker `from`: hands a frame for `port`'s TAP over. Takes it; false: not taken, the ring is
    /// full.
    bool send(WorkerId from, rte_mbuf* frame, PortId port) noexcept;
    /// Worker 0: up to `n` frames of the kernel; mbuf->port is the port whose TAP they came from.
    unsigned receive(rte_mbuf** frames, unsigned n) noexcept { return from_kernel_.pop(frames, n); }
    [[nodiscard]] bool anything_waits() const noexcept { return !from_kernel_.empty(); }

    /// Frames that a TAP did not take (it is down), and those of the kernel for which there was no
    /// buffer or room. Any thread.
    [[nodiscard]] uint64_t refused() const noexcept { return refused_.load(); }
    [[nodiscard]] uint64_t lost() const noexcept { return lost_.load(); }

    [[nodiscard]] const rte_mempool& pool() const noexcept { return *pool_; }
    /// Frames that its rings hold at most, in all.
    [[nodiscard]] size_t ring_slots() const noexcept { return (to_kernel_.size() + 1) * kRing; }

    /// What the thread does, for tests that are it: up to `n` frames that worker `from` sent.
    unsigned take(WorkerId from, rte_mbuf** frames, unsigned n) noexcept {
        return to_kernel_[from]->pop(frames, n);
    }
    /// As if the kernel had sent it. False: not taken.
    bool give(rte_mbuf* frame, PortId port) noexcept;

  private:
    struct Tap {
        PortId port;
        int fd;
        bool up = true;  // control thread's
    };
    void loop() noexcept;
    unsigned write_all() noexcept;
    unsigned read_from(const Tap& tap) noexcept;
    void write_frame(rte_mbuf* frame) noexcept;
    void sleep() noexcept;
    [[nodiscard]] int tap_of(PortId port) const noexcept;

    rte_mempool* pool_;
    std::vector<Tap> taps_;
    std::vector<std::unique_ptr<SpscRing<rte_mbuf*>>> to_kernel_;  // one a worker
    SpscRing<rte_mbuf*> from_kernel_{kRing};
    std::function<void()> wake_;
    int wakeup_;
    alignas(64) std::atomic<bool> asleep_{false};
    std::atomic<bool> stop_{false};
    std::atomic<uint64_t> refused_{0}, lost_{0};
    std::thread thread_;
};

}  // namespace ravelin
