// SPDX-License-Identifier: Apache-2.0
// Raw: a YAML document as written, with positions, before any schema. The only file pair that
// meets yaml-cpp. Aliases share nodes; their expansion is bounded, so the walk over it is too.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/result.h"

namespace ravelin::config {

constexpr size_t kMaxDocumentBytes = size_t{64} << 20;
constexpr uint64_t kMaxNodes = 4'000'000;                    ///< after alias expansion
constexpr uint64_t kMaxExpandedBytes = uint64_t{256} << 20;  ///< scalar bytes after expansion
constexpr unsigned kMaxDepth = 64;

struct Raw {
    enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
    Kind kind = Kind::kNull;
    unsigned height = 1;            ///< levels below and including this one
    uint32_t line = 1, column = 1;  ///< first is 1; columns count bytes
    uint64_t nodes = 1, bytes = 0;  ///< of the whole subtree, aliases expanded
    std::string text;               ///< of a scalar
    std::vector<const Raw*> items;  ///< of a list; of a map key, value, key, value, ...

    [[nodiscard]] bool is_null() const { return kind == Kind::kNull; }
    [[nodiscard]] bool is_scalar() const { return kind == Kind::kScalar; }
    [[nodiscard]] bool is_list() const { return kind == Kind::kList; }
    [[nodiscard]] bool is_map() const { return kind == Kind::kMap; }
    [[nodiscard]] size_t member_count() const { return items.size() / 2; }
    [[nodiscard]] const Raw& key(size_t i) const { return *items[2 * i]; }
    [[nodiscard]] const Raw& member(size_t i) const { return *items[2 * i + 1]; }
    /// "'text'", "a list", "a map" or "nothing": for "found ...".
    [[nodiscard]] std::string describe() const;
};

/// Owns the nodes. An empty document has a null root.
struct RawDocument {
    std::deque<Raw> nodes;  // stable addresses
    const Raw* root = nullptr;
};

/// Errors carry file:line:column. Map keys are always scalars. Keys may still repeat.
Result<RawDocument> parse_raw(std::string_view yaml, const std::string& file_name);

}  // namespace ravelin::config
