// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/contest.h"

#include <rte_malloc.h>

#include <algorithm>
#include <cstring>

#include "dataplane/paced_link.h"
#include "perf/bench/traffic.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr unsigned kHeaders = 14 + 20 + 8;  // Ethernet, IPv4, UDP
constexpr unsigned kMarkBytes = 32;

Headers headers_of(const Sender& sender) {
    return {.protocol = 17,
            .source = sender.address,
            .destination = 0xc0000209,  // 192.0.2.9
            .source_port = 1,
            .destination_port = 9,
            .payload = sender.bytes - kHeaders};
}

rte_mempool* make_buffers() {
    constexpr unsigned kBuffers = 16'383, kCached = 256;
    rte_mempool* const pool =
        rte_pktmbuf_pool_create("contest", kBuffers, kCached, sizeof(PacketMeta) + kMarkBytes,
                                RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (pool == nullptr) give_up("no memory for the frames of a contest");
    // Memory is there when it is first written, which would take its time in the contest.
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool*, void*, void* object, unsigned) {
            auto* const frame = static_cast<rte_mbuf*>(object);
            std::memset(frame->buf_addr, 0, frame->buf_len);
        },
        nullptr);
    return pool;
}

/// Outlives every box, which may still hold frames of it.
rte_mempool* buffers() {
    static rte_mempool* const pool = make_buffers();
    return pool;
}

}  // namespace

Contest::Contest(Box& box, const std::vector<Sender>& senders, Clock clock, uint64_t wan,
                 bool virtual_time, Stamp stamp)
    : box_(box),
      clock_(clock),
      pool_(buffers()),
      wan_(wan),
      virtual_time_(virtual_time),
      stamp_(stamp) {
    static_assert(sizeof(Mark) == kMarkBytes);
    const uint64_t now = clock().ns;
    for (const Sender& sender : senders) {
        Host& host = hosts_.emplace_back(Host{.as = sender});
        host.next_ns = now;
        if (!sender.at_once)
            host.next_ns += sender.period_ns * hosts_.size() / (senders.size() + 1);
        rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
        write_frame(frame, box, sender.in, headers_of(sender));
        std::memcpy(host.head.data(), rte_pktmbuf_mtod(frame, void*), kHeaders);
        rte_pktmbuf_free(frame);
    }
    for (const PortId port : {kLan, kWan}) {
        in_[port] = rte_eth_add_rx_callback(box.device(port), 0, taken, this);
        out_[port] = rte_eth_add_tx_callback(box.device(port), 0, leaves, this);
    }
}

Contest::~Contest() {
    for (const PortId port : {kLan, kWan}) {
        rte_eth_remove_rx_callback(box_.device(port), 0, in_[port]);
        rte_eth_remove_tx_callback(box_.device(port), 0, out_[port]);
        rte_free(const_cast<rte_eth_rxtx_callback*>(in_[port]));
        rte_free(const_cast<rte_eth_rxtx_callback*>(out_[port]));
    }
}

uint16_t Contest::taken(uint16_t, uint16_t, rte_mbuf** frames, uint16_t n, uint16_t, void* self) {
    const auto& own = *static_cast<Contest*>(self);
    if (own.stamp_ != nullptr) own.stamp_();
    if (n == 0) return 0;
    const uint64_t now = own.clock_().ns;
    for (uint16_t i = 0; i < n; ++i) mark_of(frames[i]).taken_ns = now;
    return n;
}

uint16_t Contest::leaves(uint16_t, uint16_t, rte_mbuf** frames, uint16_t n, void* self) {
    const auto& own = *static_cast<Contest*>(self);
    if (own.stamp_ != nullptr) own.stamp_();
    const uint64_t now = own.clock_().ns;
    for (uint16_t i = 0; i < n; ++i)
        if (frames[i]->pool == own.pool_) mark_of(frames[i]).left_ns = now;
    return n;
}

size_t Contest::first() const {
    return static_cast<size_t>(std::ranges::min_element(hosts_, {}, &Host::next_ns) -
                               hosts_.begin());
}

// In order: where much is due at once a port's ring may not hold it all, and it is not for whoever
// is listed first.
unsigned Contest::send(uint64_t now_ns) {
    if (now_ns < soonest_ns_) return 0;
    unsigned n = 0;
    size_t i = first();
    for (; hosts_[i].next_ns <= now_ns; i = first()) {
        for (unsigned k = 0; k < hosts_[i].as.together; ++k, ++n) send_one(i, now_ns);
        hosts_[i].next_ns += hosts_[i].as.period_ns;
    }
    soonest_ns_ = hosts_[i].next_ns;
    for (const PortId port : {kLan, kWan}) put_in(port);
    return n;
}

// What comes at once is there at once: else the worker would begin with the first of it.
void Contest::put_in(PortId port) {
    Together& together = together_[port];
    const unsigned sent = box_.send(port, together.frames.data(), together.count);
    // A frame that finds its port full is sent all the same, and lost there.
    rte_pktmbuf_free_bulk(together.frames.data() + sent, together.count - sent);
    together.count = 0;
}

void Contest::send_one(size_t sender, uint64_t now_ns) {
    Host& host = hosts_[sender];
    rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
    if (frame == nullptr) {
        ++without_buffer_;
        return;
    }
    std::memcpy(rte_pktmbuf_append(frame, host.as.bytes), host.head.data(), kHeaders);
    if (rehearses_) return rte_pktmbuf_free(frame);
    Mark& mark = mark_of(frame);
    mark.sent_ns = virtual_time_ ? std::min(now_ns, host.next_ns) : clock_().ns;
    mark.sender = static_cast<uint32_t>(sender);
    mark.number = host.sent++;
    ++host.fate.sent;
    Together& together = together_[host.as.in];
    together.frames[together.count++] = frame;
    if (together.count == together.frames.size()) put_in(host.as.in);
}

void Contest::put_off(uint64_t ns) {
    for (Host& host : hosts_) host.next_ns += ns;
    soonest_ns_ += ns;
}

bool Contest::promises_out() const {
    return std::ranges::all_of(hosts_, [](const Host& host) {
        return host.as.deadline_ns == 0 || host.expected == host.sent;
    });
}

unsigned Contest::collect() {
    unsigned total = 0;
    for (const PortId port : {kLan, kWan}) {
        rte_mbuf* frames[64];
        while (const unsigned n = box_.receive(port, frames, 64)) {
            for (unsigned i = 0; i < n; ++i) {
                if (frames[i]->pool != pool_) continue;
                const Mark& mark = mark_of(frames[i]);
                uint64_t out = mark.left_ns;
                if (port == kWan && wan_ != 0) {
                    const uint64_t bits = kEthernet.on_wire(rte_pktmbuf_pkt_len(frames[i])) * 8;
                    wan_free_ns_ = std::max(wan_free_ns_, out) + bits * kSecond / wan_;
                    out = wan_free_ns_;
                }
                judge(mark, out);
            }
            rte_pktmbuf_free_bulk(frames, n);
            total += n;
        }
    }
    return total;
}

void Contest::judge(const Mark& mark, uint64_t out_ns) {
    Host& host = hosts_[mark.sender];
    if (mark.number != host.expected) lose(host, mark.number, mark.sent_ns);
    host.expected = mark.number + 1;
    host.last_sent_ns = mark.sent_ns;
    ++host.fate.arrived;
    if (host.as.deadline_ns == 0) {
        const uint64_t took = mark.left_ns - mark.sent_ns;
        if (!host.as.watched || took <= kSlowNs) return host.fate.latency_ns.record(took);
        slow_.push_back({mark.sender, false, mark.sent_ns, mark.sent_ns + kSlowNs, mark.left_ns});
        return;
    }
    const uint64_t from = std::max(mark.taken_ns, host.released_ns + host.as.reserved_ns);
    host.released_ns = from;
    host.fate.longest_ns = std::max(host.fate.longest_ns, out_ns - std::min(from, out_ns));
    if (out_ns <= from + host.as.deadline_ns) return;
    ++host.fate.late;
    misses_.push_back({.sender = mark.sender,
                       .from_ns = mark.taken_ns,
                       .due_ns = from + host.as.deadline_ns,
                       .until_ns = out_ns});
}

// All numbers up to `until`.
void Contest::lose(Host& host, uint32_t until, uint64_t until_ns) {
    const uint32_t n = until - host.expected;
    host.fate.lost += n;
    if (host.as.deadline_ns == 0) return;
    const auto sender = static_cast<uint32_t>(&host - hosts_.data());
    for (uint32_t i = 0; i < n; ++i)
        misses_.push_back({sender, true, host.last_sent_ns, until_ns, until_ns});
}

void Contest::end() {
    for (Host& host : hosts_) {
        lose(host, host.sent, clock_().ns);
        host.expected = host.sent;
    }
}

}  // namespace ravelin::perf
