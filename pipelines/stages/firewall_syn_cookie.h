// SPDX-License-Identifier: Apache-2.0
// SYN cookies (RFC 4987 section 3.6): what a SYN asked for, carried by the initial sequence number
// of the answer, so that nothing is remembered of it.
//
//   31                  8 7  5  4  3    0
//   |  24 bits of SipHash | MSS | S | scale + 1, 0: none |     S: SACK permitted
//
// SipHash-2-4 over addresses, ports, zone, the client's initial sequence number and those 8 bits,
// under a key of the minute, which is derived from the box's secret; so all workers have it, and so
// has the next process after a crash. A cookie holds for one to two minutes. A guess meets one of
// the two keys that are valid once in 2^23; the firewall asks for two numbers of the SYN (it may be
// a keep-alive's), so a blind segment passes once in 2^22.
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/flow.h"
#include "dataplane/siphash.h"

namespace ravelin::firewall {

/// What a cookie keeps of a SYN.
struct SynOptions {
    uint16_t segment_size = 0;  ///< the largest that can be kept and is not above the client's
    int8_t window_scale = -1;   ///< -1: none
    bool sack = false;
    bool operator==(const SynOptions&) const = default;
};

class SynCookies {
  public:
    static constexpr uint64_t kMinuteNs = 60'000'000'000;
    enum class Verdict : uint8_t {
        kValid,
        kExpired,  ///< of the minutes before
        kForged,
    };
    struct Cookie {
        uint32_t sequence = 0;   ///< initial number of the answer
        uint32_t timestamp = 0;  ///< its timestamp, if the client sends them
    };

    explicit SynCookies(const std::array<uint64_t, 6>& secret) : secret_(secret) {}

    /// Before the others, with each new reading of the clock.
    void set_time(uint64_t now_ns) noexcept {
        if (const uint64_t minute = now_ns / kMinuteNs; minute != minute_) derive(minute);
    }
    /// For a SYN with number `sequence` from the end of `key` that `swapped` names. A segment size
    /// of 0 is the one that RFC 9293 section 3.7.1 has in its place.
    [[nodiscard]] Cookie make(const FlowKey& key, bool swapped, uint32_t sequence,
                              const SynOptions& wanted) const noexcept;
    /// Whether `cookie` was made for that SYN; if so, what it carries.
    [[nodiscard]] Verdict check(const FlowKey& key, bool swapped, uint32_t sequence,
                                uint32_t cookie, SynOptions& out) const noexcept;

  private:
    static constexpr unsigned kValid = 2, kKept = 6;  // keys, the newest first
    void derive(uint64_t minute) noexcept;
    [[nodiscard]] uint64_t hash(unsigned age, const FlowKey& key, bool swapped, uint32_t sequence,
                                uint8_t data) const noexcept;

    const std::array<uint64_t, 6>& secret_;
    uint64_t minute_ = ~uint64_t{0};
    std::array<SipKey, kKept> keys_{};
};

}  // namespace ravelin::firewall
