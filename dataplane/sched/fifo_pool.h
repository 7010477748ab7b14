// SPDX-License-Identifier: Apache-2.0
// FifoPool: queues, first come first served, in one pool of nodes that is taken at construction. A
// Node has `uint32_t next`. Who is not entitled to more may hold no more than are free (the dynamic
// threshold of A. Choudhury, E. Hahne, 1998): n greedy ones leave the n+1st as much as each of them
// has.
#pragma once
#include <cstdint>
#include <vector>

namespace ravelin::sched {

struct Fifo {
    static constexpr uint32_t kNone = UINT32_MAX;
    uint32_t head = kNone, tail = kNone, count = 0;
    [[nodiscard]] bool empty() const { return head == kNone; }
};

template <typename Node>
class FifoPool {
  public:
    explicit FifoPool(uint32_t nodes)
        : nodes_(nodes), free_head_(nodes == 0 ? Fifo::kNone : 0), free_(nodes) {
        for (uint32_t i = 0; i + 1 < nodes; ++i) nodes_[i].next = i + 1;
    }
    /// Whether who holds `held` nodes may have one more.
    [[nodiscard]] bool has_room(uint32_t held, bool entitled) const {
        return free_ != 0 && (entitled || held < free_);
    }
    /// A node at the end of `queue`, to be filled but for `next`. Only where one is free.
    Node& push(Fifo& queue) noexcept {
        const uint32_t at = free_head_;
        free_head_ = nodes_[at].next;
        --free_;
        nodes_[at].next = Fifo::kNone;
        (queue.empty() ? queue.head : nodes_[queue.tail].next) = at;
        queue.tail = at;
        ++queue.count;
        return nodes_[at];
    }
    [[nodiscard]] Node& head(const Fifo& queue) noexcept { return nodes_[queue.head]; }
    [[nodiscard]] const Node& head(const Fifo& queue) const noexcept { return nodes_[queue.head]; }
    /// Takes the head out; it is free from here on.
    void pop(Fifo& queue) noexcept {
        Node& node = nodes_[queue.head];
        const uint32_t next = node.next;
        node.next = free_head_;
        free_head_ = queue.head;
        ++free_;
        queue.head = next;
        --queue.count;
        if (queue.empty()) queue.tail = Fifo::kNone;
    }
    [[nodiscard]] size_t memory_bytes() const { return nodes_.size() * sizeof(Node); }
    [[nodiscard]] uint32_t used() const { return static_cast<uint32_t>(nodes_.size()) - free_; }

  private:
    std::vector<Node> nodes_;
    uint32_t free_head_, free_;
};

}  // namespace ravelin::sched
