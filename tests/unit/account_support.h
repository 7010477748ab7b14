// SPDX-License-Identifier: Apache-2.0
// A clock of the test's own, and turns whose packets take known times by it.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>

#include "dataplane/account.h"
#include "dataplane/stage.h"

namespace ravelin::test {

using sched::PrincipalId;
using sched::Use;

inline constexpr PrincipalId kTalker{2}, kOther{3}, kDenied{4}, kFresh{5};
inline constexpr uint32_t kFrame = 60, kL3 = kFrame - 14;
inline constexpr unsigned kSteps = 4, kDropsAt = 2;

inline uint64_t now = 0;
inline uint64_t read_clock() noexcept { return now += 20; }  // reading takes time as well

/// What places take: once a turn or burst, and each packet.
struct Cost {
    double fixed, each;
};
inline constexpr Cost kReceiving{40, 11}, kSending{90, 14}, kQueueing{12, 4};
inline constexpr double kHit = 80, kMiss = 26, kPass = 40, kRest = 55;
inline constexpr std::array<Cost, kSteps> kStepCosts{{{60, 22}, {30, 48}, {80, 260}, {20, 31}}};

class Turns {
  public:
    using Charges = std::map<PrincipalId, double>;
    /// `several`: half of the shortcut's packets are another's. `shed` beside all these.
    void run(unsigned hits, unsigned denied, unsigned fresh, bool several = false,
             unsigned shed = 0, double shedding = 0) {
        const unsigned misses = denied + fresh + shed, all = hits + misses;
        spend({kRest, 0}, {{sched::kCorePrincipal, 1}});
        account.lap(Account::kTurn, 0);
        const Packets talk = several ? Packets{{kTalker, hits - hits / 2}, {kOther, hits / 2}}
                                     : Packets{{kTalker, hits}};
        Packets received = together(talk, denied, fresh);
        received[sched::kCorePrincipal] = shed;
        spend(kReceiving, received);
        account.lap(Account::kReceive, all);
        pass_by(talk, hits, misses,
                {{sched::kCorePrincipal, shed}, {kDenied, denied}, {kFresh, fresh}});
        if (shed != 0) {
            now += static_cast<uint64_t>(shed * shedding);
            account.shed(shed);
        }
        if (denied + fresh != 0) through_stages(denied, fresh);
        account.lap(Account::kTurn, 0);
        Packets sent = talk;
        sent[kFresh] = fresh;
        spend(kSending, sent);
        account.close(true);
    }
    void idle(uint64_t cycles) {
        now += cycles;
        account.close(false);
    }
    /// Packets that do not take the pipeline.
    void leave(Account::Kind kind, Leaving& leaving) {
        account.leave_by(kind, leaving, false, context_);
    }
    [[nodiscard]] double charged(PrincipalId id) const {
        return static_cast<double>(account.usage().get(id, Use::kCycles));
    }
    /// The largest error of what a principal has of all that packets took.
    [[nodiscard]] double worst(const Charges& before = {}) const {
        double sum = 0, cycles = 0, out = 0;
        const auto since = [&](PrincipalId id) {
            return charged(id) - (before.contains(id) ? before.at(id) : 0);
        };
        for (const auto& [id, took] : truth) {
            if (id == sched::kCorePrincipal) continue;
            sum += since(id);
            cycles += took;
        }
        for (const auto& [id, took] : truth)
            if (id != sched::kCorePrincipal)
                out = std::max(out, std::abs(since(id) / sum / (took / cycles) - 1));
        return out;
    }
    [[nodiscard]] Charges charges() const {
        Charges out;
        for (const auto& each : truth) out[each.first] = charged(each.first);
        return out;
    }

    Account account{read_clock};
    std::map<PrincipalId, double> truth;
    bool stalls = false;

  private:
    using Packets = std::map<PrincipalId, unsigned>;
    static Packets together(Packets packets, unsigned denied, unsigned fresh) {
        packets[kDenied] = denied;
        packets[kFresh] = fresh;
        return packets;
    }
    unsigned stall() { return static_cast<unsigned>(random_() % 5000); }
    void spend(const Cost& cost, const Packets& packets) {
        unsigned n = 0;
        for (const auto& each : packets) n += each.second;
        if (n == 0) return;
        const double factor = std::max(noise_(random_), 0.2), whole = cost.fixed + cost.each * n;
        now += static_cast<uint64_t>(whole * factor);
        for (const auto& [id, count] : packets)
            if (count != 0) truth[id] += whole * factor * count / n;
    }
    void pass_by(const Packets& talk, unsigned hits, unsigned misses, const Packets& missed) {
        rte_mbuf frame{};
        frame.pkt_len = kFrame;
        Leaving leaving;
        for (const auto& [id, count] : talk)
            for (unsigned i = 0; i < count; ++i) leaving.add(&frame, index(id), kL3);
        if (leaving.count != 0) leave(Account::kByShortcut, leaving);
        Packets all = missed;
        for (const auto& each : talk) all.insert(each);
        spend({kPass, 0}, all);
        spend({0, kHit}, talk);
        spend({0, kMiss}, missed);
        if (stalls && stall() == 0) now += 400'000;  // the machine took the CPU away
        account.lap_taken(Account::kHit, hits, misses);
    }
    void through_stages(unsigned denied, unsigned fresh) {
        Burst& burst = burst_;
        burst.count = 0;
        for (unsigned i = 0; i < denied + fresh; ++i) {
            PacketMeta meta;
            meta.principal = i < denied ? kDenied : kFresh;
            meta.l3_total = kL3;
            burst.add(nullptr, meta);
        }
        account.enter(Account::kReceive);
        for (unsigned step = 0; step < kSteps; ++step) {
            if (step > kDropsAt) denied = 0;
            spend(kStepCosts[step], {{kDenied, denied}, {kFresh, fresh}});
            if (step == kDropsAt && denied != 0) {
                for (unsigned i = 0; i < denied; ++i) burst.drop(i, 1);
                account.leave(burst, Account::place_of(step + 1));
                burst.count = 0;  // settle(): those that are left move up
                burst.changed = false;
                for (unsigned i = 0; i < fresh; ++i) burst.add(nullptr, burst.meta[denied + i]);
            }
            if (denied + fresh != 0) account.lap(Account::place_of(step), denied + fresh);
        }
        if (fresh == 0) return;
        account.send(burst, Account::place_of(kSteps) + 1);
        spend(kQueueing, {{kFresh, fresh}});
        account.lap(Account::place_of(kSteps), fresh);
    }

    std::mt19937_64 random_{7};
    std::normal_distribution<double> noise_{1.0, 0.25};
    Burst burst_;
    WorkerContext context_;
};

}  // namespace ravelin::test
