// SPDX-License-Identifier: Apache-2.0
// EventLoop: the control plane's one thread waits here for sockets, signals, children and timers.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace ravelin::control {

/// Not thread safe: everything happens on the thread that calls run(). A callback may watch and
/// forget anything, itself included.
class EventLoop {
  public:
    using Clock = std::chrono::steady_clock;
    using Ready = std::function<void(short revents)>;
    using TimerId = uint64_t;
    static constexpr TimerId kNoTimer = 0;

    /// Calls `ready` whenever poll(2) reports any of `events` (or an error) on `fd`. Replaces an
    /// earlier watch of the same descriptor. The descriptor stays the caller's.
    void watch(int fd, short events, Ready ready);
    /// Changes what a watched descriptor waits for; its callback stays.
    void set_events(int fd, short events);
    void forget(int fd);

    /// Calls `expired` once, not before `delay` has passed.
    TimerId after(std::chrono::milliseconds delay, std::function<void()> expired);
    /// A timer that fired already, or kNoTimer, is fine.
    void cancel(TimerId timer);

    /// One poll of at most `limit` and the callbacks it led to.
    void turn(std::chrono::milliseconds limit);
    /// Turns until stop().
    void run();
    void stop() { stopped_ = true; }
    [[nodiscard]] bool stopped() const { return stopped_; }

  private:
    struct Watch {
        short events = 0;
        std::shared_ptr<Ready> ready;
    };
    struct Timer {
        TimerId id;
        std::function<void()> expired;
    };
    [[nodiscard]] int wait_ms(std::chrono::milliseconds limit) const;
    void expire_timers();

    std::map<int, Watch> watches_;
    std::multimap<Clock::time_point, Timer> timers_;
    TimerId next_timer_ = 1;
    bool stopped_ = false;
};

/// Now, for the records that people read.
uint64_t unix_ms();

}  // namespace ravelin::control
