// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM as something to poll, so that a stream ends in order and says its totals.
#pragma once

namespace ravelin::cli {

class Interrupt {
  public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    /// Readable once interrupted.
    [[nodiscard]] int fd() const { return fd_; }
    /// Sleeps. True: interrupted meanwhile.
    [[nodiscard]] bool wait(int milliseconds) const;

  private:
    int fd_;
};

}  // namespace ravelin::cli
