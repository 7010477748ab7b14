// SPDX-License-Identifier: Apache-2.0
// RuleSets: the bit sets of rules behind Classifier, compact at any size.
//
// A set is cut into chunks of 512 rules (one cache line). Equal chunks are stored once. A set lists
// only the chunks that differ from its dimension's default (the rules that do not look at that
// dimension), because an address usually adds a handful of rules to that default.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace ravelin {

inline constexpr size_t kChunkRules = 512;

struct alignas(64) RuleChunk {
    std::array<uint64_t, 8> words{};
    bool operator==(const RuleChunk&) const = default;
};

/// The default of one dimension: what a packet gets where its value adds nothing.
struct RuleDefaults {
    std::vector<uint32_t> chunks;   ///< chunk index per chunk of rules
    std::vector<uint64_t> nonzero;  ///< bit c: chunk c holds a rule
    /// Every rule is in the default: no rule looks at this dimension.
    bool all_rules = false;
};

/// Storage. Set 0 differs from the default nowhere.
struct RuleSets {
    size_t blocks = 0;              ///< words per bitmap: ceil(chunks / 64)
    std::vector<RuleChunk> chunks;  ///< chunk 0 is empty
    std::vector<uint64_t> bitmaps;  ///< per set, `blocks` words: bit c set if chunk c is listed
    std::vector<uint32_t> first;    ///< per set, where its list begins in `listed`
    std::vector<uint32_t> listed;   ///< chunk indices, in order of their bitmap bits
    [[nodiscard]] size_t memory_bytes() const;
};

/// Builds RuleSets; a Row is a set in the making: one chunk index per chunk of rules.
class RuleSetsBuilder {
  public:
    using Row = std::vector<uint32_t>;
    enum class Change : uint8_t { kAdd, kToggle };

    explicit RuleSetsBuilder(size_t rules);
    /// The default holding the rules for which wild[rule] is true.
    RuleDefaults defaults(const std::vector<bool>& wild);
    /// Adds or toggles `rules`, which must be sorted.
    void change(Row& row, std::span<const uint32_t> rules, Change how);
    /// Index of the set equal to `row`; equal sets share one. Cost: one hash of the chunk list.
    uint32_t intern(const Row& row, const RuleDefaults& defaults);
    RuleSets take() &&;

  private:
    uint32_t intern_chunk(const RuleChunk& chunk);
    struct Hash {
        size_t operator()(const RuleChunk& chunk) const;
        size_t operator()(const std::vector<uint32_t>& list) const;
    };

    size_t rules_, row_chunks_;
    RuleSets sets_;
    std::unordered_map<RuleChunk, uint32_t, Hash> chunk_index_;
    std::unordered_map<std::vector<uint32_t>, uint32_t, Hash> set_index_;
    std::vector<uint32_t> scratch_;
};

}  // namespace ravelin
