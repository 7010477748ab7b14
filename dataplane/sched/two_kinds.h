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
        const double likely = solved_ ? a * of_a_ + b * of_b_ : (a + b) * each_;
        // Interrupted, or the first few, which found nothing in the caches.
        if (samples_ >= kTrusted) cycles = std::min(cycles, kInterrupted * likely);
        if (seen_ < kCold && ++seen_ > 1 && 2 * cycles < likely) *this = TwoKinds(ratio_, seen_);
        samples_ = std::min(samples_ + 1, kMemory);
        const double part = 1 / samples_;
        each_ += (cycles / std::max(a + b, 1.0) - each_) * part;
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
    TwoKinds(double ratio, unsigned seen) : seen_(seen), ratio_(ratio) {}
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
        solved_ = true;
    }

    static constexpr double kMemory = 256, kTrusted = 8;  // samples
    static constexpr double kInterrupted = 4;             // times what it is reckoned to take
    static constexpr double kTooAlike = 0.1;
    static constexpr unsigned kCold = 32;

    unsigned seen_ = 0;  // of the first few
    bool solved_ = false;
    double samples_ = 0, each_ = 0, aa_ = 0, ab_ = 0, bb_ = 0, ac_ = 0, bc_ = 0;
    double of_a_ = 0, of_b_ = 0, ratio_;
};

}  // namespace ravelin::sched
