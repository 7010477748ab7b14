// SPDX-License-Identifier: Apache-2.0
// Version: tells readers that what they derived from a shared table may hold no more. Its writer
// raises it after each change; a reader takes it before it looks, and derives anew when it differs.
#pragma once
#include <atomic>
#include <cstdint>

namespace ravelin {

class Version {
  public:
    /// The one writer, once the change can be seen.
    void raise() noexcept {
        now_.store(now_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    /// Any thread.
    [[nodiscard]] uint32_t read() const noexcept { return now_.load(std::memory_order_acquire); }

  private:
    std::atomic<uint32_t> now_{1};
};

}  // namespace ravelin
