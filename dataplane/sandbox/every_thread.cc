// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sandbox/every_thread.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <thread>

namespace ravelin::sandbox {
namespace {

constexpr std::chrono::seconds kPatience{2};

struct Order {
    int (*act)(const void*) noexcept = nullptr;
    const void* argument = nullptr;
    std::atomic<unsigned> done{0};
    std::atomic<int> error{0};
};
std::atomic<Order*> order_in_hand{nullptr};

void obey(int) {
    const int before = errno;
    if (Order* order = order_in_hand.load(); order != nullptr) {
        if (const int error = order->act(order->argument); error != 0) order->error = error;
        order->done.fetch_add(1);
    }
    errno = before;
}

/// A real-time signal that nobody uses: drivers take some (net_tap) from the lower end.
std::optional<int> free_signal() {
    for (int signal = SIGRTMAX; signal >= SIGRTMIN; --signal) {
        struct sigaction now {};
        if (sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) return signal;
    }
    return std::nullopt;
}

std::set<pid_t> threads() {
    std::set<pid_t> out;
    DIR* folder = opendir("/proc/self/task");
    if (folder == nullptr) return out;
    while (const dirent* entry = readdir(folder)) {
        const std::string_view name(entry->d_name);
        pid_t tid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), tid).ec == std::errc())
            out.insert(tid);
    }
    closedir(folder);
    return out;
}

bool all_obeyed(const Order& order, unsigned told) {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (order.done.load() < told) {
        if (std::chrono::steady_clock::now() > give_up) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
}

/// Until a look at all threads finds none that was not told: one that was not may make another.
std::string tell_all(Order& order, int signal) {
    std::set<pid_t> told{static_cast<pid_t>(gettid())};
    unsigned count = 0;
    for (bool fresh = true; fresh;) {
        fresh = false;
        const auto now = threads();
        if (now.empty()) return "/proc is not there to list the threads";
        for (const pid_t tid : now) {
            if (!told.insert(tid).second) continue;
            fresh = true;
            if (syscall(SYS_tgkill, getpid(), tid, signal) == 0) ++count;
        }
        if (!all_obeyed(order, count))
            return fmt::format("{} of {} threads did not answer", count - order.done.load(), count);
    }
    return "";
}

}  // namespace

std::string on_every_thread(int (*act)(const void*) noexcept, const void* argument) {
    static Order order;  // outlives a thread that answers too late
    order.act = act;
    order.argument = argument;
    order.done = 0;
    order.error = 0;
    const auto signal = free_signal();
    if (!signal) return "no signal is free to tell the threads";
    struct sigaction ours {
    }, before{};
    ours.sa_handler = obey;
    ours.sa_flags = SA_RESTART;
    sigfillset(&ours.sa_mask);
    order_in_hand = &order;
    if (sigaction(*signal, &ours, &before) != 0) return std::strerror(errno);
    std::string problem = tell_all(order, *signal);
    if (const int error = act(argument); error != 0) order.error = error;
    // The handler stays where a thread may still answer: the default action would end us.
    if (problem.empty()) sigaction(*signal, &before, nullptr);
    if (problem.empty() && order.error != 0) problem = std::strerror(order.error);
    return problem;
}

}  // namespace ravelin::sandbox
