// SPDX-License-Identifier: Apache-2.0
// A wire whose far port has a rate, with a clock turned by hand.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/paced_link.h"
#include "tests/support/frame_at.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {

inline constexpr uint64_t kUs = 1'000, kMs = 1'000'000;
inline constexpr unsigned kOverhead = 24, kHeads = 14 + 20 + 8;

/// A wire from lan to wan, which has `rate`; principals a and b by the addresses 10.0.0.x and
/// 10.0.1.x.
inline std::string wire(const std::string& rate = "rate: 8Mbit",
                        const std::string& principals =
                            "{name: a, prefixes: 10.0.0.0/24, weight: 3}, "
                            "{name: b, prefixes: 10.0.1.0/24}") {
    return fmt::format(
        "mode: wire\nprincipals: [{}]\nports:\n"
        "- {{name: lan, device: 'null'}}\n- {{name: wan, device: 'null'{}{}}}\n"
        "pipeline: [parse, wire, classify]\n",
        principals, rate.empty() ? "" : ", ", rate);
}

class PacedLinkTest : public testing::Test {
  protected:
    explicit PacedLinkTest() { EXPECT_EQ(in_use(), 0u); }
    ~PacedLinkTest() override {
        box_.reset();
        EXPECT_EQ(in_use(), 0u) << "a buffer leaked";
    }
    static unsigned in_use() { return rte_mempool_in_use_count(test_eal()); }
    void start(const std::string& yaml) {
        box_ = std::make_unique<StageFixture>(yaml);
        now_ = 1'000'000'000'000;
        at(0);
        (void)box_->sent();
    }
    /// Sets the clock to so long after the start, as a turn does; what leaves then.
    std::vector<Sent> at(uint64_t ns) {
        box_->context().now = Now::from_ns(now_ + ns);
        box_->context().transmitter->flush(box_->context());
        return box_->sent();
    }
    [[nodiscard]] Bytes frame(const std::string& text) const {
        return frame_at(box_->policy(), "in=lan " + text);
    }
    /// A packet of `bytes` of frame, told from others by its number.
    [[nodiscard]] Bytes numbered(const std::string& from, unsigned number, unsigned bytes,
                                 const std::string& more = "") const {
        return frame(fmt::format("udp {}:{} > 192.0.2.7:53 len={} {}", from, 1000 + number,
                                 bytes - kHeads, more));
    }
    static unsigned number_of(const Bytes& frame) { return frame[34] * 256u + frame[35] - 1000; }
    static unsigned host_of(const Bytes& frame) { return frame[28]; }
    /// One after the other: what may leave at once makes room for the next.
    void send(const std::string& from, unsigned first, unsigned count, unsigned bytes) {
        for (unsigned i = first; i < first + count; ++i)
            box_->receive("lan", {numbered(from, i, bytes)});
    }
    [[nodiscard]] const PacedLink& link() const { return *box_->policy().paced->link(1); }

    std::unique_ptr<StageFixture> box_;
    uint64_t now_ = 0;
};

}  // namespace ravelin::test
