// SPDX-License-Identifier: Apache-2.0
// What paths of tunnels carry: who may lower it, how long it holds, what outlives a policy.
#include "pipelines/stages/vxlan_mtu.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ravelin {
namespace {

const IpAddress kLocal4 = *IpAddress::parse("192.0.2.1"), kLocal6 = *IpAddress::parse("fd00::1");
const IpAddress kNear = *IpAddress::parse("192.0.2.2"), kFar = *IpAddress::parse("192.0.2.3"),
                kRemote6 = *IpAddress::parse("fd00::2");
constexpr MacAddress kBehindFar{{2, 0, 0, 0, 0, 3}}, kAnywhere{{2, 0, 0, 0, 0, 9}};
constexpr uint64_t kSecond = 1'000'000'000;
const Now kNow = Now::from_ns(kSecond << 33);  // beyond 32 bits of milliseconds

PortPolicy port(const IpAddress& local, std::vector<IpAddress> remotes) {
    PortPolicy out;
    out.vxlan.emplace();
    out.vxlan->local = local;
    out.vxlan->remotes = std::move(remotes);
    return out;
}

class TunnelMtu : public ::testing::Test {
  protected:
    TunnelMtu() : ports_{port(kLocal4, {kFar, kNear}), PortPolicy{}, port(kLocal6, {kRemote6})} {
        ports_[0].vxlan->stations = {{kBehindFar, 0}};
    }
    [[nodiscard]] const VxlanEnd& end() const { return *ports_[0].vxlan; }
    static Now later(uint64_t seconds) { return Now::from_ns(kNow.ns + seconds * kSecond); }

    std::vector<PortPolicy> ports_;
};

TEST_F(TunnelMtu, TheNarrowestOfThoseThatAreSentToCounts) {
    TunnelMtus mtus(ports_, nullptr);
    EXPECT_EQ(mtus.inner(end(), kBehindFar, kNow), TunnelMtus::kUnknown);
    mtus.lower(kLocal4, kNear, 1400, kNow);
    EXPECT_EQ(mtus.inner(end(), kBehindFar, kNow), TunnelMtus::kUnknown) << "goes to the far one";
    EXPECT_EQ(mtus.inner(end(), kAnywhere, kNow), 1350u) << "goes to both";
    mtus.lower(kLocal4, kFar, 1300, kNow);
    EXPECT_EQ(mtus.inner(end(), kBehindFar, kNow), 1250u);
    EXPECT_EQ(mtus.inner(end(), kAnywhere, kNow), 1250u);
    mtus.lower(kLocal6, kRemote6, 1400, kNow);
    EXPECT_EQ(mtus.inner(*ports_[2].vxlan, kAnywhere, kNow), 1330u);
}

TEST_F(TunnelMtu, OnlyLessCountsAndOnlyOfEndsThatAreOurs) {
    TunnelMtus mtus(ports_, nullptr);
    mtus.lower(kLocal4, kNear, 1400, kNow);
    const uint32_t version = mtus.version();
    mtus.lower(kLocal4, kNear, 1401, kNow);
    mtus.lower(kLocal4, kNear, 1400, kNow);
    mtus.lower(kLocal4, kRemote6, 1000, kNow);
    mtus.lower(kNear, kLocal4, 1000, kNow);
    EXPECT_EQ(mtus.inner(end(), kAnywhere, kNow), 1350u);
    EXPECT_EQ(mtus.version(), version) << "nothing was lowered";
    mtus.lower(kLocal4, kNear, 1399, kNow);
    EXPECT_NE(mtus.version(), version);
}

TEST_F(TunnelMtu, ItIsForgottenTenMinutesAfterItWasToldLast) {
    TunnelMtus mtus(ports_, nullptr);
    mtus.lower(kLocal4, kNear, 1400, kNow);
    mtus.lower(kLocal4, kFar, 1300, later(100));
    EXPECT_EQ(mtus.inner(end(), kAnywhere, later(599)), 1250u);
    mtus.lower(kLocal4, kNear, 1400, later(599));
    EXPECT_EQ(mtus.inner(end(), kAnywhere, later(700)), 1350u) << "the far one's time is over";
    EXPECT_EQ(mtus.inner(end(), kAnywhere, later(1198)), 1350u);
    EXPECT_EQ(mtus.inner(end(), kAnywhere, later(1199)), TunnelMtus::kUnknown);
    mtus.lower(kLocal4, kNear, 1450, later(1200));
    EXPECT_EQ(mtus.inner(end(), kAnywhere, later(1200)), 1400u) << "more than was known once";
}

TEST_F(TunnelMtu, ItOutlivesAPolicyWhereTheEndsStay) {
    TunnelMtus before(ports_, nullptr);
    before.lower(kLocal4, kNear, 1400, kNow);
    before.lower(kLocal4, kFar, 1300, kNow);
    ports_.erase(ports_.begin() + 2);
    ports_[0].vxlan->remotes = {kNear};
    ports_[0].vxlan->stations.clear();
    TunnelMtus after(ports_, &before);
    EXPECT_EQ(after.inner(end(), kAnywhere, kNow), 1350u);
    EXPECT_LT(after.memory_bytes(), before.memory_bytes());
    const TunnelMtus none({}, &after);
    EXPECT_EQ(none.inner(end(), kAnywhere, kNow), TunnelMtus::kUnknown);
}

TEST_F(TunnelMtu, WhateverWorkersTellAtOnceTheLeastHolds) {
    for (unsigned round = 0; round < 200; ++round) {
        TunnelMtus mtus(ports_, nullptr);
        std::vector<std::thread> workers;
        for (uint32_t w = 0; w < 3; ++w)
            workers.emplace_back([&, w] {
                for (uint32_t mtu = 1500 - w; mtu > 1400; mtu -= 3)
                    mtus.lower(kLocal4, kNear, mtu, kNow);
            });
        uint32_t last = TunnelMtus::kUnknown;
        for (unsigned looks = 0; looks < 100; ++looks) {
            const uint32_t now = mtus.inner(end(), kAnywhere, kNow);
            EXPECT_LE(now, last);
            last = now;
        }
        for (std::thread& each : workers) each.join();
        EXPECT_EQ(mtus.inner(end(), kAnywhere, kNow), 1351u);
    }
}

}  // namespace
}  // namespace ravelin
