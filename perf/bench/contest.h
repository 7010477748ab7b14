// SPDX-License-Identifier: Apache-2.0
// Contest: hosts that send through a Box at rates of their own, and what becomes of every packet:
// lost, late by what its principal has reserved, or in time. Each carries its own times behind its
// mbuf, written by whoever has it: the sender, and callbacks of the ports on the worker.
#pragma once
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <string>
#include <vector>

#include "perf/bench/box.h"
#include "perf/bench/histogram.h"

namespace ravelin::perf {

/// A host, from whose address on follows whose it is.
struct Sender {
    uint32_t address = 0;  ///< IPv4
    PortId in = kLan;
    uint16_t bytes = 60;  ///< of its frames, without check sequence
    uint64_t period_ns = 0;
    unsigned together = 1;  ///< frames at once
    bool at_once = false;   ///< its first comes with the contest, else some time within a period
    bool watched = false;   ///< those that take longer than kSlowNs are kept apart
    // What was promised; 0: nothing.
    uint64_t deadline_ns = 0;  ///< from when the worker takes it until its last bit is out
    uint64_t reserved_ns = 0;  ///< a packet in so long
};

inline constexpr uint64_t kSlowNs = 20'000;

/// A promised packet that came too late or never. It was the box's from `from_ns` to `until_ns`:
/// what had gone by its rate until it was out, of one that is lost from when the one before it was
/// sent until the one behind it.
struct Miss {
    uint32_t sender = 0;
    bool lost = false;
    uint64_t from_ns = 0, due_ns = 0, until_ns = 0;
};

struct Fate {
    uint64_t sent = 0, arrived = 0, lost = 0, late = 0;
    uint64_t longest_ns = 0;  ///< from when it counts until its last bit is out
    /// From wire to port, of those who were promised nothing; of the watched without slow ones.
    Histogram latency_ns = {};
};

class Contest {
  public:
    /// Called on the worker wherever it comes to a port.
    using Stamp = void (*)() noexcept;
    /// `wan`: bit/s of the wire there, 0: any. In virtual time what is due while the worker runs
    /// came then, though it is sent later.
    Contest(Box& box, const std::vector<Sender>& senders, Clock clock, uint64_t wan,
            bool virtual_time, Stamp stamp = nullptr);
    ~Contest();
    Contest(const Contest&) = delete;
    Contest& operator=(const Contest&) = delete;

    /// Sends what is due by now, in its order; how many frames.
    unsigned send(uint64_t now_ns);
    /// Who sends was kept from it for so long: what was due meanwhile does not come at once.
    void put_off(uint64_t ns);
    /// From now on, or no longer, frames are made, and freed where the box would get them: they
    /// are nobody's, and the work is the same.
    void rehearse(bool yes) { rehearses_ = yes; }
    /// Whether all that was promised something, but for what is lost behind it, is out.
    [[nodiscard]] bool promises_out() const;
    /// Takes what has left the box; how many.
    unsigned collect();
    /// What has not come by now is lost.
    void end();

    [[nodiscard]] const Fate& fate(size_t sender) const { return hosts_[sender].fate; }
    [[nodiscard]] const std::vector<Miss>& misses() const { return misses_; }
    /// Of watched senders those that took longer than kSlowNs, which is when they are "due".
    [[nodiscard]] const std::vector<Miss>& slow() const { return slow_; }
    /// Frames that were not sent for want of a buffer: the figure is void.
    [[nodiscard]] uint64_t without_buffer() const { return without_buffer_; }

  private:
    static constexpr unsigned kHead = 64;
    struct Mark {
        uint64_t sent_ns = 0, taken_ns = 0, left_ns = 0;
        uint32_t sender = 0, number = 0;
    };
    struct Host {
        Sender as;
        std::array<uint8_t, kHead> head{};
        uint64_t next_ns = 0, released_ns = 0, last_sent_ns = 0;
        uint32_t sent = 0, expected = 0;  // numbers of the next frames
        Fate fate = {};
    };
    struct Together {
        std::array<rte_mbuf*, 32> frames{};
        unsigned count = 0;
    };
    static Mark& mark_of(rte_mbuf* frame) {
        return *reinterpret_cast<Mark*>(static_cast<char*>(rte_mbuf_to_priv(frame)) +
                                        sizeof(PacketMeta));
    }
    static uint16_t taken(uint16_t, uint16_t, rte_mbuf** frames, uint16_t n, uint16_t, void* self);
    static uint16_t leaves(uint16_t, uint16_t, rte_mbuf** frames, uint16_t n, void* self);
    [[nodiscard]] size_t first() const;
    void put_in(PortId port);
    void send_one(size_t sender, uint64_t now_ns);
    void judge(const Mark& mark, uint64_t out_ns);
    void lose(Host& host, uint32_t until, uint64_t until_ns);

    Box& box_;
    Clock clock_;
    rte_mempool* pool_;
    std::vector<Host> hosts_;
    std::array<Together, 2> together_;
    std::vector<Miss> misses_, slow_;
    std::array<const rte_eth_rxtx_callback*, 2> in_{}, out_{};
    uint64_t wan_, wan_free_ns_ = 0, without_buffer_ = 0;
    uint64_t soonest_ns_ = 0;  // when the next frame is due
    bool virtual_time_, rehearses_ = false;
    Stamp stamp_;
};

}  // namespace ravelin::perf
