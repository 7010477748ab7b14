// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/box.h"

#include <algorithm>

namespace ravelin::import {

void Numbers::add(Wide low, Wide high) {
    std::vector<Range> out;
    for (const Range& r : ranges_) {
        const bool apart = (r.high < low && low - r.high > 1) || (high < r.low && r.low - high > 1);
        if (apart) {
            out.push_back(r);
            continue;
        }
        low = std::min(low, r.low);
        high = std::max(high, r.high);
    }
    out.push_back({low, high});
    std::ranges::sort(out, {}, &Range::low);
    ranges_ = std::move(out);
}

bool Numbers::holds(Wide value) const {
    return std::ranges::any_of(
        ranges_, [value](const Range& r) { return r.low <= value && value <= r.high; });
}

Numbers Numbers::common(const Numbers& other) const {
    Numbers out;
    for (const Range& a : ranges_)
        for (const Range& b : other.ranges_)
            if (a.low <= b.high && b.low <= a.high)
                out.ranges_.push_back({std::max(a.low, b.low), std::min(a.high, b.high)});
    return out;
}

Numbers Numbers::without(const Numbers& other) const {
    Numbers out;
    for (Range left : ranges_) {
        bool gone = false;
        for (const Range& b : other.ranges_) {
            if (b.high < left.low || b.low > left.high) continue;
            if (b.low > left.low) out.ranges_.push_back({left.low, b.low - 1});
            if (b.high >= left.high) {
                gone = true;
                break;
            }
            left.low = b.high + 1;
        }
        if (!gone) out.ranges_.push_back(left);
    }
    return out;
}

bool Box::empty() const {
    return std::ranges::any_of(in, [](const Numbers& n) { return n.empty(); });
}

Box Box::common(const Box& other) const {
    Box out;
    for (size_t d = 0; d < kDimensions; ++d) out.in[d] = in[d].common(other.in[d]);
    return out;
}

Region common(const Region& region, const Box& box) {
    Region out;
    for (const Box& part : region)
        if (Box both = part.common(box); !both.empty()) out.push_back(std::move(both));
    return out;
}

bool take_away(Region& region, const Box& box, size_t most) {
    Region out;
    for (const Box& part : region) {
        if (part.common(box).empty()) {
            out.push_back(part);
            continue;
        }
        // What differs first in dimension d is within `box` in all dimensions before it.
        Box left = part;
        for (size_t d = 0; d < kDimensions; ++d) {
            Box outside = left;
            outside.in[d] = left.in[d].without(box.in[d]);
            left.in[d] = left.in[d].common(box.in[d]);
            if (!outside.empty()) out.push_back(std::move(outside));
        }
        if (out.size() > most) return false;
    }
    region = std::move(out);
    return true;
}

}  // namespace ravelin::import
