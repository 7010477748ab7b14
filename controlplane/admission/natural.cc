// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/natural.h"

#include <algorithm>

namespace ravelin::admission {

Natural::Natural(Wide value) : limbs_{static_cast<uint64_t>(value), uint64_t(value >> 64)} {
    trim();
}

void Natural::trim() {
    while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
}

Natural operator+(const Natural& a, const Natural& b) {
    const Natural& longer = a.limbs_.size() < b.limbs_.size() ? b : a;
    const Natural& shorter = &longer == &a ? b : a;
    Natural sum;
    sum.limbs_.reserve(longer.limbs_.size() + 1);
    Wide carry = 0;
    for (size_t i = 0; i < longer.limbs_.size(); ++i) {
        carry += longer.limbs_[i];
        if (i < shorter.limbs_.size()) carry += shorter.limbs_[i];
        sum.limbs_.push_back(static_cast<uint64_t>(carry));
        carry >>= 64;
    }
    sum.limbs_.push_back(static_cast<uint64_t>(carry));
    sum.trim();
    return sum;
}

Natural operator*(const Natural& a, const Natural& b) {
    Natural product;
    product.limbs_.resize(a.limbs_.size() + b.limbs_.size());
    for (size_t i = 0; i < a.limbs_.size(); ++i) {
        Wide carry = 0;
        for (size_t j = 0; j < b.limbs_.size(); ++j) {
            carry += Wide{a.limbs_[i]} * b.limbs_[j] + product.limbs_[i + j];
            product.limbs_[i + j] = static_cast<uint64_t>(carry);
            carry >>= 64;
        }
        product.limbs_[i + b.limbs_.size()] = static_cast<uint64_t>(carry);
    }
    product.trim();
    return product;
}

std::strong_ordering operator<=>(const Natural& a, const Natural& b) {
    if (a.limbs_.size() != b.limbs_.size()) return a.limbs_.size() <=> b.limbs_.size();
    return std::lexicographical_compare_three_way(a.limbs_.rbegin(), a.limbs_.rend(),
                                                  b.limbs_.rbegin(), b.limbs_.rend());
}

Ratio operator+(const Ratio& a, const Ratio& b) {
    if (a.denominator == b.denominator) return {a.numerator + b.numerator, a.denominator};
    return {a.numerator * b.denominator + b.numerator * a.denominator,
            a.denominator * b.denominator};
}

std::strong_ordering operator<=>(const Ratio& a, const Ratio& b) {
    return a.numerator * b.denominator <=> b.numerator * a.denominator;
}

}  // namespace ravelin::admission
