// SPDX-License-Identifier: Apache-2.0
// Pace: units (bytes, cycles) against time, exact in the long run: the virtual scheduling form of
// the generic cell rate algorithm (ITU-T I.371 annex A), with 2^-32 ns of fraction kept.
#pragma once
#include <algorithm>
#include <cstdint>

namespace ravelin::sched {

__extension__ using Wide = unsigned __int128;

class Pace {
  public:
    /// No limit: always ready.
    Pace() = default;
    /// `burst`: units that may go at once after a pause.
    Pace(uint64_t units_per_s, uint64_t burst) {
        if (units_per_s == 0) return;
        constexpr Wide kSecond = Wide{1'000'000'000} << 32;
        ns_per_unit_ = static_cast<uint64_t>((kSecond + units_per_s - 1) / units_per_s);
        burst_ns_ = cost_ns(burst);
    }
    /// What it comes to, units/s, rounded down; 0: no limit.
    [[nodiscard]] uint64_t rate() const {
        constexpr Wide kSecond = Wide{1'000'000'000} << 32;
        return limited() ? static_cast<uint64_t>(kSecond / ns_per_unit_) : 0;
    }
    /// As if what was taken so far were worked off at `busy_until`, ns.
    void begin(uint64_t busy_until) noexcept { busy_until_ = busy_until; }
    [[nodiscard]] bool limited() const { return ns_per_unit_ != 0; }
    /// When all that was taken is worked off, ns.
    [[nodiscard]] uint64_t busy_until() const { return busy_until_; }
    /// From when on more may be taken, ns.
    [[nodiscard]] uint64_t ready_at() const {
        return busy_until_ > burst_ns_ ? busy_until_ - burst_ns_ : 0;
    }
    [[nodiscard]] uint64_t cost_ns(uint64_t units) const {
        return static_cast<uint64_t>(Wide{units} * ns_per_unit_ >> 32);
    }
    /// Takes `units` at `now`; more than was ready is owed.
    void take(uint64_t now, uint64_t units) noexcept {
        if (busy_until_ < now) {
            busy_until_ = now;
            fraction_ = 0;
        }
        const Wide cost = Wide{units} * ns_per_unit_ + fraction_;
        busy_until_ += static_cast<uint64_t>(cost >> 32);
        fraction_ = static_cast<uint32_t>(cost);
    }
    /// Of what was taken, the last `units` were not begun before `now`. False: that was known.
    bool delay(uint64_t now, uint64_t units) noexcept {
        const uint64_t until = now + cost_ns(units);
        if (until <= busy_until_) return false;
        begin(until);
        return true;
    }
    /// As take(), but who takes what is not ready owes a burst at the most, beyond `units`.
    void take_by_right(uint64_t now, uint64_t units) noexcept {
        take(now, units);
        busy_until_ = std::min(busy_until_, now + 2 * burst_ns_ + cost_ns(units));
    }

  private:
    uint64_t ns_per_unit_ = 0;  ///< 32.32 fixed point, rounded up: never above the stated rate
    uint64_t burst_ns_ = 0, busy_until_ = 0;
    uint32_t fraction_ = 0;
};

}  // namespace ravelin::sched
