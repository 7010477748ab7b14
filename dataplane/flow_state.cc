// SPDX-License-Identifier: Apache-2.0
// Protocols without a connection, and timeouts.
#include "dataplane/tcp_tracker.h"

namespace ravelin {

void datagram_track(Flow& flow, Direction direction) noexcept {
    const bool original = direction == Direction::originator;
    if (flow.state == FlowState::none) flow.state = FlowState::request;
    if (flow.state == FlowState::request && !original)
        flow.state = FlowState::replied;
    else if (flow.state == FlowState::replied && original)
        flow.state = FlowState::stream;
}

uint32_t Timeouts::of_other(const Flow& flow) const noexcept {
    switch (flow.state) {
        case FlowState::tcp_syn_sent:
            return tcp_syn_sent;
        case FlowState::tcp_syn_received:
            return tcp_syn_received;
        case FlowState::tcp_established:
            return tcp_established;
        case FlowState::tcp_fin_wait:
            return tcp_fin_wait;
        case FlowState::tcp_close_wait:
            return tcp_close_wait;
        case FlowState::tcp_last_ack:
            return tcp_last_ack;
        case FlowState::tcp_time_wait:
            return tcp_time_wait;
        case FlowState::tcp_closed:
            return tcp_closed;
        case FlowState::none:
        case FlowState::request:
        case FlowState::replied:
        case FlowState::stream:
            break;
    }
    switch (flow.key.protocol) {
        case 6:
            return tcp_closed;  // no segment accepted yet
        case 17:
            return flow.state == FlowState::stream ? udp_stream : udp;
        case 1:
        case 58:
            return icmp;
        default:
            return other;
    }
}

}  // namespace ravelin
