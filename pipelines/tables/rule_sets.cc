// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/rule_sets.h"

#include <utility>

namespace ravelin {
namespace {

uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

template <typename T>
size_t bytes_of(const std::vector<T>& v) {
    return v.capacity() * sizeof(T);
}

}  // namespace

size_t RuleSets::memory_bytes() const {
    return bytes_of(chunks) + bytes_of(bitmaps) + bytes_of(first) + bytes_of(listed);
}

size_t RuleSetsBuilder::Hash::operator()(const RuleChunk& chunk) const {
    uint64_t hash = 0;
    for (uint64_t word : chunk.words) hash = mix(hash, word);
    return hash;
}

size_t RuleSetsBuilder::Hash::operator()(const std::vector<uint32_t>& list) const {
    uint64_t hash = list.size();
    for (uint32_t id : list) hash = mix(hash, id);
    return hash;
}

RuleSetsBuilder::RuleSetsBuilder(size_t rules)
    : rules_(rules), row_chunks_((rules + kChunkRules - 1) / kChunkRules) {
    sets_.blocks = (row_chunks_ + 63) / 64;
    intern_chunk(RuleChunk{});
    Row row(row_chunks_, 0);
    intern(row, RuleDefaults{row, {}, false});
}

uint32_t RuleSetsBuilder::intern_chunk(const RuleChunk& chunk) {
    const auto [at, is_new] =
        chunk_index_.try_emplace(chunk, static_cast<uint32_t>(sets_.chunks.size()));
    if (is_new) sets_.chunks.push_back(chunk);
    return at->second;
}

RuleDefaults RuleSetsBuilder::defaults(const std::vector<bool>& wild) {
    std::vector<uint32_t> rules;
    for (size_t rule = 0; rule < rules_; ++rule)
        if (wild[rule]) rules.push_back(static_cast<uint32_t>(rule));
    RuleDefaults out{Row(row_chunks_, 0), std::vector<uint64_t>(sets_.blocks),
                     rules.size() == rules_};
    change(out.chunks, rules, Change::kAdd);
    for (size_t c = 0; c < row_chunks_; ++c)
        if (out.chunks[c] != 0) out.nonzero[c / 64] |= uint64_t{1} << (c % 64);
    return out;
}

void RuleSetsBuilder::change(Row& row, std::span<const uint32_t> rules, Change how) {
    for (size_t i = 0; i < rules.size();) {
        const size_t at = rules[i] / kChunkRules;
        RuleChunk chunk = sets_.chunks[row[at]];
        for (; i < rules.size() && rules[i] / kChunkRules == at; ++i) {
            uint64_t& word = chunk.words[rules[i] % kChunkRules / 64];
            const uint64_t bit = uint64_t{1} << (rules[i] % 64);
            word = how == Change::kAdd ? word | bit : word ^ bit;
        }
        row[at] = intern_chunk(chunk);
    }
}

uint32_t RuleSetsBuilder::intern(const Row& row, const RuleDefaults& defaults) {
    // The hash key is the bitmap, split in halves, followed by the list.
    scratch_.assign(sets_.blocks * 2, 0);
    for (size_t c = 0; c < row.size(); ++c) {
        if (row[c] == defaults.chunks[c]) continue;
        scratch_[c / 32] |= 1u << (c % 32);
        scratch_.push_back(row[c]);
    }
    const auto id = static_cast<uint32_t>(sets_.first.size());
    const auto [at, is_new] = set_index_.try_emplace(scratch_, id);
    if (!is_new) return at->second;
    sets_.first.push_back(static_cast<uint32_t>(sets_.listed.size()));
    for (size_t b = 0; b < sets_.blocks; ++b)
        sets_.bitmaps.push_back(scratch_[2 * b] | uint64_t{scratch_[2 * b + 1]} << 32);
    sets_.listed.insert(sets_.listed.end(),
                        scratch_.begin() + static_cast<std::ptrdiff_t>(sets_.blocks * 2),
                        scratch_.end());
    return id;
}

RuleSets RuleSetsBuilder::take() && {
    sets_.chunks.shrink_to_fit();
    sets_.bitmaps.shrink_to_fit();
    sets_.first.shrink_to_fit();
    sets_.listed.shrink_to_fit();
    return std::move(sets_);
}

}  // namespace ravelin
