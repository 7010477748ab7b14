// SPDX-License-Identifier: Apache-2.0
// Natural numbers of any size, for the decisions that 128 bits leave open (shares.h).
#pragma once
#include <compare>
#include <vector>

#include "controlplane/admission/quantities.h"

namespace ravelin::admission {

class Natural {
  public:
    Natural() = default;
    explicit Natural(Wide value);
    friend Natural operator+(const Natural& a, const Natural& b);
    friend Natural operator*(const Natural& a, const Natural& b);
    friend std::strong_ordering operator<=>(const Natural& a, const Natural& b);
    friend bool operator==(const Natural& a, const Natural& b) = default;

  private:
    void trim();
    std::vector<uint64_t> limbs_;  // least first, no zero at the end
};

/// numerator / denominator, never reduced.
struct Ratio {
    Natural numerator, denominator = Natural(1);
    friend Ratio operator+(const Ratio& a, const Ratio& b);
    friend std::strong_ordering operator<=>(const Ratio& a, const Ratio& b);
};

}  // namespace ravelin::admission
