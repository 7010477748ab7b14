// SPDX-License-Identifier: Apache-2.0
// RouteSource: listens to the kernel's routes (rtnetlink) and keeps a KernelRib as they are. One
// socket for notifications and dumps: the kernel queues both in order, so what a dump shows and
// what changed meanwhile need no telling apart. A queue that overran, and events that take routes
// away in silence (a link that went, an address, a next-hop object), lead to a new dump.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "controlplane/kernel/kernel_rib.h"
#include "controlplane/loop/event_loop.h"
#include "controlplane/loop/unique_fd.h"

namespace ravelin::control {

class RouteSource {
  public:
    /// A netlink socket with the queue it wants. Takes CAP_NET_ADMIN, without which the queue is
    /// short and overruns more often. Error: what the kernel refused.
    static Result<UniqueFd> open_socket();
    static constexpr std::chrono::milliseconds kPatience{5000};
    /// `socket` stays the caller's. `limit`: most prefixes. `changed` is called from the loop after
    /// the RIB may have changed. A dump that says nothing for `patience` is begun anew.
    RouteSource(EventLoop& loop, int socket, RouteFilter filter, size_t limit,
                std::function<void()> changed, std::chrono::milliseconds patience = kPatience);
    ~RouteSource();
    RouteSource(const RouteSource&) = delete;
    RouteSource& operator=(const RouteSource&) = delete;

    /// Joins the kernel's groups and asks for the first dump.
    Status start();
    /// Both families were dumped at least once: what the RIB lacks, the kernel lacks.
    [[nodiscard]] bool complete() const { return complete_; }
    [[nodiscard]] KernelRib& rib() { return rib_; }
    [[nodiscard]] const KernelRib& rib() const { return rib_; }
    [[nodiscard]] const RouteFilter& filter() const { return filter_; }
    /// A higher one leads to a new dump, as what was left out is not known.
    void set_limit(size_t limit);
    /// Dumps begun because something may have been missed.
    [[nodiscard]] uint64_t resyncs() const { return resyncs_; }

    /// One datagram of the kernel, or what a test made of it.
    void take(std::span<const uint8_t> datagram);
    /// The receive queue overran (ENOBUFS): what it lost is unknown.
    void overrun();

  private:
    void ready();
    void take_message(std::span<const uint8_t> message);
    void resync_soon();
    void fill_room();
    void await_dump();
    void dump(int family);
    void dumped(bool interrupted);

    EventLoop& loop_;
    RouteFilter filter_;
    KernelRib rib_;
    std::function<void()> changed_;
    int fd_;
    std::chrono::milliseconds patience_;
    EventLoop::TimerId timer_ = EventLoop::kNoTimer, filled_ = EventLoop::kNoTimer;
    int dumping_ = 0;  // AF_INET, AF_INET6; 0: no dump under way
    bool again_ = false, interrupted_ = false, complete_ = false;
    uint32_t sequence_ = 0;
    uint64_t resyncs_ = 0;
};

}  // namespace ravelin::control
