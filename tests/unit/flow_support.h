// SPDX-License-Identifier: Apache-2.0
// Memory and keys for the tests of the flow table.
#pragma once
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "dataplane/flow_table.h"

namespace ravelin::test {

struct FreeMemory {
    void operator()(void* p) const { std::free(p); }
};
using Memory = std::unique_ptr<void, FreeMemory>;
inline Memory memory_for(uint32_t capacity) {
    return Memory(std::aligned_alloc(64, FlowTable::bytes_for(capacity)));
}

inline constexpr uint64_t kBootTag = 77;

/// A distinct key for every n.
inline FlowKey key_of(uint32_t n, uint8_t protocol = 17) {
    bool swapped;
    return FlowKey::make(IpAddress::v4(0x0a000000 + n), IpAddress::v4(0xc0a80001),
                         static_cast<uint16_t>(n * 7), 53, protocol, 0, swapped);
}

struct TableOf {
    explicit TableOf(uint32_t capacity, uint32_t now_ms = 0)
        : memory(memory_for(capacity)),
          table(std::move(*FlowTable::create(memory.get(), FlowTable::bytes_for(capacity), capacity,
                                             kBootTag, now_ms))) {}
    Flow* insert(uint32_t n, uint32_t now_ms = 0) {
        const FlowKey key = key_of(n);
        return table.insert(key, key.hash(), now_ms);
    }
    [[nodiscard]] Flow* find(uint32_t n) const {
        const FlowKey key = key_of(n);
        return table.find(key, key.hash());
    }
    Memory memory;
    FlowTable table;
};

}  // namespace ravelin::test
