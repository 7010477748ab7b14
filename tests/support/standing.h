// SPDX-License-Identifier: Apache-2.0
// A worker that stands still until it is let go.
#pragma once
#include <atomic>
#include <chrono>
#include <thread>

#include "dataplane/worker.h"

namespace ravelin::test {

class Standing {
  public:
    /// Returns once the worker stands.
    explicit Standing(Worker& worker)
        : control_([this, &worker] { done = worker.execute(stand_); }) {
        while (!stand_.stands) std::this_thread::yield();
    }
    ~Standing() { let_go(); }
    Standing(const Standing&) = delete;
    Standing& operator=(const Standing&) = delete;
    void let_go() {
        stand_.go_on = true;
        if (control_.joinable()) control_.join();
    }
    std::atomic<bool> done{false};  ///< the worker said so to who asked it

  private:
    struct Stand final : Command {
        void run(Worker&) noexcept override {
            stands = true;
            while (!go_on) std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
        std::atomic<bool> stands{false}, go_on{false};
    };
    Stand stand_;
    std::thread control_;
};

}  // namespace ravelin::test
