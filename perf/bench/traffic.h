// SPDX-License-Identifier: Apache-2.0
// Frames of many conversations between clients behind lan and servers behind wan. What a frame
// holds follows from its conversation's number, its direction and the pass: nothing is remembered
// of any of them, so a million cost the generator no memory that the worker would miss.
#pragma once
#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "dataplane/flow.h"
#include "perf/bench/box.h"

namespace ravelin::perf {

/// Two ends of one packet, and what its transport header says.
struct Headers {
    bool v6 = false;
    uint8_t protocol = 6;
    uint32_t source = 0, destination = 0;  ///< IPv4; of IPv6: last 32 bits
    uint16_t source_port = 0, destination_port = 0;
    uint32_t seq = 0, ack = 0;  ///< TCP
    uint8_t flags = 0;          ///< TCP
    uint16_t fragment = 0;      ///< IPv4: as in the header
    uint16_t id = 0;            ///< IPv4, and ICMP echo
    unsigned payload = 6;       ///< bytes after the transport header
};
/// Writes the frame that comes in by `port`: Ethernet, IP, TCP or UDP or ICMP echo request.
/// IPv4's checksum is right; that of TCP stands for one that parse looks at and does not sum up.
void write_frame(rte_mbuf* frame, const Box& box, PortId port, const Headers& headers);

class Conversations {
  public:
    enum class Kind : uint8_t { kTcp4, kTcp6, kUdp4 };
    /// Conversations [first, first + count).
    Conversations(Kind kind, uint32_t count, uint32_t first = 0)
        : kind_(kind), count_(count), first_(first) {}

    [[nodiscard]] uint32_t count() const { return count_; }
    /// Bytes of payload that keep a TCP frame at 60 bytes, the least Ethernet carries.
    static constexpr unsigned kPayload = 6;

    /// The addresses and ports of a packet of conversation `n`.
    [[nodiscard]] Headers ends(uint32_t n, Direction direction) const;
    /// Step 0, 1, 2 of the TCP handshake, 3 and 4 a close from each side, 5 the last
    /// acknowledgment. UDP: a question, an answer, and nothing new.
    [[nodiscard]] Headers step(uint32_t n, unsigned step) const;
    static Direction direction_of_step(unsigned step) {
        return step % 3 == 1 ? Direction::responder : Direction::originator;
    }
    /// A data packet of an open conversation, in the pass'th round over all of them. Directions
    /// take turns; half the conversations begin with one, half with the other. Where frames may get
    /// lost nothing may follow from one that did: `still` repeats the first bytes for ever.
    [[nodiscard]] Headers data(uint32_t n, uint32_t pass, bool still = false) const;
    static Direction direction_of_pass(uint32_t n, uint32_t pass) {
        return static_cast<Direction>((n + pass) & 1);
    }
    static PortId port_of(Direction direction) {
        return direction == Direction::originator ? kLan : kWan;
    }

  private:
    Kind kind_;
    uint32_t count_, first_;
};

/// Conversations over a box: opens them, and sends data in an order that no prefetcher guesses.
class Replay {
  public:
    static constexpr unsigned kWindow = 512;  ///< frames between two readings of the clock

    Replay(Box& box, Conversations conversations, uint32_t seed = 1);

    /// Opens every conversation; ends the process unless every packet of it passes.
    void open_all();
    /// The next kWindow data packets through the worker, TSC cycles a packet; or, with
    /// `ports_alone`, through the ports without it.
    double window(bool ports_alone = false);
    /// The next data packet, for who sends it himself; the port it comes in by.
    PortId next(rte_mbuf* frame, bool still = false);
    /// Sends step `step` of conversations [first, first + n), n at most kWindow: TSC cycles.
    uint64_t step(uint32_t first, uint32_t n, unsigned step);
    /// Tries to open all; how many did.
    uint32_t try_open();

  private:
    Box& box_;
    Conversations conversations_;
    std::vector<uint32_t> order_;
    uint32_t at_ = 0, pass_ = 0;
};

}  // namespace ravelin::perf
