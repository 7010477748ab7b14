// SPDX-License-Identifier: Apache-2.0
// RuleLog: rule decisions the data plane reports -> JSON lines and, if wanted, syslog. Bounded in
// rate and size; what is lost is counted and said in the log itself.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "control.pb.h"
#include "controlplane/loop/unique_fd.h"

namespace ravelin::control {

class RuleLog {
  public:
    using Clock = std::chrono::steady_clock;
    struct Options {
        std::string path;
        uint64_t lines_per_second = 1000;
        bool syslog = false;
        uint64_t rotate_bytes = 64 << 20;  ///< then renamed to <path>.1, in place of an older one
        bool operator==(const Options&) const = default;
    };
    struct Counts {
        uint64_t written = 0;
        uint64_t beyond_rate = 0;
        uint64_t in_rings = 0;  ///< lost between the workers and here
        uint64_t failed = 0;    ///< not written: disk full and the like
        [[nodiscard]] uint64_t lost() const { return beyond_rate + in_rings + failed; }
    };

    /// May be called again with other options; an unchanged file stays open.
    void configure(const Options& options);
    /// Never fails and never waits for more than the disk.
    void take(const model::RuleLog& record, Clock::time_point now);
    [[nodiscard]] const Counts& counts() const { return counts_; }
    /// The last write's error; empty while writing works.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    /// A restarted data plane counts its losses from zero.
    void dataplane_restarted() { ring_lost_ = 0; }

  private:
    bool admit(Clock::time_point now);
    void write(const std::string& line);
    void open();
    void rotate();
    void tell_losses(uint64_t generation);

    Options options_;
    UniqueFd fd_;
    uint64_t bytes_ = 0;
    double tokens_ = 0;
    Clock::time_point refilled_{};
    uint64_t ring_lost_ = 0;  // as last reported by the data plane
    uint64_t told_ = 0;       // losses the log already mentions
    Counts counts_;
    std::string problem_;
};

}  // namespace ravelin::control
