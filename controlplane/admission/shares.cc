// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/shares.h"

#include <algorithm>
#include <vector>

#include "controlplane/admission/natural.h"

namespace ravelin::admission {
namespace {

struct Share {
    Wide floor;  // units/s, 2^-64ths
    bool rounded;
};

Share share_of(Work work, Nanoseconds time) {
    const Wide units = Wide{work} * kSecond;
    const auto divisor = static_cast<Wide>(time);
    const Wide rest = (units % divisor) << 64;
    return {((units / divisor) << 64) + rest / divisor, rest % divisor != 0};
}

/// The terms' sum, by halves: few long products instead of many.
Ratio sum_of(const std::vector<Ratio>& terms, size_t from, size_t to) {
    if (from == to) return {};
    if (to - from == 1) return terms[from];
    const size_t middle = from + (to - from) / 2;
    return sum_of(terms, from, middle) + sum_of(terms, middle, to);
}

}  // namespace

Nanoseconds time_for(Wide work, Wide rate, Nanoseconds most) {
    const Nanoseconds too_long = most + 1;
    if (rate == 0) return too_long;
    const Wide units = work * kSecond;
    Wide quotient = units / rate;
    Wide rest = units % rate;
    for (int bit = 0; bit < 64; ++bit) {  // units << 64 needs more than 128 bits
        rest <<= 1;
        quotient <<= 1;
        if (rest >= rate) {
            rest -= rate;
            ++quotient;
        }
        if (quotient > static_cast<Wide>(most)) return too_long;
    }
    return static_cast<Nanoseconds>(quotient) + (rest != 0 ? 1 : 0);
}

void Shares::add(Work work, Nanoseconds time) {
    const Share share = share_of(work, time);
    sum_ += share.floor;
    rounded_ += share.rounded ? 1 : 0;
    ++size_;
    work_[time] += work;
}

void Shares::remove(Work work, Nanoseconds time) {
    const Share share = share_of(work, time);
    sum_ -= share.floor;
    rounded_ -= share.rounded ? 1 : 0;
    --size_;
    const auto entry = work_.find(time);
    if ((entry->second -= work) == 0) work_.erase(entry);
}

bool Shares::fits(Work capacity, Work work, Nanoseconds time) const {
    if (Wide{work} * kSecond / static_cast<Wide>(time) > capacity) return false;  // and < 2^64
    const Share share = share_of(work, time);
    const Wide most = Wide{capacity} << 64;
    const Wide least = sum_ + share.floor;  // the true sum is this or less than `error` above
    const Wide error = rounded_ + (share.rounded ? 1 : 0);
    if (least + error <= most) return true;
    if (least > most || error == 0) return false;
    return fits_exactly(capacity, work, time);
}

bool Shares::fits_exactly(Work capacity, Work work, Nanoseconds time) const {
    std::vector<Ratio> terms;
    terms.reserve(work_.size() + 1);
    for (const auto& [each, sum] : work_)
        terms.push_back({Natural(sum * kSecond), Natural(static_cast<Wide>(each))});
    terms.push_back({Natural(Wide{work} * kSecond), Natural(static_cast<Wide>(time))});
    return sum_of(terms, 0, terms.size()) <= Ratio{Natural(capacity)};
}

Nanoseconds Shares::least_time(Work capacity, Work work, Nanoseconds longest) const {
    const Wide most = Wide{capacity} << 64;
    if (sum_ >= most) return longest + 1;
    Nanoseconds low = std::max<Nanoseconds>(1, time_for(work, most - sum_, longest));
    if (low > longest || fits(capacity, work, low)) return low;
    // The residual is known to `rounded_` 2^-64ths only: the least time lies between its two ends.
    Nanoseconds high =
        sum_ + rounded_ < most ? time_for(work, most - sum_ - rounded_, longest) + 1 : longest;
    high = std::min(high, longest);
    if (!fits(capacity, work, high)) return longest + 1;
    while (high - low > 1) {
        const Nanoseconds middle = low + (high - low) / 2;
        (fits(capacity, work, middle) ? high : low) = middle;
    }
    return high;
}

}  // namespace ravelin::admission
