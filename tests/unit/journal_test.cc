// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/fake_disk.h"

namespace ravelin::commit {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFile = "/state/journal";

Intent intent(uint64_t generation, uint64_t deadline = 0) {
    return {generation, deadline, "alice", "change " + std::to_string(generation)};
}

/// 1 committed, 2 aborted, 3 rolled back, 4 committed after confirmation, 5 pending.
void write_example(FakeDisk& disk) {
    auto j = Journal::open("/state", disk);
    ASSERT_TRUE(j.ok()) << j.error().message;
    ASSERT_TRUE(j->intent(intent(1), 10) && j->commit(11));
    ASSERT_TRUE(j->intent(intent(2), 20) && j->abort(21));
    ASSERT_TRUE(j->intent(intent(3, 90), 30) && j->provisional(31) && j->rollback(32));
    ASSERT_TRUE(j->intent(intent(4, 99), 40) && j->provisional(41) && j->commit(42));
    ASSERT_TRUE(j->intent(intent(5), 50));
}

std::string describe(const JournalState& s) {
    std::string out = std::to_string(s.current) + "<" + std::to_string(s.previous) + " pending " +
                      std::to_string(s.pending) + " highest " + std::to_string(s.highest);
    for (const auto& [generation, info] : s.generations) {
        out += "; " + std::to_string(generation) + " " + std::string(name_of(info.state)) + " " +
               info.author + " " + info.comment + " " + std::to_string(info.decided_unix_ms);
    }
    return out;
}

TEST(Crc32c, MatchesThePublishedCheckValue) { EXPECT_EQ(crc32c("123456789"), 0xe3069283u); }

TEST(Journal, RemembersEverythingAcrossReopen) {
    FakeDisk disk;
    write_example(disk);
    const auto j = Journal::open("/state", disk);
    ASSERT_TRUE(j.ok());
    EXPECT_EQ(
        describe(j->state()),
        "4<1 pending 5 highest 5; 1 committed alice change 1 11; 2 aborted alice change 2 21; "
        "3 rolled back alice change 3 32; 4 committed alice change 4 42; "
        "5 intent alice change 5 50");
    const GenerationInfo& last = *j->state().find(4);
    EXPECT_TRUE(last.confirm_deadline_ms == 99 && last.applied_unix_ms == 40 && last.parent == 1);
    EXPECT_TRUE(j->warnings().empty());
}

TEST(Journal, RefusesWhatTheProtocolForbids) {
    FakeDisk disk;
    write_example(disk);
    auto j = Journal::open("/state", disk);
    EXPECT_THAT(j->intent(intent(6), 60).error().message, HasSubstr("5 is still undecided"));
    ASSERT_TRUE(j->provisional(60));
    EXPECT_THAT(j->provisional(61).error().message, HasSubstr("provisional already"));
    ASSERT_TRUE(j->abort(62));
    EXPECT_FALSE(j->commit(63).ok());
    EXPECT_THAT(j->intent(intent(5), 64).error().message, HasSubstr("not above 5"));
    Intent wordy = intent(6);
    wordy.comment.assign(kMaxCommentBytes + 1, 'x');
    EXPECT_FALSE(j->intent(wordy, 65).ok());
    EXPECT_TRUE(j->intent(intent(6), 66).ok());
}

TEST(Journal, CutsATornTailOfEveryLength) {
    FakeDisk disk;
    write_example(disk);
    const std::string whole = disk.content(kFile);
    size_t records = 0, starts = 0;
    for (size_t cut = 0; cut <= whole.size(); ++cut) {
        FakeDisk torn;
        torn.put(kFile, whole.substr(0, cut));
        auto j = Journal::open("/state", torn);
        ASSERT_TRUE(j.ok()) << cut << ": " << j.error().message;
        const size_t kept = torn.content(kFile).size();
        EXPECT_EQ(j->bytes(), kept);
        ASSERT_LE(kept, cut);
        EXPECT_EQ(j->warnings().empty(), kept == cut);
        if (kept == cut) starts = cut, ++records;
        ASSERT_EQ(kept, starts) << "a whole record was cut";
        if (j->state().pending != 0) {
            ASSERT_TRUE(j->abort(70));
        }
        ASSERT_TRUE(j->intent(intent(j->state().highest + 1), 71));
    }
    EXPECT_EQ(records, 12u);  // the empty journal and after each of the 11 records
}

TEST(Journal, TakesUnwrittenSectorsForATornTail) {
    FakeDisk disk;
    write_example(disk);
    const std::string whole = disk.content(kFile);
    Record big{.kind = RecordKind::abort,
               .generation = 5,
               .parent = 4,
               .author = "bob",
               .comment = std::string(2000, 'c')};
    for (const std::string& tail : {std::string(4096, '\0'), std::string(3, '\0')}) {
        disk.put(kFile, whole + tail);
        auto j = Journal::open("/state", disk);
        ASSERT_TRUE(j.ok());
        EXPECT_EQ(j->bytes(), whole.size());
    }
    std::string half = whole + encode(big);
    const size_t sector = (whole.size() / 512 + 2) * 512;
    std::fill(half.begin() + static_cast<ptrdiff_t>(sector), half.end(), '\0');
    disk.put(kFile, half);
    auto j = Journal::open("/state", disk);
    ASSERT_TRUE(j.ok()) << j.error().message;
    EXPECT_EQ(j->bytes(), whole.size());
}

TEST(Journal, NoticesAFlippedByteAnywhere) {
    FakeDisk disk;
    write_example(disk);
    const std::string whole = disk.content(kFile);
    const std::string truth = describe(Journal::open("/state", disk)->state());
    for (size_t at = 0; at < whole.size(); ++at) {
        for (const int flip :
             {0x01, 0x80, 0xff, static_cast<int>(static_cast<uint8_t>(whole[at]))}) {
            std::string bad = whole;
            bad[at] = static_cast<char>(bad[at] ^ flip);
            FakeDisk hurt;
            hurt.put(kFile, bad);
            const auto j = Journal::open("/state", hurt);
            if (j.ok()) {
                EXPECT_EQ(describe(j->state()), truth) << at;
                continue;
            }
            EXPECT_THAT(j.error().message, HasSubstr("/state/journal: offset "));
            EXPECT_EQ(hurt.content(kFile), bad) << "refusal must not change the file";
        }
    }
}

TEST(Journal, SalvageKeepsWhatIsWhole) {
    FakeDisk disk;
    write_example(disk);
    const std::string whole = disk.content(kFile);
    for (size_t at = 0; at < whole.size(); ++at) {
        std::string bad = whole;
        bad[at] = static_cast<char>(bad[at] ^ 0x40);
        FakeDisk hurt;
        hurt.put(kFile, bad);
        for (int round = 0; round < 2; ++round) {  // the second finds a sound journal
            auto j = Journal::open("/state", hurt, OnDamage::salvage);
            ASSERT_TRUE(j.ok()) << at << j.error().message;
            EXPECT_EQ(j->state().current, 4u) << at;
            EXPECT_EQ(j->state().find(1)->state, GenerationState::committed) << at;
            EXPECT_EQ(j->warnings().empty(), round == 1);
            if (round == 0) {
                EXPECT_THAT(j->warnings()[0], HasSubstr("/state/journal: offset "));
            }
        }
    }
}

void fail_an_append(int call, int number, int count, bool short_write) {
    FakeDisk disk;
    write_example(disk);
    auto j = Journal::open("/state", disk);
    ASSERT_TRUE(j->commit(60));
    const std::string before = describe(j->state()), bytes = disk.content(kFile);
    disk.short_write = short_write;
    disk.fail_errno = number;
    disk.fail_count = count;
    disk.fail_at = disk.calls + call;
    const Status status = j->intent(intent(6), 61);
    disk.fail_at = -1;
    if (!status) {
        EXPECT_EQ(describe(j->state()), before);
        EXPECT_TRUE(disk.content(kFile) == bytes || count > 1);
        EXPECT_THAT(status.error().message, HasSubstr(std::strerror(number)));
        EXPECT_THAT(status.error().message, HasSubstr(kFile));
        ASSERT_TRUE(j->intent(intent(6), 62)) << "recovers with the disk";
    }
    const std::string now = describe(j->state());
    j = Error{"closed"};
    disk.reboot(FakeDisk::Loss::everything);
    EXPECT_EQ(describe(Journal::open("/state", disk)->state()), now);
}

TEST(Journal, AFailedAppendChangesNothing) {
    for (int k = 0; k < 4; ++k) {
        for (const int number : {ENOSPC, EIO}) {
            for (const int count : {1, 3, 100}) {
                fail_an_append(k, number, count, false);
                fail_an_append(k, number, count, true);
            }
        }
    }
}

TEST(Journal, WhatWasReadOnceIsThereAfterPowerLoss) {
    for (int k = 0; k < 4; ++k) {
        FakeDisk disk;
        write_example(disk);
        auto j = Journal::open("/state", disk);
        disk.short_write = true;
        disk.crash_at = disk.calls + k;
        try {
            ASSERT_TRUE(j->commit(60));
        } catch (const Crash&) {
        }
        j = Error{"closed"};
        disk.restart_process();
        j = Journal::open("/state", disk);
        const std::string seen = describe(j->state());
        j = Error{"closed"};
        disk.reboot(FakeDisk::Loss::everything);
        EXPECT_EQ(describe(Journal::open("/state", disk)->state()), seen) << k;
    }
}

TEST(Journal, CompactionSurvivesACrashAtEveryCall) {
    for (int k = 0;; ++k) {
        bool crashed = false;
        for (const auto loss : FakeDisk::kLosses) {
            FakeDisk disk;
            write_example(disk);
            auto opened = Journal::open("/state", disk);
            ASSERT_TRUE(opened->commit(60));
            disk.crash_at = disk.calls + k;
            try {
                ASSERT_TRUE(opened->compact(4));
                ASSERT_TRUE(opened->intent(intent(6), 70) && opened->commit(71));
            } catch (const Crash&) {
                crashed = true;
            }
            opened = Error{"closed"};
            disk.reboot(loss);
            const auto j = Journal::open("/state", disk);
            ASSERT_TRUE(j.ok()) << k << j.error().message;
            EXPECT_GE(j->state().current, 5u);
            if (!crashed) {
                EXPECT_EQ(j->state().current, 6u);
                EXPECT_EQ(j->state().previous, 5u);
                EXPECT_EQ(j->state().generations.begin()->first, 4u);
            }
        }
        if (!crashed) break;
    }
}

TEST(Journal, AFailedCompactionLosesNothingAcknowledgedAfterIt) {
    for (int k = 0; k < 14; ++k) {
        for (const int count : {1, 2, 100}) {
            FakeDisk disk;
            write_example(disk);
            auto j = Journal::open("/state", disk);
            ASSERT_TRUE(j->commit(60));
            disk.fail_count = count;
            disk.fail_at = disk.calls + k;
            const bool compacted = j->compact(4).ok();
            disk.fail_at = -1;
            const bool acknowledged = j->intent(intent(6), 70) && j->commit(71);
            EXPECT_TRUE(acknowledged || !compacted);
            j = Error{"closed"};
            disk.reboot(FakeDisk::Loss::everything);
            const auto again = Journal::open("/state", disk);
            ASSERT_TRUE(again.ok()) << again.error().message;
            EXPECT_EQ(again->state().current, acknowledged ? 6u : 5u) << k;
        }
    }
}

TEST(Journal, TwoControlPlanesNeverShareADirectory) {
    std::string directory = std::filesystem::temp_directory_path() / "ravelin-journal-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    FileOps ops;
    {
        auto first = Journal::open(directory + "/state", ops);
        ASSERT_TRUE(first.ok()) << first.error().message;
        ASSERT_TRUE(first->intent(intent(1), 1) && first->commit(2));
        const auto second = Journal::open(directory + "/state", ops);
        ASSERT_FALSE(second.ok());
        EXPECT_THAT(second.error().message, HasSubstr("another control plane"));
    }
    const auto third = Journal::open(directory + "/state", ops);
    ASSERT_TRUE(third.ok());
    EXPECT_EQ(third->state().current, 1u);
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ravelin::commit
