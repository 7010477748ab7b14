// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/outcome.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/oracle/topology.h"

namespace ravelin::oracle {
namespace {

using test::Bytes;
using test::Sent;

constexpr uint8_t kRst = 4;
constexpr size_t kQuoteAt = 8;  // bytes of an ICMP error ahead of what it quotes

// What a host says by itself: listener reports, discovery, redirects; and some seconds after a
// fragment that the rest did not come (RFC 4443 section 3.3).
bool chatter(const FrameFacts& f) {
    const bool timeout = f.icmp() && f.icmp_type == (f.v4() ? 11 : 3) && f.icmp_code == 1;
    return (!f.v4() && f.icmp() && f.icmp_type >= 130) || (timeout && own_network(f.source));
}

bool same_upper(const FrameFacts& a, const Bytes& x, const FrameFacts& b, const Bytes& y) {
    return std::equal(x.begin() + static_cast<long>(a.l4), x.begin() + static_cast<long>(a.end),
                      y.begin() + static_cast<long>(b.l4), y.begin() + static_cast<long>(b.end));
}

bool forwarded(const FrameFacts& in, const Bytes& input, const FrameFacts& out,
               const Bytes& frame) {
    if (in.source != out.source || in.destination != out.destination || in.protocol != out.protocol)
        return false;
    return in.fragment || out.fragment || same_upper(in, input, out, frame);
}

bool is_reset(const FrameFacts& in, const FrameFacts& out) {
    return in.protocol == 6 && out.protocol == 6 && in.source == out.destination &&
           in.destination == out.source && (out.tcp_flags & kRst) != 0 &&
           in.source_port == out.destination_port && in.destination_port == out.source_port;
}

// An error that quotes a packet with the input's addresses.
bool is_error(const FrameFacts& in, const FrameFacts& out, const Bytes& frame) {
    if (!out.icmp() || out.destination != in.source) return false;
    Bytes quoted(frame.begin(), frame.begin() + 14);
    if (out.l4 + kQuoteAt > out.end) return false;
    quoted.insert(quoted.end(), frame.begin() + static_cast<long>(out.l4 + kQuoteAt),
                  frame.begin() + static_cast<long>(out.end));
    const auto facts = read_frame(quoted);
    return facts && facts->source == in.source && facts->destination == in.destination;
}

}  // namespace

bool own_business(const Sent& s) {
    const auto facts = read_frame(s.frame);
    return facts && chatter(*facts);
}

std::string Outcome::text() const {
    switch (kind) {
        case Kind::kForwarded:
            return "forwarded";
        case Kind::kReset:
            return "reset";
        case Kind::kIcmp:
            return fmt::format("icmp {}/{}", icmp_type, icmp_code);
        case Kind::kPartial:
            return "partial";
        case Kind::kNothing:
            break;
    }
    return "dropped";
}

Outcome outcome_of(const Bytes& frame, const std::vector<Sent>& sent, std::vector<Sent>& stray) {
    Outcome result;
    const auto in = read_frame(frame);
    for (const Sent& s : sent) {
        const auto out = read_frame(s.frame);
        if (!out || !in) {
            stray.push_back(s);
        } else if (forwarded(*in, frame, *out, s.frame)) {
            result.kind = Outcome::Kind::kForwarded;
            result.port = s.port;
            result.frame = s.frame;
        } else if (is_reset(*in, *out)) {
            result.kind = Outcome::Kind::kReset;
            result.seq = out->seq;
            result.ack = out->ack;
            result.tcp_flags = out->tcp_flags;
        } else if (is_error(*in, *out, s.frame)) {
            result.kind = Outcome::Kind::kIcmp;
            result.icmp_type = out->icmp_type;
            result.icmp_code = out->icmp_code;
        } else if (!chatter(*out)) {
            stray.push_back(s);
        }
    }
    return result;
}

}  // namespace ravelin::oracle
