// SPDX-License-Identifier: Apache-2.0
// SlotMap: which hit counter each rule has. A rule keeps its slot, and with it its counts, for as
// long as its name is known; the slot of a rule that is gone is given away only when no slot is
// left that was never used, the longest gone first.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/counters.h"
#include "dataplane/result.h"

namespace ravelin::control {

/// One rule's counter. Counts shown are those of the slot less the baseline, which holds only for
/// the counter segment it was read from.
struct RuleSlot {
    uint32_t slot = 0;
    uint64_t since_generation = 0;  ///< first generation in which this name had the slot
    RuleCounter baseline{};
    uint64_t baseline_segment = 0;  ///< CounterHeader::started_unix_ms
    uint64_t gone = 0;              ///< 0: in force; else the larger, the later it went
};

/// A rule of a configuration and the slot it is given.
struct SlottedRule {
    std::string name;
    uint32_t slot = 0;
};

class SlotMap {
  public:
    /// What a slot counts at this moment, and in which segment.
    struct Reading {
        RuleCounter counter{};
        uint64_t segment = 0;
    };
    using ReadSlot = std::function<Reading(uint32_t slot)>;

    /// Of to_json()'s text. Error: what is wrong with it.
    static Result<SlotMap> parse(std::string_view json);
    [[nodiscard]] std::string to_json() const;

    /// Slots for these rules, in their order. Changes nothing. Error: more rules than slots.
    [[nodiscard]] Result<std::vector<uint32_t>> propose(std::span<const std::string> names) const;
    /// The same for one rule beside those in force. Error: no slot was never used; propose() for
    /// all.
    [[nodiscard]] Result<uint32_t> propose(const std::string& name) const;
    /// These rules are in force under `generation`, the others are gone. A slot that changed hands
    /// starts from what it counts now.
    void adopt(std::span<const SlottedRule> rules, uint64_t generation, const ReadSlot& read);
    /// One more, or one less, is in force.
    void come(const SlottedRule& rule, uint64_t generation, const ReadSlot& read);
    void go(std::string_view name);
    /// Null: never seen, or its slot was given away.
    [[nodiscard]] const RuleSlot* find(std::string_view name) const;

  private:
    void enter(const SlottedRule& rule, uint64_t generation, const ReadSlot& read);

    std::map<std::string, RuleSlot, std::less<>> rules_;
    uint32_t fresh_ = 0;  // slots from here on were never used
    uint64_t departures_ = 0;
};

/// A slot's count as its rule's, given the rule's entry and the segment it was read from.
RuleCounter since_baseline(RuleCounter counter, uint64_t segment, const RuleSlot& rule);

}  // namespace ravelin::control
