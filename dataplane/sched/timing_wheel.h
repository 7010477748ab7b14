// SPDX-License-Identifier: Apache-2.0
// TimingWheel: four levels of 64 slots (G. Varghese, A. Lauck, 1987), a tick of 1,024 ns. Adding,
// cancelling and expiring cost the same whatever waits; nothing expires early, nor more than a tick
// and the caller's own delay late.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace ravelin::sched {

class TimingWheel {
  public:
    static constexpr unsigned kTickLog2 = 10;

    /// Entries are 0..entries-1; each waits at most once.
    TimingWheel(uint32_t entries, uint64_t now_ns);

    /// `entry` must not wait already.
    void add(uint32_t entry, uint64_t when_ns) noexcept;
    void cancel(uint32_t entry) noexcept;
    [[nodiscard]] bool waits(uint32_t entry) const { return links_[entry].slot != kNowhere; }
    [[nodiscard]] uint32_t waiting() const { return waiting_; }
    [[nodiscard]] size_t memory_bytes() const {
        return sizeof *this + links_.size() * sizeof links_[0];
    }
    /// Calls expired(entry) for what is due, at most `most` times; returns how often. `expired` may
    /// add entries.
    template <typename Expired>
    unsigned advance(uint64_t now_ns, unsigned most, Expired&& expired) noexcept {
        const uint64_t target = now_ns >> kTickLog2;
        unsigned done = 0;
        while (waiting_ != 0 && done < most && find_due(target)) {
            const uint32_t entry = heads_[(tick_ + 1) & kMask];
            cancel(entry);
            ++done;
            expired(entry);
        }
        if (waiting_ == 0 && tick_ < target) tick_ = target;
        return done;
    }
    /// No entry is due before this, ns; UINT64_MAX: none waits. May be early, never late.
    [[nodiscard]] uint64_t next_ns() const noexcept;

  private:
    static constexpr unsigned kLevels = 4, kSlotsLog2 = 6, kSlots = 1 << kSlotsLog2;
    static constexpr uint64_t kMask = kSlots - 1;
    static constexpr uint32_t kNone = UINT32_MAX;
    static constexpr uint16_t kNowhere = UINT16_MAX;
    struct Link {
        uint64_t tick = 0;
        uint32_t next = kNone, previous = kNone;
        uint16_t slot = kNowhere;
    };
    bool find_due(uint64_t target) noexcept;
    [[nodiscard]] uint64_t next_stop() const noexcept;
    void cascade(uint64_t tick) noexcept;
    void place(uint32_t entry) noexcept;

    uint64_t tick_;  ///< all up to here has expired
    uint32_t waiting_ = 0;
    std::array<uint64_t, kLevels> used_{};
    std::array<uint32_t, kLevels * kSlots> heads_;
    std::vector<Link> links_;
};

}  // namespace ravelin::sched
