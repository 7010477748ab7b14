// SPDX-License-Identifier: Apache-2.0
// The decisions, and the whole protocol against a simulated data plane with a crash or a failing
// disk at every single call.
#include "controlplane/commit/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "tests/unit/fake_disk.h"
#include "tests/unit/fake_protocol.h"

namespace ravelin::commit {
namespace {

using ::testing::HasSubstr;
using Kind = Decision::Kind;

using Step = std::function<Status(Driver&)>;
const std::vector<Step>& script() {
    static const auto apply = [](Driver& d) { return d.apply(false); };
    static const auto provisional = [](Driver& d) { return d.apply(true); };
    static const std::vector<Step> steps = {apply,
                                            provisional,
                                            [](Driver& d) { return d.confirm(); },
                                            provisional,
                                            [](Driver& d) { return d.expire(); },
                                            apply,
                                            provisional,
                                            [](Driver& d) { return d.rollback(); },
                                            apply,
                                            [](Driver& d) { return d.prune(); },
                                            provisional,
                                            [](Driver& d) { return d.confirm(); }};
    return steps;
}

enum class Meanwhile { nothing, deadline, restart, rollback_and_restart };
constexpr Meanwhile kMeanwhiles[] = {Meanwhile::nothing, Meanwhile::deadline, Meanwhile::restart,
                                     Meanwhile::rollback_and_restart};

void pass(SimDataplane& dataplane, Meanwhile what) {
    if (what == Meanwhile::deadline || what == Meanwhile::rollback_and_restart) {
        dataplane.rollback();
    }
    if (what == Meanwhile::restart || what == Meanwhile::rollback_and_restart) dataplane.restart();
}

struct Scene {
    FakeDisk disk;
    SimDataplane dataplane;
    Acknowledged seen;
    /// Runs until the injected crash; false if none came.
    bool run_script(int crash_at) {
        disk.crash_at = crash_at;
        disk.short_write = true;
        try {
            Driver driver(disk, dataplane, seen);
            if (!driver.start()) return false;
            for (const Step& step : script()) {
                if (!step(driver)) return false;
            }
        } catch (const Crash&) {
            return true;
        }
        return false;
    }
};

void expect_recovery(Scene& scene, const std::string& where) {
    SCOPED_TRACE(where);
    Driver driver(scene.disk, scene.dataplane, scene.seen);
    const Status started = driver.start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    driver.check();
    if (driver.state().pending != 0) {
        ASSERT_TRUE(driver.confirm());
    }
    ASSERT_TRUE(driver.apply(false));
    driver.check();
}

TEST(Protocol, SurvivesACrashAtEveryCall) {
    int runs = 0;
    for (int k = 0;; ++k) {
        bool crashed = false;
        for (const auto loss : FakeDisk::kLosses) {
            for (const auto meanwhile : kMeanwhiles) {
                Scene scene;
                crashed = scene.run_script(k);
                scene.disk.reboot(loss);
                pass(scene.dataplane, meanwhile);
                expect_recovery(scene, "crash at " + std::to_string(k) + " loss " +
                                           std::to_string(static_cast<int>(loss)) + " meanwhile " +
                                           std::to_string(static_cast<int>(meanwhile)));
                if (HasFatalFailure()) return;
                ++runs;
            }
        }
        if (!crashed) break;
    }
    EXPECT_GT(runs, 3000);
    RecordProperty("runs", runs);
}

TEST(Protocol, SurvivesASecondCrashDuringRecovery) {
    for (int k = 0;; ++k) {
        bool crashed = false;
        for (int j = 0;; ++j) {
            bool again = false;
            for (const auto loss : FakeDisk::kLosses) {
                Scene scene;
                crashed = scene.run_script(k);
                scene.disk.reboot(loss);
                scene.disk.crash_at = scene.disk.calls + j;
                try {
                    Driver driver(scene.disk, scene.dataplane, scene.seen);
                    ASSERT_TRUE(driver.start());
                } catch (const Crash&) {
                    again = true;
                }
                scene.disk.reboot(loss);
                pass(scene.dataplane, kMeanwhiles[j % 4]);
                expect_recovery(scene, std::to_string(k) + " then " + std::to_string(j));
                if (HasFatalFailure()) return;
            }
            if (!again) break;
        }
        if (!crashed) break;
    }
}

TEST(Protocol, AFullOrBrokenDiskNeverLosesWhatWasAcknowledged) {
    for (int k = 0;; ++k) {
        int calls = 0;
        for (const int number : {ENOSPC, EIO}) {
            for (const int count : {1, 2, 5, 1000}) {
                Scene scene;
                scene.disk.short_write = true;
                Driver driver(scene.disk, scene.dataplane, scene.seen);
                ASSERT_TRUE(driver.start());
                const int before = scene.disk.calls;
                scene.disk.fail_at = before + k;
                scene.disk.fail_count = count;
                scene.disk.fail_errno = number;
                size_t failed = 0;
                for (const Step& step : script()) {
                    const Status done = step(driver);
                    if (done) continue;
                    ++failed;
                    ASSERT_FALSE(done.error().message.empty());
                }
                calls = scene.disk.calls - before;
                scene.disk.fail_at = -1;
                const Status settled = driver.settle();
                ASSERT_TRUE(settled) << settled.error().message;
                driver.check();
                ASSERT_FALSE(HasFatalFailure()) << k << " errno " << number << " x" << count;
                ASSERT_TRUE(failed > 0 || count < 1000 || k >= calls) << k;
            }
        }
        if (k >= calls) break;
    }
}

TEST(Protocol, AFullDiskIsMetBeforeTheDataPlane) {
    Scene scene;
    Driver driver(scene.disk, scene.dataplane, scene.seen);
    ASSERT_TRUE(driver.start() && driver.apply(false));
    scene.disk.fail_at = scene.disk.calls;
    scene.disk.fail_count = 1000;
    const Status full = driver.apply(false);
    EXPECT_FALSE(full.ok());
    EXPECT_EQ(scene.dataplane.view.generation, 1u);
    EXPECT_EQ(driver.state().current, 1u);
}

/// current 4 (after 1), with 2 aborted, 3 rolled back and perhaps 5 pending.
JournalState example(std::optional<GenerationState> pending, uint64_t current = 4) {
    JournalState s;
    const auto put = [&](RecordKind kind, uint64_t g) {
        const Record r{kind, g, s.current, 1, 0, "a", "c"};
        EXPECT_TRUE(advance(s, r).ok());
    };
    if (current != 0) {
        put(RecordKind::intent, 1), put(RecordKind::commit, 1);
        put(RecordKind::intent, 2), put(RecordKind::abort, 2);
        put(RecordKind::intent, 3), put(RecordKind::rollback, 3);
        put(RecordKind::intent, 4), put(RecordKind::commit, 4);
    }
    if (pending) put(RecordKind::intent, 5);
    if (pending == GenerationState::provisional) put(RecordKind::provisional, 5);
    return s;
}

struct Case {
    const char* what;
    std::optional<GenerationState> pending;
    uint64_t current;
    DataplaneView view;
    Kind kind;
    uint64_t generation;
    bool warning;
};

TEST(Reconcile, DecidesEachCase) {
    constexpr auto kIntent = GenerationState::intent;
    constexpr auto kProvisional = GenerationState::provisional;
    const Case cases[] = {
        {"both empty", {}, 0, {}, Kind::nothing, 0, false},
        {"journal lost", {}, 0, {7, 6, 0, 0}, Kind::nothing, 0, true},
        {"agree", {}, 4, {4, 1, 0, 3}, Kind::nothing, 4, false},
        {"fresh data plane", {}, 4, {}, Kind::resend, 4, false},
        {"unknown generation", {}, 4, {77, 4, 0, 0}, Kind::resend, 4, true},
        {"older generation", {}, 4, {1, 0, 0, 0}, Kind::resend, 4, true},
        {"aborted generation", {}, 4, {2, 1, 0, 0}, Kind::resend, 4, true},
        {"committed, not final there", {}, 4, {4, 1, 9, 0}, Kind::resend, 4, true},
        {"intent, taken", kIntent, 4, {5, 4, 0, 0}, Kind::record_commit, 5, false},
        {"intent, waiting", kIntent, 4, {5, 4, 9, 0}, Kind::wait_confirm, 5, false},
        {"intent, never taken", kIntent, 4, {4, 1, 0, 3}, Kind::record_abort, 5, true},
        {"intent, rolled back", kIntent, 4, {4, 0, 0, 5}, Kind::record_rollback, 5, true},
        {"intent, fresh", kIntent, 4, {}, Kind::record_abort, 5, true},
        {"intent, first ever, fresh", kIntent, 0, {}, Kind::record_abort, 5, true},
        {"intent, unknown", kIntent, 4, {77, 4, 0, 0}, Kind::record_abort, 5, true},
        {"provisional, waiting", kProvisional, 4, {5, 4, 9, 0}, Kind::wait_confirm, 5, false},
        {"provisional, confirmed", kProvisional, 4, {5, 4, 0, 0}, Kind::record_commit, 5, false},
        {"provisional, expired", kProvisional, 4, {4, 0, 0, 5}, Kind::record_rollback, 5, true},
        {"provisional, fresh", kProvisional, 4, {}, Kind::record_rollback, 5, true},
        {"provisional, unknown", kProvisional, 4, {77, 0, 0, 0}, Kind::record_rollback, 5, true},
    };
    for (const Case& c : cases) {
        const Decision d = reconcile(example(c.pending, c.current), c.view);
        EXPECT_EQ(name_of(d.kind), name_of(c.kind)) << c.what;
        EXPECT_EQ(d.generation, c.generation) << c.what;
        EXPECT_EQ(d.warning, c.warning) << c.what;
        EXPECT_FALSE(d.explanation.empty()) << c.what;
    }
    EXPECT_THAT(reconcile(example({}), {77, 0, 0, 0}).explanation, HasSubstr("77, which this"));
}

TEST(Reconcile, SettlesFromEveryCombinationInThreeSteps) {
    const std::optional<GenerationState> pendings[] = {
        {}, GenerationState::intent, GenerationState::provisional};
    for (const uint64_t current : {0u, 4u}) {
        for (const auto pending : pendings) {
            for (uint64_t g = 0; g < 8 * 2 * 8; ++g) {
                JournalState s = example(pending, current);
                DataplaneView v{g % 8, 0, g / 8 % 2 ? 9u : 0u, g / 16};
                Decision d = reconcile(s, v);
                int steps = 0;
                for (; !d.settled() && steps < 4; d = reconcile(s, v), ++steps) {
                    const RecordKind kind = d.kind == Kind::record_commit  ? RecordKind::commit
                                            : d.kind == Kind::record_abort ? RecordKind::abort
                                                                           : RecordKind::rollback;
                    if (d.kind == Kind::resend) {
                        EXPECT_EQ(d.generation, s.current);
                        v = {d.generation, v.generation, 0, 0};
                    } else {
                        ASSERT_TRUE(advance(s, {kind, d.generation, s.current, 2, 0, {}, {}}));
                    }
                }
                EXPECT_LE(steps, 3);
                EXPECT_TRUE(d.warning || v.generation == (s.pending ? s.pending : s.current));
            }
        }
    }
}

}  // namespace
}  // namespace ravelin::commit
