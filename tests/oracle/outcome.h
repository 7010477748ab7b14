// SPDX-License-Identifier: Apache-2.0
// Outcome: what became of one packet, in words that both sides share.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tests/oracle/frame_facts.h"
#include "tests/support/test_box.h"

namespace ravelin::oracle {

struct Outcome {
    enum class Kind : uint8_t {
        kNothing,    ///< neither forwarded nor answered
        kForwarded,  ///< left, its addresses as they were
        kReset,      ///< answered with a TCP reset
        kIcmp,       ///< answered with an ICMP error
        kPartial,    ///< fragments of it left, but not all
    };
    Kind kind = Kind::kNothing;
    uint8_t icmp_type = 0, icmp_code = 0;  ///< of kIcmp
    uint32_t seq = 0, ack = 0;             ///< of kReset
    uint8_t tcp_flags = 0;                 ///< of kReset
    std::string port = {};                 ///< where kForwarded left
    test::Bytes frame = {};                ///< of kForwarded, all of it

    /// "forwarded", "dropped", "reset", "icmp 3/13", "partial".
    [[nodiscard]] std::string text() const;
    /// Apart from the bytes, which Observation::mangled is about.
    [[nodiscard]] bool same(const Outcome& other) const {
        return kind == other.kind && icmp_type == other.icmp_type && icmp_code == other.icmp_code &&
               seq == other.seq && ack == other.ack && tcp_flags == other.tcp_flags;
    }
};

/// `sent`: what one side sent upon `frame`. What belongs to neither the packet nor an answer to it
/// goes to `stray`; the kernel's own neighbour and group messages are no one's business.
Outcome outcome_of(const test::Bytes& frame, const std::vector<test::Sent>& sent,
                   std::vector<test::Sent>& stray);

/// Whether a side says this by itself, whatever packets come in.
bool own_business(const test::Sent& sent);

}  // namespace ravelin::oracle
