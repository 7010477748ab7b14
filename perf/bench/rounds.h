// SPDX-License-Identifier: Apache-2.0
// Rounds: what is compared is measured close together, again and again, and a round in which the
// machine changed is left out. The ports alone say whether it did, before and after; what is
// measured never has a say.
#pragma once
#include <functional>
#include <vector>

namespace ravelin::perf {

/// TSC cycles a packet, measured within half a second or so.
struct Round {
    double io_before = 0, io_after = 0;  ///< receive and transmit calls alone
    double testpmd = 0;                  ///< the same by testpmd; 0: it is not installed
    double box = 0, plain = 0;           ///< what is measured, and what it is compared with
    [[nodiscard]] double io() const { return (io_before + io_after) / 2; }
};

/// Of the two readings of io, and of testpmd's against their mean.
inline constexpr double kIoMayChange = 0.05, kTestpmdMayDiffer = 0.1;

/// Whether the ports cost the same throughout, and what they cost testpmd.
bool is_good(const Round& round);

struct Rounds {
    std::vector<Round> kept;  ///< the good ones; all where none was good
    unsigned discarded = 0;   ///< those that were not good
    bool good = false;        ///< whether any was
    [[nodiscard]] unsigned taken() const;
    /// Of those that were kept.
    [[nodiscard]] double median(const std::function<double(const Round&)>& what) const;
};

/// Those of which a round was good; all where none was.
std::vector<Rounds> good_of(std::vector<Rounds> runs);

/// Takes rounds until `wanted` are good, `most` at most.
Rounds take_rounds(unsigned wanted, unsigned most, const std::function<Round()>& take);

}  // namespace ravelin::perf
