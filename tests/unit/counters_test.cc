// SPDX-License-Identifier: Apache-2.0
#include "dataplane/counters.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

namespace ravelin {
namespace {

class Counters : public ::testing::Test {
  protected:
    Counters() : bytes_(CounterSegment::bytes_for(specs_.size(), 2, 8)) {
        memory_.reset(static_cast<char*>(std::aligned_alloc(64, (bytes_ + 63) / 64 * 64)));
        std::memset(memory_.get(), 0, bytes_);
        segment_ = std::make_unique<CounterSegment>(memory_.get(), specs_, 2, 8, 1234);
        char scratch[] = "/tmp/ravelin-counters-XXXXXX";
        close(mkstemp(scratch));
        path_ = scratch;
    }
    ~Counters() override { unlink(path_.c_str()); }
    void write(size_t bytes) const {
        std::ofstream(path_, std::ios::binary).write(memory_.get(), static_cast<long>(bytes));
    }
    struct Free {
        void operator()(char* p) const { std::free(p); }
    };
    std::vector<CounterSpec> specs_{{"drop.parse.truncated", "Too short.", CounterKind::kCounter},
                                    {"flows.entries", "Flows.", CounterKind::kGauge}};
    size_t bytes_;
    std::unique_ptr<char, Free> memory_;
    std::unique_ptr<CounterSegment> segment_;
    std::string path_;
};

TEST_F(Counters, ReaderSeesNamesAndSumsOverWorkers) {
    segment_->worker(0).add(0, 3);
    segment_->worker(1).add(0, 4);
    segment_->worker(1).set(1, 9);
    segment_->worker(0).hit_rule(7, 1, 100);
    segment_->worker(1).hit_rule(7, 2, 50);
    write(bytes_);
    const auto reader = CounterReader::open(path_);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    EXPECT_EQ(reader->name(0), "drop.parse.truncated");
    EXPECT_EQ(reader->help(0), "Too short.");
    EXPECT_EQ(reader->kind(1), CounterKind::kGauge);
    EXPECT_EQ(reader->sum("drop.parse.truncated"), 7u);
    EXPECT_EQ(reader->value(1, 1), 9u);
    EXPECT_EQ(reader->rule(7).packets, 3u);
    EXPECT_EQ(reader->rule(7).bytes, 150u);
    EXPECT_EQ(reader->rule(8).packets, 0u) << "a slot beyond the array";
    EXPECT_EQ(reader->sum("no.such"), 0u);
}

TEST_F(Counters, TheControlThreadHasABlockOfItsOwn) {
    segment_->control().set(0, 5);
    segment_->worker(0).add(0, 2);
    write(bytes_);
    const auto reader = CounterReader::open(path_);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    EXPECT_EQ(reader->sum(0), 7u);
    EXPECT_EQ(reader->value(0, 0), 2u);
    EXPECT_EQ(reader->value(0, 1), 0u);
    EXPECT_EQ(reader->rule(0).packets, 0u);
}

TEST_F(Counters, ReaderRefusesEveryTruncation) {
    for (size_t bytes = 0; bytes < bytes_; bytes += 61) {
        write(bytes);
        EXPECT_FALSE(CounterReader::open(path_).ok()) << bytes;
    }
}

TEST_F(Counters, ReaderRefusesADamagedHeader) {
    auto* header = reinterpret_cast<CounterHeader*>(memory_.get());
    const CounterHeader good = *header;
    header->workers = 1000;
    write(bytes_);
    EXPECT_FALSE(CounterReader::open(path_).ok());
    *header = good;
    header->block_bytes = uint64_t{1} << 63;
    write(bytes_);
    EXPECT_FALSE(CounterReader::open(path_).ok());
}

TEST_F(Counters, ReaderNoticesAReplacedFile) {
    write(bytes_);
    const auto reader = CounterReader::open(path_);
    ASSERT_TRUE(reader.ok());
    EXPECT_TRUE(reader->current(path_));
    const std::string other = path_ + ".new";
    std::ofstream(other) << "x";
    rename(other.c_str(), path_.c_str());
    EXPECT_FALSE(reader->current(path_));
}

}  // namespace
}  // namespace ravelin
