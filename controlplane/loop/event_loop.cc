// SPDX-License-Identifier: Apache-2.0
#include "controlplane/loop/event_loop.h"

#include <poll.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace ravelin::control {

using std::chrono::ceil;
using std::chrono::milliseconds;

void EventLoop::watch(int fd, short events, Ready ready) {
    watches_[fd] = {events, std::make_shared<Ready>(std::move(ready))};
}

void EventLoop::set_events(int fd, short events) {
    const auto found = watches_.find(fd);
    if (found != watches_.end()) found->second.events = events;
}

void EventLoop::forget(int fd) { watches_.erase(fd); }

EventLoop::TimerId EventLoop::after(milliseconds delay, std::function<void()> expired) {
    const TimerId id = next_timer_++;
    timers_.emplace(Clock::now() + delay, Timer{id, std::move(expired)});
    return id;
}

void EventLoop::cancel(TimerId timer) {
    std::erase_if(timers_, [&](const auto& entry) { return entry.second.id == timer; });
}

int EventLoop::wait_ms(milliseconds limit) const {
    if (!timers_.empty()) {
        const auto left = ceil<milliseconds>(timers_.begin()->first - Clock::now());
        limit = std::clamp(left, milliseconds(0), limit);
    }
    return static_cast<int>(limit.count());
}

void EventLoop::expire_timers() {
    const auto now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
        Timer timer = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        timer.expired();
    }
}

void EventLoop::turn(milliseconds limit) {
    std::vector<pollfd> polled;
    std::vector<std::shared_ptr<Ready>> callbacks;
    for (const auto& [fd, watch] : watches_) {
        polled.push_back({fd, watch.events, 0});
        callbacks.push_back(watch.ready);
    }
    const int ready = ::poll(polled.data(), polled.size(), wait_ms(limit));
    for (size_t i = 0; ready > 0 && i < polled.size(); ++i) {
        if (polled[i].revents == 0) continue;
        // An earlier callback may have forgotten this one, or put another in its place.
        const auto still = watches_.find(polled[i].fd);
        if (still == watches_.end() || still->second.ready != callbacks[i]) continue;
        (*callbacks[i])(polled[i].revents);
    }
    expire_timers();
}

void EventLoop::run() {
    while (!stopped_) turn(milliseconds(60'000));
}

uint64_t unix_ms() {
    using std::chrono::system_clock;
    const auto since = system_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<milliseconds>(since).count());
}

}  // namespace ravelin::control
