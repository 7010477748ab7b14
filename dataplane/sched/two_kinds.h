// SPDX-License-Identifier: Apache-2.0
// TwoKinds: what a packet of one kind takes in those of another, where both are looked at in one
// pass that is timed as a whole. Least squares over passes of differing mixtures; while all are
// mixed alike they say nothing of it, and what was known stays.
#pragma once
#include <algorithm>

namespace ravelin::sched {

class TwoKinds {
  public:
    /// `ratio`: until measured.
    explicit TwoKinds(double ratio) : ratio_(ratio) {}

    /// A pass over `a` packets of the one kind and `b` of the other took `cycles`.
    void timed(double a, double b, double cycles) noexcept {
        if (samples_ >= kTrusted) cycles = std::min(cycles, kInterrupted * (a * of_a_ + b * of_b_));
        samples_ = std::min(samples_ + 1, kMemory);
        const double part = 1 / samples_;
        aa_ += (a * a - aa_) * part;
        ab_ += (a * b - ab_) * part;
        bb_ += (b * b - bb_) * part;
        ac_ += (a * cycles - ac_) * part;
        bc_ += (b * cycles - bc_) * part;
        solve();
    }
    /// The part of such a pass that was of the first kind, 0 to 1.
    [[nodiscard]] double part_of_a(double a, double b) const noexcept {
        return a * ratio_ / std::max(a * ratio_ + b, 1e-9);
    }

  private:
    // Mixtures too alike leave the determinant to the noise.
    void solve() noexcept {
        const double both = aa_ * bb_, determinant = both - ab_ * ab_;
        if (determinant <= both * kTooAlike) return;
        const double of_a = (ac_ * bb_ - bc_ * ab_) / determinant,
                     of_b = (bc_ * aa_ - ac_ * ab_) / determinant;
        if (of_a <= 0 || of_b <= 0) return;
        of_a_ = of_a;
        of_b_ = of_b;
        ratio_ = of_a / of_b;
    }

    static constexpr double kMemory = 256, kTrusted = 8;  // samples
    static constexpr double kInterrupted = 4;             // times what it is reckoned to take
    static constexpr double kTooAlike = 0.1;

    double samples_ = 0, aa_ = 0, ab_ = 0, bb_ = 0, ac_ = 0, bc_ = 0;
    double of_a_ = 1e9, of_b_ = 1e9, ratio_;
};

}  // namespace ravelin::sched
