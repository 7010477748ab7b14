// SPDX-License-Identifier: Apache-2.0
// Traffic of hosts through a TurnedBox: so many packets a second of virtual time, and how long each
// took.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "tests/support/frame_at.h"
#include "tests/support/turned_box.h"

namespace ravelin::test {

inline constexpr uint64_t kTurn = 300, kEach = 120;  ///< cycles of a turn, of a packet in it

class Load {
  public:
    /// `turn`: cycles of each, beside its packets.
    explicit Load(TurnedBox& box, uint64_t turn = kTurn) : box_(box), turn_(turn) {}
    /// `host` sends every `period_ns`, `together` at once.
    void add(const std::string& host, uint64_t period_ns, unsigned together = 1) {
        const Bytes frame =
            frame_at(box_.policy(), fmt::format("udp {}:1 > 192.0.2.1:9 len=60", host), "lan");
        hosts_.push_back({std::string(frame.begin() + 26, frame.begin() + 30),
                          frame,
                          period_ns,
                          TurnedBox::now_ns(),
                          together,
                          {},
                          0,
                          0});
    }
    struct Seen {
        uint64_t sent = 0, left = 0, longest_ns = 0;
    };
    void run(uint64_t ns) {
        for (const uint64_t end = TurnedBox::now_ns() + ns; TurnedBox::now_ns() < end;) {
            const unsigned n = send_due();
            box_.turn(turn_ + kEach * std::min<unsigned>(n, 64));
            take();
        }
    }
    Seen seen(size_t host) const {
        const Host& h = hosts_[host];
        return {h.sent, h.left, h.longest};
    }

  private:
    struct Host {
        std::string source;
        Bytes frame;
        uint64_t period, next;
        unsigned together;
        std::deque<uint64_t> arrivals;
        uint64_t sent, left, longest = 0;
    };
    unsigned send_due() {
        unsigned n = 0;
        for (Host& host : hosts_)
            for (; host.next <= TurnedBox::now_ns(); host.next += host.period)
                for (unsigned i = 0; i < host.together; ++i, ++n)
                    if (box_.send(host.frame)) {
                        host.arrivals.push_back(host.next);
                        ++host.sent;
                    }
        return n;
    }
    // In order; what was dropped meanwhile makes waits look longer, so hosts whose waits count
    // lose nothing.
    void take() {
        for (const auto& [frame, ns] : box_.receive()) {
            const auto* bytes = rte_pktmbuf_mtod(frame, const char*);
            for (Host& host : hosts_) {
                if (host.source != std::string(bytes + 26, 4)) continue;
                host.longest = std::max(host.longest, ns - host.arrivals.front());
                host.arrivals.pop_front();
                ++host.left;
            }
            rte_pktmbuf_free(frame);
        }
    }
    TurnedBox& box_;
    uint64_t turn_;
    std::vector<Host> hosts_;
};

}  // namespace ravelin::test
