// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/route_source.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSettle{100};   // a link that goes takes many addresses and routes with it
constexpr milliseconds kFill{10'000};  // a million routes take the kernel and us a second or two
constexpr int kQueue = 16 << 20;       // bytes: about 100,000 notifications
constexpr unsigned kDatagramsATurn = 64;
constexpr size_t kLargest = 64 << 10;  // the kernel builds at most 32 KiB

// RTNLGRP_NEXTHOP is of Linux 5.3; before it there are no such objects to lose.
constexpr std::array kGroups{RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,  RTNLGRP_LINK,
                             RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NEXTHOP};

bool membership(int fd, int option) {
    bool all = true;
    for (const int group : kGroups)
        all &= ::setsockopt(fd, SOL_NETLINK, option, &group, sizeof group) == 0 ||
               group == RTNLGRP_NEXTHOP;
    return all;
}

}  // namespace

RouteSource::RouteSource(EventLoop& loop, int socket, RouteFilter filter, size_t limit,
                         std::function<void()> changed, milliseconds patience)
    : loop_(loop),
      filter_(filter),
      rib_(std::move(filter), limit),
      changed_(std::move(changed)),
      fd_(socket),
      patience_(patience) {}

RouteSource::~RouteSource() {
    loop_.cancel(timer_);
    loop_.cancel(filled_);
    loop_.forget(fd_);
    membership(fd_, NETLINK_DROP_MEMBERSHIP);
}

Result<UniqueFd> RouteSource::open_socket() {
    UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!fd) return Error{fmt::format("netlink: {}", std::strerror(errno))};
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kQueue, sizeof kQueue) != 0)
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kQueue, sizeof kQueue);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return Error{fmt::format("netlink: bind: {}", std::strerror(errno))};
    return fd;
}

Status RouteSource::start() {
    // What an earlier source left unread says how things were then.
    std::array<uint8_t, kLargest> old;
    while (::recv(fd_, old.data(), old.size(), MSG_DONTWAIT) >= 0 || errno == ENOBUFS ||
           errno == EINTR) {
    }
    if (!membership(fd_, NETLINK_ADD_MEMBERSHIP))
        return Error{fmt::format("netlink: routes: {}", std::strerror(errno))};
    loop_.watch(fd_, POLLIN, [this](short) { ready(); });
    dump(AF_INET);
    return ok_status();
}

void RouteSource::ready() {
    std::array<uint8_t, kLargest> buffer;
    for (unsigned n = 0; n < kDatagramsATurn; ++n) {
        sockaddr_nl from{};
        socklen_t length = sizeof from;
        const ssize_t got = ::recvfrom(fd_, buffer.data(), buffer.size(), MSG_TRUNC,
                                       reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0 && errno == ENOBUFS) {
            overrun();
            continue;
        }
        if (got < 0) break;
        if (from.nl_pid != 0) continue;  // not the kernel
        if (static_cast<size_t>(got) > buffer.size())
            overrun();
        else
            take({buffer.data(), static_cast<size_t>(got)});
    }
    changed_();
}

void RouteSource::take(std::span<const uint8_t> datagram) {
    bool of_dump = false;
    while (datagram.size() >= sizeof(nlmsghdr)) {
        nlmsghdr head{};
        std::memcpy(&head, datagram.data(), sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > datagram.size()) break;
        of_dump |= head.nlmsg_seq == sequence_ && (head.nlmsg_flags & NLM_F_MULTI) != 0;
        take_message(datagram.first(head.nlmsg_len));
        datagram = datagram.subspan(std::min<size_t>(datagram.size(), NLMSG_ALIGN(head.nlmsg_len)));
    }
    if (of_dump && dumping_ != 0) await_dump();
    fill_room();
}

void RouteSource::take_message(std::span<const uint8_t> message) {
    nlmsghdr head{};
    std::memcpy(&head, message.data(), sizeof head);
    interrupted_ |= (head.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    switch (head.nlmsg_type) {
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
            if (const auto route = decode_route(message)) rib_.take(*route);
            return;
        case NLMSG_DONE:
        case NLMSG_ERROR:
            if (dumping_ != 0 && head.nlmsg_seq == sequence_)
                dumped(head.nlmsg_type == NLMSG_ERROR || interrupted_);
            return;
        case RTM_DELLINK:
        case RTM_DELADDR:
        case RTM_DELNEXTHOP:
            return resync_soon();
        case RTM_NEWLINK: {
            ifinfomsg link{};
            if (message.size() < NLMSG_LENGTH(sizeof link)) return;
            std::memcpy(&link, message.data() + NLMSG_HDRLEN, sizeof link);
            if ((link.ifi_flags & IFF_UP) == 0) resync_soon();
            return;
        }
        default:
            return;
    }
}

void RouteSource::overrun() {
    ++resyncs_;
    again_ = true;
    if (dumping_ == 0) resync_soon();
}

void RouteSource::resync_soon() {
    if (dumping_ != 0) {
        again_ = true;
        return;
    }
    loop_.cancel(timer_);
    timer_ = loop_.after(kSettle, [this] { dump(AF_INET); });
}

void RouteSource::set_limit(size_t limit) {
    const bool grew = limit > rib_.limit();
    rib_.set_limit(limit);
    if (grew) resync_soon();
}

/// What was left out for want of room is asked for again once there is some, now and then.
void RouteSource::fill_room() {
    if (dumping_ != 0 || filled_ != EventLoop::kNoTimer || !rib_.wants_dump()) return;
    ++resyncs_;
    resync_soon();
    filled_ = loop_.after(kFill, [this] {
        filled_ = EventLoop::kNoTimer;
        fill_room();
    });
}

void RouteSource::await_dump() {
    loop_.cancel(timer_);
    timer_ = loop_.after(patience_, [this] { dumped(true); });
}

void RouteSource::dump(int family) {
    struct {
        nlmsghdr head;
        rtmsg message;
    } request{};
    if (family == AF_INET) {
        rib_.begin_dump();
        again_ = false;
    }
    interrupted_ = false;
    dumping_ = family;
    request.head.nlmsg_len = NLMSG_LENGTH(sizeof request.message);
    request.head.nlmsg_type = RTM_GETROUTE;
    request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.head.nlmsg_seq = ++sequence_;
    request.message.rtm_family = static_cast<uint8_t>(family);
    await_dump();
    if (::send(fd_, &request, request.head.nlmsg_len, 0) < 0) again_ = true;
}

void RouteSource::dumped(bool interrupted) {
    loop_.cancel(timer_);
    timer_ = EventLoop::kNoTimer;
    if (!interrupted && !again_ && dumping_ == AF_INET) return dump(AF_INET6);
    dumping_ = 0;
    if (interrupted || again_) return resync_soon();
    rib_.end_dump();
    complete_ = true;
    fill_room();
    changed_();
}

}  // namespace ravelin::control
