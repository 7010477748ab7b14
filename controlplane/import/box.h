// SPDX-License-Identifier: Apache-2.0
// Sets of packets as boxes: one set of numbers for each dimension a rule matches by. Exact under
// intersection and difference, so chains with negations, RETURN and exceptions lose nothing.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ravelin::import {

__extension__ using Wide = unsigned __int128;  // an IPv6 address

struct Range {
    Wide low = 0, high = 0;
    bool operator==(const Range&) const = default;
};

/// Sorted ranges that neither overlap nor touch.
class Numbers {
  public:
    Numbers() = default;
    Numbers(Wide low, Wide high) : ranges_{{low, high}} {}
    void add(Wide low, Wide high);
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    [[nodiscard]] bool holds(Wide value) const;
    [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
    [[nodiscard]] Numbers common(const Numbers& other) const;
    [[nodiscard]] Numbers without(const Numbers& other) const;
    bool operator==(const Numbers&) const = default;

  private:
    std::vector<Range> ranges_;
};

/// Ports and types come after the protocol: what they restrict has one that has some.
enum Dimension : uint8_t {
    kProtocol,
    kSource,
    kDestination,
    kSourcePort,
    kDestinationPort,
    kIcmpType,
    kIn,   ///< index of an interface
    kOut,  ///< the same; one beyond the last is the box itself
    kState,
    kDimensions
};
enum State : uint8_t { kNew, kEstablished, kRelated, kInvalid, kUntracked };

struct Box {
    std::array<Numbers, kDimensions> in;
    [[nodiscard]] bool empty() const;
    [[nodiscard]] Box common(const Box& other) const;
    bool operator==(const Box&) const = default;
};

/// A union of boxes without common packets.
using Region = std::vector<Box>;
Region common(const Region& region, const Box& box);
/// More than `most` boxes: nothing is taken away, and false.
bool take_away(Region& region, const Box& box, size_t most);

}  // namespace ravelin::import
