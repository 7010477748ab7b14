// SPDX-License-Identifier: Apache-2.0
// NeighbourTable: (port, IP address) -> MAC for the whole box. Worker 0 writes, every worker and
// the control thread read without locks. Fixed size; one cache line an entry, 1.1 MB by default.
//
// A reader takes MAC and state from one 64-bit word, so a MAC is never torn. The key is guarded by
// a version (odd while it changes): who meets a slot in reuse sees a miss, never a stranger's MAC.
#pragma once
#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/limits.h"
#include "dataplane/verdict.h"
#include "dataplane/version.h"

namespace ravelin {

/// RFC 4861 section 7.3.2; the same for ARP. kDelay and kProbing still carry a usable MAC.
enum class NeighbourState : uint8_t {
    kNone,
    kIncomplete,
    kReachable,
    kStale,
    kDelay,
    kProbing,
    kFailed,
    kPermanent,
};

/// One entry as a reader saw it.
struct NeighbourView {
    PortId port = kNoPort;
    IpAddress address;
    MacAddress mac;
    NeighbourState state = NeighbourState::kNone;
    uint32_t changed_ms = 0;  ///< Now::ms of the last change of state
};

class NeighbourTable {
  public:
    static constexpr uint32_t kCapacity = 16384;  ///< a few fully used /20 networks
    static constexpr uint32_t kNoSlot = 0xffffffff;
    static constexpr unsigned kHeldFrames = 512;      ///< in all; a sixteenth of the default pool
    static constexpr unsigned kHeldPerNeighbour = 8;  ///< RFC 4861 section 7.2.2: a small queue

    explicit NeighbourTable(uint32_t capacity = kCapacity);
    NeighbourTable(const NeighbourTable&) = delete;
    NeighbourTable& operator=(const NeighbourTable&) = delete;
    ~NeighbourTable();

    // Any thread.

    /// The MAC to send to into `mac`, which stays as it is where there is none. Using a stale entry
    /// asks worker 0 to verify it. For the path: a returned optional would be put together in
    /// memory byte by byte and read back whole.
    [[nodiscard]] bool lookup(PortId port, const IpAddress& address,
                              MacAddress& mac) const noexcept;
    /// The same off the path.
    [[nodiscard]] std::optional<MacAddress> lookup(PortId port,
                                                   const IpAddress& address) const noexcept;
    [[nodiscard]] std::optional<NeighbourView> view(PortId port,
                                                    const IpAddress& address) const noexcept;
    /// All entries; for the control thread, allocates.
    [[nodiscard]] std::vector<NeighbourView> list() const;
    [[nodiscard]] uint32_t capacity() const { return capacity_; }
    [[nodiscard]] size_t memory_bytes() const;
    /// Entries given up because the table was full; and inserts refused as nothing was stale.
    [[nodiscard]] uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }
    [[nodiscard]] uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

    /// Another number once lookup() or link_down() may say something else, or an entry has become
    /// stale, whose use another lookup() has to tell.
    [[nodiscard]] uint32_t version() const noexcept {
        return version_.read() + links_version_.read();
    }

    /// Whether the port is known to have no link: nobody on it can be reached.
    [[nodiscard]] bool link_down(PortId port) const noexcept {
        return port < 64 && (links_down_.load(std::memory_order_relaxed) >> port & 1) != 0;
    }
    /// Control thread only: bit p stands for port p.
    void set_links_down(uint64_t ports) noexcept {
        if (links_down_.load(std::memory_order_relaxed) == ports) return;
        links_down_.store(ports, std::memory_order_relaxed);
        links_version_.raise();
    }

    // Worker 0 only.

    [[nodiscard]] uint32_t find(PortId port, const IpAddress& address) const noexcept {
        uint64_t word = 0;
        return search(port, address, word, capacity_);
    }
    /// A new entry; the key must not be there. In a full table the oldest stale one of the next
    /// 128 slots gives way; kNoSlot if none is stale.
    uint32_t insert(PortId port, const IpAddress& address, const MacAddress& mac,
                    NeighbourState state, uint32_t now_ms) noexcept;
    void set(uint32_t slot, const MacAddress& mac, NeighbourState state, uint32_t now_ms) noexcept;
    void set(uint32_t slot, NeighbourState state, uint32_t now_ms) noexcept;
    /// Frees frames still held for it.
    void erase(uint32_t slot) noexcept;
    [[nodiscard]] NeighbourView at(uint32_t slot) const noexcept;

    /// A packet was sent to the stale entry since it became stale.
    [[nodiscard]] bool used(uint32_t slot) const noexcept;
    /// Slots with a timer running: incomplete, delay, probing, failed. set() and erase() reorder
    /// it.
    [[nodiscard]] std::span<const uint32_t> active() const { return active_; }
    struct Timer {
        uint32_t due_ms = 0;
        uint8_t tries = 0;
    };
    Timer& timer(uint32_t slot) noexcept;

    /// Keeps a frame until the address is resolved; false when too many wait (then not taken).
    bool hold(uint32_t slot, rte_mbuf* frame) noexcept;
    /// The oldest held frame of this entry, or null. The caller owns it.
    rte_mbuf* release(uint32_t slot) noexcept;

  private:
    struct Entry;
    struct Held {
        rte_mbuf* frame;
        uint16_t next;
    };
    static constexpr uint16_t kNoHeld = 0xffff;
    [[nodiscard]] std::atomic<uint32_t>& head(PortId port, const IpAddress& address) const noexcept;
    [[nodiscard]] uint32_t search(PortId port, const IpAddress& address, uint64_t& word,
                                  unsigned longest) const noexcept;
    uint32_t free_slot() noexcept;
    /// Behind every change of an entry.
    void track(uint32_t slot, NeighbourState state) noexcept;

    uint32_t capacity_, mask_ = 0, fresh_ = 0, hand_ = 0;
    std::unique_ptr<std::atomic<uint32_t>[]> heads_;
    std::unique_ptr<Entry[]> entries_;
    std::vector<uint32_t> free_, active_;  // reserved whole at boot
    std::array<Held, kHeldFrames> held_;
    uint16_t free_held_ = 0;
    std::atomic<uint64_t> evicted_{0}, refused_{0};
    alignas(64) Version version_;                      // worker 0's
    alignas(64) std::atomic<uint64_t> links_down_{0};  // the control thread's
    Version links_version_;
};
static_assert(limits::kMaxPorts <= 64, "one bit a port");

}  // namespace ravelin
