// SPDX-License-Identifier: Apache-2.0
// BoxTest: the base of tests in C++ that run on whatever box the program is linked with. A limit
// holds for each worker, so such a test gives every worker what fills it; OwnedPorts aims.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/flow.h"
#include "dataplane/flow_table.h"
#include "tests/support/frame_at.h"
#include "tests/support/test_box.h"

namespace ravelin::test {

/// A flow to aim with, by its source port, in either direction; and the worker that owns it.
inline std::string question(uint16_t port) {
    return "udp 10.0.0.1:" + std::to_string(port) + " > 192.0.2.7:53";
}
inline std::string answer(uint16_t port) {
    return "udp 192.0.2.7:53 > 10.0.0.1:" + std::to_string(port);
}
inline WorkerId owner_of_question(uint16_t port, WorkerId workers) {
    bool ignored = false;
    const auto key = FlowKey::make(IpAddress::v4(0x0a000001), IpAddress::v4(0xc0000207), port, 53,
                                   17, 0, ignored);
    return static_cast<WorkerId>(key.hash() % workers);
}

class BoxTest : public ::testing::Test {
  protected:
    /// Of question(), worker by worker.
    using OwnedPorts = std::vector<std::vector<uint16_t>>;

    /// What the box announces by itself is not looked at.
    void start(const std::string& yaml) {
        box_.reset();  // only one may live
        box_ = backend().make(yaml, true);
        box_->settle();
        (void)box_->sent();
    }
    [[nodiscard]] Bytes frame(const std::string& text) const {
        return frame_at(box_->policy(), text);
    }
    void in(const std::string& port, const std::string& text) {
        box_->receive(port, {frame("in=" + port + " " + text)});
    }
    /// Arrive in bursts; returns what left.
    std::vector<Sent> in(const std::string& port, const std::vector<std::string>& texts) {
        constexpr size_t kTogether = 256;
        std::vector<Sent> out;
        std::vector<Bytes> burst;
        for (const std::string& text : texts) {
            burst.push_back(frame("in=" + port + " " + text));
            if (burst.size() < kTogether && &text != &texts.back()) continue;
            box_->receive(port, std::exchange(burst, {}));
            for (Sent& sent : box_->sent()) out.push_back(std::move(sent));
        }
        return out;
    }

    /// `n` ports for each worker, none below `first`.
    [[nodiscard]] OwnedPorts owned(size_t n, uint16_t first) const {
        OwnedPorts out(workers());
        size_t missing = n * workers();
        for (uint32_t port = first; missing != 0 && port <= 0xffff; ++port) {
            const auto it = static_cast<uint16_t>(port);
            auto& mine = out[owner_of_question(it, workers())];
            if (mine.size() == n) continue;
            mine.push_back(it);
            --missing;
        }
        EXPECT_EQ(missing, 0u);
        return out;
    }
    template <typename Text>
    static std::vector<std::string> each(const OwnedPorts& ports, Text&& text) {
        std::vector<std::string> out;
        for (const auto& worker : ports)
            for (const uint16_t port : worker) out.push_back(text(port));
        return out;
    }
    std::vector<Sent> ask(const OwnedPorts& ports) { return in("lan", each(ports, question)); }
    std::vector<Sent> reply(const OwnedPorts& ports) { return in("wan", each(ports, answer)); }

    [[nodiscard]] WorkerId workers() const { return box_->workers(); }
    /// `n` of everything on each worker.
    [[nodiscard]] std::vector<uint64_t> on_each(uint64_t n) const {
        return std::vector<uint64_t>(workers(), n);
    }
    /// All flows, worker by worker.
    [[nodiscard]] std::vector<Flow> flows() const {
        std::vector<Flow> out;
        box_->on_workers([&](WorkerContext& context, Pipeline&) {
            uint32_t cursor = 0;
            context.flows->for_each(cursor, 1u << 20, [&](Flow& f) { out.push_back(f); });
        });
        return out;
    }
    /// No worker's buffer is in use, and none of the test's.
    void expect_no_buffer_in_use() const {
        box_->on_workers([](WorkerContext& context, Pipeline&) {
            EXPECT_EQ(rte_mempool_in_use_count(context.pool), 0u) << "worker " << context.worker;
        });
        EXPECT_EQ(rte_mempool_in_use_count(test_eal()), 0u);
    }

    std::unique_ptr<TestBox> box_;
};

}  // namespace ravelin::test
