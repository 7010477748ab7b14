// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "controlplane/commit/journal.h"
#include "tests/unit/fake_disk.h"

namespace ravelin::commit {
namespace {

using ::testing::HasSubstr;

std::string yaml_of(uint64_t g) { return "generation: " + std::to_string(g) + "\n"; }
std::string snapshot_of(uint64_t g) { return std::string(20, '\0') + std::to_string(g); }

void commit_upto(Journal& journal, History& history, uint64_t last) {
    for (uint64_t g = journal.state().highest + 1; g <= last; ++g) {
        ASSERT_TRUE(history.store(g, yaml_of(g), snapshot_of(g)));
        ASSERT_TRUE(journal.intent({g, 0, "alice", "c"}, g * 10) && journal.commit(g * 10 + 1));
    }
}

TEST(History, LoadsWhatWasStoredOnARealDisk) {
    std::string directory = std::filesystem::temp_directory_path() / "ravelin-history-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    FileOps ops;
    auto journal = Journal::open(directory, ops);
    auto history = History::open(directory, ops);
    ASSERT_TRUE(history.ok()) << history.error().message;
    commit_upto(*journal, *history, 3);
    EXPECT_EQ(history->load(2)->yaml, yaml_of(2));
    EXPECT_EQ(history->load(2)->snapshot, snapshot_of(2));
    EXPECT_EQ(*history->next_generation(journal->state(), 0), 4u);
    EXPECT_TRUE(std::filesystem::exists(directory + "/history/2.yaml"));
    EXPECT_THAT(history->load(9).error().message, HasSubstr("history/9.snapshot: open: No such"));
    std::filesystem::remove_all(directory);
}

TEST(History, ListsNewestFirstWithStates) {
    FakeDisk disk;
    auto j = Journal::open("/s", disk);
    auto h = History::open("/s", disk);
    commit_upto(*j, *h, 2);
    ASSERT_TRUE(j->intent({3, 0, "bob", "bad"}, 30) && j->abort(31));
    ASSERT_TRUE(j->intent({4, 99, "eve", "try"}, 40) && j->provisional(41));
    const auto list = h->list(j->state());
    ASSERT_TRUE(list.ok());
    std::string text;
    for (const HistoryEntry& e : *list) {
        text += std::to_string(e.generation) + (e.current ? "*" : "") + (e.stored ? "+" : "") +
                std::string(name_of(e.info.state)) + " " + e.info.author + "; ";
    }
    EXPECT_EQ(text, "4provisional eve; 3aborted bob; 2*+committed alice; 1+committed alice; ");
}

TEST(History, NamesDamageByFileAndOffset) {
    for (const char* ending : {".yaml", ".snapshot"}) {
        FakeDisk disk;
        auto j = Journal::open("/s", disk);
        auto h = History::open("/s", disk);
        commit_upto(*j, *h, 3);
        const std::string path = std::string("/s/history/3") + ending;
        const std::string whole = disk.content(path);
        for (size_t at = 0; at <= whole.size(); ++at) {
            for (const bool cut : {false, true}) {
                if (at == whole.size()) continue;
                disk.content(path) = cut ? whole.substr(0, at) : whole;
                if (!cut) disk.content(path)[at] ^= 0x10;
                const auto loaded = h->load(3);
                ASSERT_FALSE(loaded.ok()) << path << " " << at;
                EXPECT_THAT(loaded.error().message, HasSubstr(path + ": offset "));
                const auto good = h->last_good(j->state());
                ASSERT_TRUE(good.ok());
                EXPECT_EQ(good->stored.generation, 2u);
                EXPECT_EQ(good->stored.yaml, yaml_of(2));
                EXPECT_EQ(good->warnings.size(), 1u);
            }
        }
        disk.content(path) = whole + "x";
        EXPECT_THAT(h->load(3).error().message, HasSubstr("later than written"));
    }
}

TEST(History, PruningKeepsCurrentPreviousAndPending) {
    for (const uint64_t keep : {0u, 1u, 2u, 5u, 100u}) {
        FakeDisk disk;
        auto j = Journal::open("/s", disk);
        auto h = History::open("/s", disk);
        commit_upto(*j, *h, 7);
        ASSERT_TRUE(h->store(8, "x", "y") && j->intent({8, 0, "a", ""}, 80) && j->abort(81));
        commit_upto(*j, *h, 10);
        ASSERT_TRUE(h->store(11, "x", "y") && j->intent({11, 99, "a", ""}, 80));
        const auto oldest = h->prune(j->state(), keep);
        ASSERT_TRUE(oldest.ok());
        const uint64_t kept = std::max<uint64_t>(keep, 2);  // current and previous at least
        uint64_t left = 0;
        for (uint64_t g = 1; g <= 10; ++g) left += g != 8 && h->load(g).ok();
        EXPECT_EQ(left, std::min<uint64_t>(kept, 9));
        EXPECT_TRUE(h->load(10).ok() && h->load(9).ok() && h->load(11).ok());
        EXPECT_EQ(h->load(8).ok(), keep > 2);
        EXPECT_EQ(h->list(j->state())->size(), 11u) << "the journal still tells";
        ASSERT_TRUE(j->commit(90));
        ASSERT_TRUE(j->compact(*oldest)) << *oldest;
        EXPECT_EQ(j->state().current, 11u);
        EXPECT_EQ(j->state().previous, 10u);
    }
}

TEST(History, NumbersOnlyRise) {
    FakeDisk disk;
    auto j = Journal::open("/s", disk);
    auto h = History::open("/s", disk);
    EXPECT_EQ(*h->next_generation(j->state(), 0), 1u);
    EXPECT_EQ(*h->next_generation(j->state(), 41), 42u);
    commit_upto(*j, *h, 2);
    ASSERT_TRUE(h->store(5, "never", "journaled"));
    EXPECT_EQ(*h->next_generation(j->state(), 0), 6u);
    ASSERT_TRUE(j->intent({9, 0, "a", ""}, 1) && j->abort(2));
    EXPECT_EQ(*h->next_generation(j->state(), 3), 10u);
}

TEST(History, AStoreThatFailsOrCrashesHarmsNothingOlder) {
    for (int k = 0; k < 12; ++k) {
        for (const bool crash : {false, true}) {
            for (const auto loss : FakeDisk::kLosses) {
                FakeDisk disk;
                disk.short_write = true;
                auto h = History::open("/s", disk);
                ASSERT_TRUE(h->store(1, yaml_of(1), snapshot_of(1)));
                (crash ? disk.crash_at : disk.fail_at) = disk.calls + k;
                bool stored = false;
                try {
                    const Status status = h->store(2, yaml_of(2), snapshot_of(2));
                    stored = status.ok();
                    if (!stored) {
                        EXPECT_THAT(status.error().message, HasSubstr("No space left"));
                    }
                } catch (const Crash&) {
                }
                disk.reboot(loss);
                h = History::open("/s", disk);
                ASSERT_TRUE(h.ok());
                EXPECT_EQ(h->load(1)->snapshot, snapshot_of(1));
                const auto second = h->load(2);
                EXPECT_TRUE(second.ok() || !stored) << k;
                if (second.ok()) {
                    EXPECT_EQ(second->yaml, yaml_of(2));
                }
                EXPECT_FALSE(disk.exists("/s/history/2.yaml.new"));
            }
        }
    }
}

}  // namespace
}  // namespace ravelin::commit
