// SPDX-License-Identifier: Apache-2.0
// LiveSet: a named set whose elements come and go while packets are judged by it. One writer (the
// control thread), readers without locks; what a reader may still look at is used again only after
// a grace period (reclaim()). All memory is taken when the set is made.
//
// Cost of a test: one 8-byte cell of a hash table, and the element where its tag fits; prefixes:
// one such probe for each prefix length the set has. Measured in perf/micro/live_set_bench.cc.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/result.h"

namespace ravelin {

enum class SetType : uint8_t { kPrefixes, kPorts, kEndpoints, kPairs };
/// As `type:` and `ravelin set list` have it. Index = SetType.
inline constexpr std::array<std::string_view, 4> kSetTypes{"prefixes", "ports", "endpoints",
                                                           "address-pairs"};
std::optional<SetType> set_type_of(std::string_view word);

/// One element in canonical form; what is unused is zero.
///   prefix:   first = network address, low = its length in the mapped form (IPv4 /24 is 120)
///   ports:    low to high, in host order
///   endpoint: first = address, low = port
///   pair:     first = source, second = destination
struct SetElement {
    IpAddress first, second;
    uint32_t low = 0, high = 0;
    bool operator==(const SetElement&) const = default;

    /// "192.0.2.0/24", "80", "1000-2000", "192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.1
    /// 198.51.100.2".
    static Result<SetElement> parse(SetType type, std::string_view text);
    [[nodiscard]] std::string to_string(SetType type) const;
    /// Of a set of prefixes.
    [[nodiscard]] Prefix prefix() const {
        return {first, static_cast<uint8_t>(first.is_v4() ? low - 96 : low)};
    }
    /// On the wire and in the journal: kBytes each, whatever the type.
    static constexpr size_t kBytes = 40;
    void append_to(std::string& out) const;
    /// `bytes` has at least kBytes. Nothing for what no such set can hold.
    static std::optional<SetElement> read(SetType type, const char* bytes);
};
static_assert(sizeof(SetElement) == SetElement::kBytes);

/// What a configuration says of a set.
struct SetDecl {
    std::string name;
    SetType type = SetType::kPrefixes;
    uint32_t size = 0;  ///< most elements
    bool operator==(const SetDecl&) const = default;
};

class LiveSet {
  public:
    static constexpr uint32_t kMaxSize = 1u << 22;
    /// Bytes a set of this many elements takes.
    static size_t bytes_for(uint32_t size) noexcept;

    /// Error: no memory.
    static Result<std::unique_ptr<LiveSet>> create(const SetDecl& decl);
    LiveSet(const LiveSet&) = delete;
    LiveSet& operator=(const LiveSet&) = delete;
    ~LiveSet() = default;

    // Readers, any thread.
    [[nodiscard]] bool holds_address(const IpAddress& address) const noexcept;
    [[nodiscard]] bool holds_port(uint16_t port) const noexcept {
        const uint64_t word = ports_[port / 64].load(std::memory_order_acquire);
        return (word >> (port % 64) & 1) != 0;
    }
    [[nodiscard]] bool holds_endpoint(const IpAddress& address, uint16_t port) const noexcept {
        return find({address, {}, port, 0}) != kNone;
    }
    [[nodiscard]] bool holds_pair(const IpAddress& from, const IpAddress& to) const noexcept {
        return find({from, to, 0, 0}) != kNone;
    }
    [[nodiscard]] const SetDecl& decl() const noexcept { return decl_; }

    // The writer. Times are milliseconds of its monotonic clock; 0: never.
    enum class Added : uint8_t {
        kNew,
        kKnown,  ///< was there; has the new deadline now
        kFull,   ///< nothing changed
        kWait    ///< nothing changed; there is room after a grace period and reclaim()
    };
    Added add(const SetElement& element, uint64_t expires_ms) noexcept;
    bool remove(const SetElement& element) noexcept;
    /// False: as kWait.
    bool clear() noexcept;
    /// Removes what expires at `now_ms` or before; how many.
    uint32_t expire(uint64_t now_ms) noexcept;
    /// No reader holds anything from before the last change any more.
    void reclaim() noexcept;
    [[nodiscard]] bool waits_for_grace() const noexcept { return limbo_ != kNone || spare_used_; }
    [[nodiscard]] bool has(const SetElement& element) const noexcept {
        return find(element) != kNone;
    }
    [[nodiscard]] uint32_t size() const noexcept { return size_; }
    [[nodiscard]] size_t memory_bytes() const noexcept { return bytes_for(decl_.size); }
    /// Calls each(element, expires_ms) for all, in no order.
    template <typename Each>
    void for_each(Each each) const {
        for (uint32_t i = 0; i < fresh_; ++i)
            if (entries_[i].used) each(entries_[i].element, entries_[i].expires_ms);
    }

  private:
    static constexpr uint32_t kNone = UINT32_MAX;
    static constexpr uint32_t kWheel = 4096;  // seconds; what is due later waits another round
    struct Entry {
        SetElement element;
        uint64_t expires_ms;
        uint32_t next, previous;  // in the wheel, or `next` in the free list or in limbo
        uint16_t slot;            // of the wheel
        bool used;
    };
    struct Free {
        void operator()(void* memory) const noexcept { std::free(memory); }
    };
    template <typename T>
    using Array = std::unique_ptr<T[], Free>;  // zeroed pages that are taken when first written
    using Cell = std::atomic<uint64_t>;

    explicit LiveSet(SetDecl decl) : decl_(std::move(decl)) {}
    Status allocate();
    static uint32_t cells_for(uint32_t size) noexcept;
    [[nodiscard]] uint32_t find(const SetElement& element) const noexcept;
    [[nodiscard]] uint32_t probe(const SetElement& element, uint64_t hash,
                                 const Cell* cells) const noexcept;
    void place(Cell* cells, uint32_t index) noexcept;
    [[nodiscard]] bool rebuild() noexcept;
    uint32_t take_entry() noexcept;
    void count(const SetElement& element, int by) noexcept;
    void count_length(const SetElement& element, int by) noexcept;
    void arm(uint32_t index) noexcept;
    void disarm(uint32_t index) noexcept;
    uint32_t expire_slot(uint32_t slot, uint64_t now_ms) noexcept;
    void drop_entry(uint32_t index) noexcept;

    SetDecl decl_;
    // Read by workers.
    uint32_t mask_ = 0;
    std::atomic<Cell*> cells_{nullptr};  // tag << 32 | index + 1; 0: empty
    Array<Entry> entries_;
    Array<Cell> ports_;                 // a bit each
    std::atomic<uint64_t> lengths4_{};  // bit l: there are IPv4 prefixes of length l
    std::array<std::atomic<uint64_t>, 3> lengths6_{};
    // The writer's own.
    uint32_t capacity_ = 0, size_ = 0, dead_ = 0, fresh_ = 0;
    std::array<Array<Cell>, 2> tables_;
    unsigned table_ = 0;
    bool spare_used_ = false;  // readers may still be in the other table
    uint32_t free_ = kNone, limbo_ = kNone;
    std::array<uint32_t, 33> count4_{};
    std::array<uint32_t, 129> count6_{};
    std::vector<uint32_t> port_counts_;
    std::array<uint32_t, kWheel> wheel_;
    uint64_t second_ = 0;  // the wheel has turned up to here
};

}  // namespace ravelin
