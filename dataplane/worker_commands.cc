// SPDX-License-Identifier: Apache-2.0
// How the control thread has a worker do something between two bursts.
#include <chrono>
#include <thread>

#include "dataplane/worker.h"

namespace ravelin {

bool Worker::execute(Command& command) {
    return post(command) && wait_for(command, std::chrono::steady_clock::now() + kPatience);
}

bool Worker::post(Command& command) noexcept {
    if (stuck()) return false;
    command.done.store(false, std::memory_order_relaxed);
    Command* none = nullptr;
    if (!command_.compare_exchange_strong(none, &command, std::memory_order_release,
                                          std::memory_order_relaxed))
        return false;
    wake();
    return true;
}

bool Worker::wait_for(Command& command, std::chrono::steady_clock::time_point deadline) {
    while (!command.done.load(std::memory_order_acquire)) {
        Command* back = &command;
        if (std::chrono::steady_clock::now() > deadline &&
            command_.compare_exchange_strong(back, nullptr, std::memory_order_relaxed)) {
            give_up();
            return false;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    return true;
}

std::optional<WorkerId> execute_on_all(std::span<const std::unique_ptr<Worker>> workers,
                                       std::span<Command* const> commands) {
    std::vector<bool> posted(workers.size());
    for (size_t i = 0; i < workers.size(); ++i) posted[i] = workers[i]->post(*commands[i]);
    const auto deadline = std::chrono::steady_clock::now() + Worker::kPatience;
    std::optional<WorkerId> silent;
    for (size_t i = 0; i < workers.size(); ++i)
        if (!posted[i] || !workers[i]->wait_for(*commands[i], deadline)) silent = workers[i]->id();
    return silent;
}

}  // namespace ravelin
