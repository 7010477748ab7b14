// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/pcapng.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace ravelin::cli {
namespace {

struct Block {
    uint32_t type;
    std::string body;
};

/// What two frames of two ports become.
class Pcapng : public ::testing::Test {
  protected:
    void SetUp() override {
        char* memory = nullptr;
        size_t size = 0;
        std::FILE* out = open_memstream(&memory, &size);
        PcapngWriter writer(out, "test", 128);
        const std::array<uint8_t, 5> data{1, 2, 3, 4, 5};
        ASSERT_TRUE(writer.begin().ok());
        ASSERT_TRUE(writer
                        .write({.unix_ns = (uint64_t{7} << 32) + 9,
                                .port = "lan",
                                .length = 60,
                                .data = data,
                                .comment = ""})
                        .ok());
        ASSERT_TRUE(writer
                        .write({.unix_ns = 10,
                                .port = "wan",
                                .length = 5,
                                .data = data,
                                .comment = "verdict drop"})
                        .ok());
        ASSERT_TRUE(writer.finish(3).ok());
        std::fclose(out);
        split({memory, size});
        std::free(memory);
    }
    void split(const std::string& file) {
        for (size_t at = 0; at + 12 <= file.size();) {
            const uint32_t total = u32(file, at + 4);
            ASSERT_EQ(total % 4, 0u);
            ASSERT_EQ(u32(file, at + total - 4), total);
            blocks_.push_back({u32(file, at), file.substr(at + 8, total - 12)});
            at += total;
        }
    }
    static uint32_t u32(const std::string& bytes, size_t at) {
        uint32_t v = 0;
        std::memcpy(&v, bytes.data() + at, sizeof v);
        return v;
    }
    std::vector<Block> blocks_;
};

TEST_F(Pcapng, PutsEachInterfaceBeforeItsFirstFrame) {
    std::vector<uint32_t> types;
    for (const Block& block : blocks_) types.push_back(block.type);
    EXPECT_EQ(types, (std::vector<uint32_t>{0x0a0d0d0a, 1, 6, 1, 6, 5, 5}));
}

TEST_F(Pcapng, NamesInterfacesAndCountsNanoseconds) {
    const std::string& interface = blocks_[1].body;
    EXPECT_EQ(u32(interface, 4), 128u);  // snap length
    EXPECT_NE(interface.find(std::string("\x02\0\x03\0lan\0", 8)), std::string::npos);
    EXPECT_NE(interface.find(std::string("\x09\0\x01\0\x09\0\0\0", 8)), std::string::npos);
}

TEST_F(Pcapng, KeepsTimeAndBothLengths) {
    const std::string& frame = blocks_[2].body;
    EXPECT_EQ(u32(frame, 0), 0u);  // interface
    EXPECT_EQ(u32(frame, 4), 7u);  // time, high half first
    EXPECT_EQ(u32(frame, 8), 9u);
    EXPECT_EQ(u32(frame, 12), 5u);  // captured
    EXPECT_EQ(u32(frame, 16), 60u);
    EXPECT_EQ(frame.substr(20, 8), std::string("\1\2\3\4\5\0\0\0", 8));
}

TEST_F(Pcapng, SaysTheVerdictAndWhatWasLost) {
    EXPECT_EQ(u32(blocks_[4].body, 0), 1u);
    EXPECT_NE(blocks_[4].body.find("verdict drop"), std::string::npos);
    EXPECT_NE(blocks_[5].body.find(std::string("\x05\0\x08\0\x03\0\0\0", 8)), std::string::npos);
}

TEST(PcapngWriter, SaysWhyItCannotWrite) {
    std::FILE* full = std::fopen("/dev/full", "w");
    ASSERT_NE(full, nullptr);
    PcapngWriter writer(full, "test", 128);
    ASSERT_TRUE(writer.begin().ok());
    const Status flushed = writer.flush();
    ASSERT_FALSE(flushed.ok());
    EXPECT_EQ(flushed.error().message, "No space left on device");
    std::fclose(full);
}

}  // namespace
}  // namespace ravelin::cli
