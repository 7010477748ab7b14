// SPDX-License-Identifier: Apache-2.0
// The buffers of a replay port.
#pragma once
#include <rte_mbuf.h>

#include <algorithm>

namespace ravelin::perf {

// Of the pool that the receive queue was set up with. Frames go round here in the order they left,
// as in a NIC's ring; those that were dropped on the way went back to the pool and come from there.
class Buffers {
  public:
    static constexpr uint32_t kRoom = 8192;

    /// `n` of them, at most half of kRoom; false: the pool has not so many.
    bool fill(rte_mempool* pool, uint32_t n) {
        pool_ = pool;
        most_ = n;
        if (!refill(n)) return false;
        const auto* first = slots_[0];
        data_at_ =
            static_cast<uint32_t>(static_cast<const char*>(first->buf_addr) + RTE_PKTMBUF_HEADROOM -
                                  reinterpret_cast<const char*>(first));
        return true;
    }
    [[nodiscard]] bool filled() const { return pool_ != nullptr; }
    /// Up to `n`, fewer where the pool is empty. Their headers are on the way into the cache.
    unsigned take(rte_mbuf** out, unsigned n) {
        if (tail_ - head_ < n && !refill(2 * n)) n = std::min(n, tail_ - head_);
        for (unsigned i = 0; i < n; ++i) out[i] = slots_[head_++ % kRoom];
        const uint32_t next = std::min(n, tail_ - head_);
        for (unsigned i = 0; i < next; ++i) {
            const char* soon = reinterpret_cast<const char*>(slots_[(head_ + i) % kRoom]);
            __builtin_prefetch(soon, 1);
            __builtin_prefetch(soon + data_at_, 1);
        }
        return n;
    }
    void give(rte_mbuf* frame) {
        if (frame->pool != pool_ || rte_mbuf_refcnt_read(frame) != 1 || frame->nb_segs != 1 ||
            tail_ - head_ >= most_) [[unlikely]]
            return rte_pktmbuf_free(frame);
        slots_[tail_++ % kRoom] = frame;
    }
    [[nodiscard]] uint8_t* data_of(rte_mbuf* frame) const {
        return reinterpret_cast<uint8_t*>(frame) + data_at_;
    }

  private:
    // Raw, as drivers take them: the port writes all that a fresh one needs.
    bool refill(uint32_t n) {
        while (n > 0) {
            const uint32_t at = tail_ % kRoom, some = std::min(n, kRoom - at);
            if (rte_mempool_get_bulk(pool_, reinterpret_cast<void**>(&slots_[at]), some) != 0)
                return false;
            tail_ += some;
            n -= some;
        }
        return true;
    }
    rte_mempool* pool_ = nullptr;
    uint32_t head_ = 0, tail_ = 0, most_ = 0, data_at_ = 0;
    rte_mbuf* slots_[kRoom];
};

}  // namespace ravelin::perf
