// SPDX-License-Identifier: Apache-2.0
// Traffic of hosts through a TurnedBox: so many packets a second of virtual time, and how long each
// took.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>
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
        hosts_.push_back({.flows = {flow(host, 1)},
                          .period = period_ns,
                          .next = TurnedBox::now_ns(),
                          .together = together});
    }
    /// One packet each `period_ns`, or up to half as long later, of any of so many flows: at
    /// random.
    void add_spread(const std::string& host, uint64_t period_ns, unsigned flows) {
        add(host, period_ns);
        for (unsigned port = 2; port <= flows; ++port)
            hosts_.back().flows.push_back(flow(host, port));
    }
    /// `host` sends nothing for so long.
    void rest(size_t host, uint64_t ns) { hosts_[host].next += ns; }
    /// When it sends next, ns.
    [[nodiscard]] uint64_t next_of(size_t host) const { return hosts_[host].next; }
    /// What was longest so far is not.
    void forget_longest() {
        for (Host& host : hosts_) host.longest = 0;
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
    struct Flow {
        Bytes frame;
        std::deque<uint64_t> arrivals = {};
    };
    struct Host {
        std::vector<Flow> flows;
        uint64_t period, next;
        unsigned together;
        uint64_t sent = 0, left = 0, longest = 0;
    };
    [[nodiscard]] Flow flow(const std::string& host, unsigned port) const {
        return {frame_at(box_.policy(), fmt::format("udp {}:{} > 192.0.2.1:9 len=60", host, port),
                         "lan")};
    }
    /// When it sends next.
    void wait(Host& host) {
        host.next += host.period;
        if (host.flows.size() > 1) host.next += random_() % (host.period / 2);
    }
    unsigned send_due() {
        unsigned n = 0;
        for (Host& host : hosts_)
            for (; host.next <= TurnedBox::now_ns(); wait(host))
                for (unsigned i = 0; i < host.together; ++i, ++n) {
                    Flow& by =
                        host.flows[host.flows.size() > 1 ? random_() % host.flows.size() : 0];
                    if (!box_.send(by.frame)) continue;
                    by.arrivals.push_back(host.next);
                    ++host.sent;
                }
        return n;
    }
    // In order; what was dropped meanwhile makes waits look longer, so hosts whose waits count
    // lose nothing.
    void take() {
        const auto same = [](const uint8_t* one, const uint8_t* other, size_t at, size_t bytes) {
            return std::memcmp(one + at, other + at, bytes) == 0;
        };
        for (const auto& [frame, ns] : box_.receive()) {
            const auto* bytes = rte_pktmbuf_mtod(frame, const uint8_t*);
            for (Host& host : hosts_) {
                if (!same(bytes, host.flows.front().frame.data(), 26, 4)) continue;  // address
                for (Flow& flow : host.flows)
                    if (same(bytes, flow.frame.data(), 34, 2)) left(host, flow, ns);  // port
            }
            rte_pktmbuf_free(frame);
        }
    }
    static void left(Host& host, Flow& flow, uint64_t ns) {
        host.longest = std::max(host.longest, ns - flow.arrivals.front());
        flow.arrivals.pop_front();
        ++host.left;
    }
    TurnedBox& box_;
    uint64_t turn_;
    std::vector<Host> hosts_;
    std::mt19937_64 random_{1};
};

}  // namespace ravelin::test
