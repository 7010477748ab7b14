// SPDX-License-Identifier: Apache-2.0
#include "perf/replay/port.h"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "perf/replay/buffers.h"
#include "perf/replay/frame.h"
#include "perf/replay/outer.h"
#include "perf/replay/verify.h"

// Of DPDK's ABI 23, internal: a device begins with its receive and its transmit function, and the
// start of the device copies both to where rte_eth_rx_burst() and rte_eth_tx_burst() find them.
struct rte_eth_dev {
    eth_rx_burst_t receive;
    eth_tx_burst_t transmit;
};
// And of net_null: its queues begin with their device and the pool they were set up with.
struct NullQueue {
    const void* device;
    rte_mempool* pool;
};
extern "C" rte_eth_dev* rte_eth_dev_allocated(const char* name);

namespace ravelin::perf {
namespace {

// What one queue of both ports plays and sees. One thread's.
struct Player {
    Buffers buffers;
    ReplayPosition at;
    TapeHead* head = nullptr;
    const Descriptor* flows = nullptr;  // of this queue
    TapeHead::Seen* seen = nullptr;
    uint32_t count = 0;
    uint64_t window_end = 0, window_began = 0;  // packets, TSC
    int32_t until_check = kCheckEvery;
    uint64_t rearm[2] = {};    // of lan, wan: what every fresh buffer begins with
    Template templates[2][2];  // side, TCP or UDP
    std::vector<Outer> outer;  // of each flow, where the tape's are translated
    unsigned waited = 0;       // calls in a row in which the next one's was not known
};

std::unique_ptr<Player> players[TapeHead::kQueues];
uint16_t devices[2];
unsigned queue_count = 1;

const Template& template_of(const Player& p, uint8_t side, uint8_t protocol) {
    return p.templates[side][protocol == net::kTcp ? 0 : 1];
}

// Queues are few and their pointers public: no state of the driver beneath need be known.
Player& player_of(uint8_t side, const void* queue, bool receiving) {
    if (queue_count == 1) [[likely]]
        return *players[0];
    const struct rte_eth_fp_ops& ops = rte_eth_fp_ops[devices[side]];
    void* const* queues = receiving ? ops.rxq.data : ops.txq.data;
    unsigned q = 0;
    while (q + 1 < queue_count && queues[q] != queue) ++q;
    return *players[q];
}

template <bool V6, bool Tagged>
void write_buffer(const Player& p, rte_mbuf* frame, const Moment& at) {
    const Descriptor& flow = p.flows[at.index];
    std::memcpy(&frame->rearm_data, &p.rearm[at.side], sizeof p.rearm[0]);
    frame->ol_flags = 0;
    const uint32_t size = write_frame_as<V6, Tagged>(
        p.buffers.data_of(frame), *p.head, template_of(p, at.side, flow.protocol), flow, at);
    if (!V6 && at.side != 0 && !p.outer.empty())
        write_outer(p.buffers.data_of(frame), {V6, Tagged}, p.outer[at.index], at.side);
    frame->packet_type = 0;
    frame->pkt_len = size;
    frame->data_len = static_cast<uint16_t>(size);
}

template <bool V6, bool Tagged>
unsigned play_one_way(Player& p, uint8_t side, rte_mbuf** out, unsigned n) {
    if (side != 0) return 0;
    n = p.buffers.take(out, n);
    for (unsigned i = 0; i < n; ++i) {
        write_buffer<V6, Tagged>(p, out[i], {p.at.cursor[0], p.at.turn[0], 0});
        if (++p.at.cursor[0] == p.count) {
            p.at.cursor[0] = 0;
            ++p.at.turn[0];
        }
    }
    return n;
}

// A side that has finished its lap waits for the other, or it would answer what was not said.
template <bool V6, bool Tagged>
unsigned play_both_ways(Player& p, uint8_t side, rte_mbuf** out, unsigned n) {
    uint32_t& turn = p.at.turn[side];
    if (static_cast<int32_t>(turn - p.at.turn[side ^ 1]) > 0) return 0;
    uint32_t& cursor = p.at.cursor[side];
    const uint32_t first = 2 * cursor + ((turn + side) & 1);
    const uint32_t left = first < p.count ? (p.count - first + 1) / 2 : 0;
    n = p.buffers.take(out, std::min(n, left));
    for (unsigned i = 0; i < n; ++i)
        write_buffer<V6, Tagged>(p, out[i], {first + 2 * i, turn, side});
    cursor += n;
    if (n == left) {
        cursor = 0;
        ++turn;
    }
    return n;
}

// Of `n` flows from `first` on, those before the first whose opening has not left yet. All of them
// once it has been waited for long enough: it was lost.
unsigned known_outers(Player& p, uint32_t first, unsigned n) {
    constexpr unsigned kMostCalls = 1 << 16;
    unsigned known = 0;
    while (known < n && p.outer[first + known].address.raw() != 0) ++known;
    p.waited = known == 0 ? p.waited + 1 : 0;
    return p.waited < kMostCalls ? known : n;
}

template <bool V6, bool Tagged>
unsigned play_steps(Player& p, uint8_t side, rte_mbuf** out, unsigned n) {
    ReplayPosition& at = p.at;
    if (side_of_step(at.step) != side || (p.head->laps != 0 && at.lap == p.head->laps)) return 0;
    const uint32_t begin = at.block * p.head->block;
    const uint32_t end = std::min(begin + p.head->block, p.count);
    n = std::min(n, end - begin - at.cursor[0]);
    if (side != 0 && !p.outer.empty()) n = known_outers(p, begin + at.cursor[0], n);
    n = p.buffers.take(out, n);
    for (unsigned i = 0; i < n; ++i)
        write_buffer<V6, Tagged>(p, out[i],
                                 {begin + at.cursor[0] + i, at.lap * kLife + at.step, side});
    at.cursor[0] += n;
    if (begin + at.cursor[0] != end) return n;
    at.cursor[0] = 0;
    if (++at.step != p.head->step_to) return n;
    at.step = p.head->step_from;
    ++at.block;
    if (end != p.count) return n;
    at.block = 0;
    ++at.lap;
    return n;
}

[[gnu::noinline]] void close_window(Player& p) {
    const uint64_t now = rte_rdtsc();
    TapeHead::Seen& seen = *p.seen;
    // The first only starts the clock: whoever polls may have begun long before.
    if (p.window_began != 0) {
        const uint64_t packets = p.head->window + (seen.received - p.window_end);
        const uint64_t spent = now - p.window_began;
        if (seen.windows < TapeHead::kWindows)
            seen.cycles[seen.windows] =
                static_cast<uint32_t>(std::min<uint64_t>(UINT32_MAX, spent * 256 / packets));
        __atomic_store_n(&seen.windows, seen.windows + 1, __ATOMIC_RELEASE);
    }
    p.window_began = now;
    p.window_end = seen.received + p.head->window;
}

// At the first call, since queues get their pool when they are set up.
[[gnu::noinline]] void take_buffers(Player& p, const void* queue) {
    struct Known {
        const rte_mempool* pool;
        bool found;
    } known{static_cast<const NullQueue*>(queue)->pool, false};
    rte_mempool_walk(
        [](rte_mempool* pool, void* which) {
            auto* k = static_cast<Known*>(which);
            k->found |= pool == k->pool;
        },
        &known);
    if (!known.found)
        rte_exit(EXIT_FAILURE, "replay: this DPDK's net_null is another than was known\n");
    if (!p.buffers.fill(static_cast<const NullQueue*>(queue)->pool,
                        std::min(p.head->buffers, Buffers::kRoom / 2)))
        rte_exit(EXIT_FAILURE, "replay: the receive queue's pool has too few buffers\n");
}

template <bool V6, bool Tagged>
unsigned play(Player& p, uint8_t side, rte_mbuf** out, unsigned n) {
    switch (p.head->program) {
        case Program::kOneWay:
            return play_one_way<V6, Tagged>(p, side, out, n);
        case Program::kBothWays:
            return play_both_ways<V6, Tagged>(p, side, out, n);
        case Program::kSteps:
            return play_steps<V6, Tagged>(p, side, out, n);
    }
    return 0;
}

template <uint8_t Side>
uint16_t receive(void* queue, rte_mbuf** out, uint16_t n) {
    Player& p = player_of(Side, queue, true);
    if (!p.buffers.filled()) [[unlikely]]
        take_buffers(p, queue);
    const uint32_t most = std::min<uint32_t>(n, p.head->burst);
    const unsigned got = with_layout(p.head->layout, [&]<bool V6, bool Tagged>() {
        return play<V6, Tagged>(p, Side, out, most);
    });
    p.seen->received += got;
    if (p.seen->received >= p.window_end) [[unlikely]]
        close_window(p);
    return static_cast<uint16_t>(got);
}

// The frame says which packet it is; the laps that its 16 bits do not say are the latest.
Moment moment_of(const Player& p, uint8_t out_side, const uint8_t* mark) {
    Moment at;
    uint16_t low;
    std::memcpy(&at.index, mark, 4);
    std::memcpy(&low, mark + 4, 2);
    at.side = p.head->program == Program::kOneWay ? 0 : out_side ^ 1;
    const uint32_t now =
        p.head->program == Program::kSteps ? p.at.lap * kLife + kLife - 1 : p.at.turn[at.side];
    at.turn = (now & ~0xffffu) | low;
    if (at.turn > now) at.turn -= 0x10000;
    return at;
}

[[gnu::noinline]] void check(Player& p, uint8_t out_side, const rte_mbuf* frame) {
    p.until_check = kCheckEvery;
    if (p.head->check == Check::kNone) return;
    TapeHead::Seen& seen = *p.seen;
    ++seen.checked;
    const auto* found = rte_pktmbuf_mtod(frame, const uint8_t*);
    uint8_t expected[kHeaderRoom] = {};
    const Offsets k = Offsets::of(p.head->layout);
    const Moment at = moment_of(p, out_side, found + k.mark(found[k.protocol]));
    if (at.index < p.count) {
        const Descriptor& flow = p.flows[at.index];
        const Template& common = template_of(p, at.side, flow.protocol);
        const Outer outer = p.outer.empty() ? Outer{} : p.outer[at.index];
        if (is_as_expected(*p.head, common, flow, outer, at, out_side, {found, frame->data_len},
                           expected))
            return;
    }
    if (seen.wrong++ != 0) return;
    seen.wrong_length = frame->data_len;
    std::memcpy(seen.expected.data(), expected, kHeaderRoom);
    std::memcpy(seen.found.data(), found, std::min<size_t>(frame->data_len, kHeaderRoom));
}

// What a box that translates has made of sources. Its own frames, ARP and the like, are nobody's.
void learn_outer(Player& p, rte_mbuf* const* frames, unsigned n) {
    const Layout layout = p.head->layout;
    const Offsets k = Offsets::of(layout);
    for (unsigned i = 0; i < n; ++i) {
        const auto* frame = rte_pktmbuf_mtod(frames[i], const uint8_t*);
        uint32_t index;
        std::memcpy(&index, frame + k.mark(frame[k.protocol]), sizeof index);
        if (index < p.count &&
            std::memcmp(frame + k.destination, &p.flows[index].destination, sizeof(be32)) == 0)
            p.outer[index] = outer_of(frame, layout);
    }
}

template <uint8_t Side>
uint16_t transmit(void* queue, rte_mbuf** frames, uint16_t n) {
    Player& p = player_of(Side, queue, false);
    p.until_check -= n;
    if (n != 0 && p.until_check <= 0) [[unlikely]]
        check(p, Side, frames[0]);
    if (Side == 1 && !p.outer.empty() && p.head->check != Check::kSame) learn_outer(p, frames, n);
    for (unsigned i = 0; i < n; ++i) p.buffers.give(frames[i]);
    p.seen->sent += n;
    return n;
}

void connect(Player& p, const Tape& tape, unsigned queue) {
    TapeHead& head = tape.head();
    p.head = &head;
    p.seen = &head.seen[queue];
    p.flows = tape.flows().data() + head.first[queue];
    p.count = head.first[queue + 1] - head.first[queue];
    p.outer.assign(head.translated ? p.count : 0, {});
    for (const uint8_t side : {uint8_t{0}, uint8_t{1}}) {
        rte_mbuf fresh{};
        fresh.data_off = RTE_PKTMBUF_HEADROOM;
        fresh.refcnt = 1;
        fresh.nb_segs = 1;
        fresh.port = devices[side];
        std::memcpy(&p.rearm[side], &fresh.rearm_data, sizeof p.rearm[side]);
        p.templates[side][0] = Template::make(head, side, net::kTcp);
        p.templates[side][1] = Template::make(head, side, net::kUdp);
    }
}

uint16_t make_device(const char* name, eth_rx_burst_t rx, eth_tx_burst_t tx) {
    uint16_t device = 0;
    if (rte_vdev_init(name, "") != 0 || rte_eth_dev_get_port_by_name(name, &device) != 0)
        rte_exit(EXIT_FAILURE, "replay: DPDK's net_null cannot be had\n");
    rte_eth_dev* dev = rte_eth_dev_allocated(name);
    dev->receive = rx;
    dev->transmit = tx;
    return device;
}

}  // namespace

void make_replay_ports(const Tape& tape) {
    queue_count = tape.head().queues;
    devices[0] = make_device(kReplayNames[0], receive<0>, transmit<0>);
    devices[1] = make_device(kReplayNames[1], receive<1>, transmit<1>);
    for (unsigned q = 0; q < queue_count; ++q) players[q] = std::make_unique<Player>();
    load_replay(tape);
}

uint16_t replay_device(unsigned port) { return devices[port]; }

void remove_replay_ports() {
    for (const char* name : kReplayNames) rte_vdev_uninit(name);
}

void load_replay(const Tape& tape) {
    for (unsigned q = 0; q < queue_count; ++q) connect(*players[q], tape, q);
    rewind_replay();
}

void rewind_replay() {
    for (unsigned q = 0; q < queue_count; ++q) {
        players[q]->at = {};
        players[q]->at.step = players[q]->head->step_from;
    }
    forget_replay();
}

void forget_replay() {
    for (unsigned q = 0; q < queue_count; ++q) {
        Player& p = *players[q];
        p.seen->received = p.seen->sent = p.seen->checked = p.seen->wrong = 0;
        p.seen->windows = 0;
        p.window_began = p.window_end = 0;
    }
}

ReplayPosition replay_position(unsigned queue) { return players[queue]->at; }
void return_to(const ReplayPosition& position, unsigned queue) { players[queue]->at = position; }

}  // namespace ravelin::perf
