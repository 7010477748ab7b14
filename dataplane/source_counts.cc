// SPDX-License-Identifier: Apache-2.0
#include "dataplane/source_counts.h"

#include <sys/mman.h>

#include <algorithm>

#include "dataplane/fold.h"

namespace ravelin {
namespace {

constexpr unsigned kCountBits = 24;
constexpr uint64_t kWordsPerFlow = 3;  // two keys a flow at most: never fuller than two thirds
constexpr uint64_t kLeastLines = 64;

// Two words of the secret that the hash of flows does not multiply in this pairing.
uint64_t hash_of(const IpAddress& a, uint64_t kind) noexcept {
    const auto& k = flow_hash_secret;
    return fold(fold(a.high() ^ k[1], a.low() ^ k[4]) ^ k[2], kind ^ k[5]);
}

}  // namespace

Result<std::unique_ptr<SourceCounts>> SourceCounts::create(uint64_t flows) {
    const uint64_t lines = std::max<uint64_t>(flows * kWordsPerFlow / kLineWords, kLeastLines);
    // Zeroed pages: a word that was never touched is a free one.
    void* memory = mmap(nullptr, lines * sizeof(Line), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return Error{"no memory for the counts of flows by source"};
    return std::unique_ptr<SourceCounts>(new SourceCounts(static_cast<Line*>(memory), lines));
}

SourceCounts::~SourceCounts() { munmap(memory_, lines_ * sizeof(Line)); }

IpAddress SourceCounts::network_of(const IpAddress& source, uint32_t kind) noexcept {
    IpAddress network = source;
    const bool v4 = source.is_v4();
    size_t bytes = v4 ? 16 : 8;
    if (kind == kUnproven) bytes = v4 ? 15 : 7;
    std::fill(network.bytes.begin() + static_cast<std::ptrdiff_t>(bytes), network.bytes.end(),
              uint8_t{0});
    return network;
}

SourceCounts::Place SourceCounts::place_of(const IpAddress& source, uint32_t kind) const noexcept {
    const uint64_t hash = hash_of(network_of(source, kind), kind);
    const uint64_t other = fold(hash, flow_hash_secret[0] | 1);
    const uint64_t first = place_in(hash, lines_);
    uint64_t second = place_in(other, lines_);
    if (second == first) second = first + 1 < lines_ ? first + 1 : 0;
    const uint64_t tag = hash << kCountBits;
    return {{memory_ + first, memory_ + second}, tag != 0 ? tag : uint64_t{1} << kCountBits};
}

uint32_t SourceCounts::sum(const Place& place) noexcept {
    uint64_t total = 0;
    for (const Line* line : place.lines)
        for (const auto& word : line->words) {
            const uint64_t value = word.load(std::memory_order_relaxed);
            if (((value ^ place.tag) & ~kCountMask) == 0) total += value & kCountMask;
        }
    return static_cast<uint32_t>(std::min(total, kCountMask));
}

uint32_t SourceCounts::count(const IpAddress& source, uint32_t kind) const noexcept {
    return sum(place_of(source, kind));
}

// The word that counts the key already, else a free one of the emptier line, else null; `value` is
// what it holds.
std::atomic<uint64_t>* SourceCounts::word_for(const Place& place, uint64_t& value) noexcept {
    std::atomic<uint64_t>* best = nullptr;
    unsigned most = 0;
    for (Line* line : place.lines) {
        std::atomic<uint64_t>* free = nullptr;
        unsigned count = 0;
        for (auto& word : line->words) {
            value = word.load(std::memory_order_relaxed);
            if (((value ^ place.tag) & ~kCountMask) == 0) return &word;
            if (value == 0 && ++count == 1) free = &word;
        }
        if (count > most) best = free;
        most = std::max(most, count);
    }
    value = 0;
    return best;
}

bool SourceCounts::acquire(const IpAddress& source, uint32_t kind, uint32_t limit) noexcept {
    const Place place = place_of(source, kind);
    for (;;) {
        if (sum(place) >= limit) return false;
        uint64_t value = 0;
        std::atomic<uint64_t>* word = word_for(place, value);
        if (word == nullptr) return false;
        const uint64_t next = value == 0 ? place.tag | 1 : value + 1;
        if (!word->compare_exchange_strong(value, next, std::memory_order_relaxed)) continue;
        // Another worker may have counted the same key in another place meanwhile.
        if (sum(place) <= limit) return true;
        release(source, kind);
        return false;
    }
}

void SourceCounts::release(const IpAddress& source, uint32_t kind) noexcept {
    const Place place = place_of(source, kind);
    for (Line* line : place.lines)
        for (auto& word : line->words) {
            uint64_t value = word.load(std::memory_order_relaxed);
            while (((value ^ place.tag) & ~kCountMask) == 0 && (value & kCountMask) != 0) {
                const uint64_t next = (value & kCountMask) == 1 ? 0 : value - 1;
                if (word.compare_exchange_weak(value, next, std::memory_order_relaxed)) return;
            }
        }
}

}  // namespace ravelin
