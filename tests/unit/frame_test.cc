// SPDX-License-Identifier: Apache-2.0
#include "pipelines/model/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace ravelin::model {
namespace {

using ::testing::HasSubstr;

std::span<const uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string framed(std::string_view body) {
    const auto n = static_cast<uint32_t>(body.size());
    std::string out{static_cast<char>(n >> 24), static_cast<char>(n >> 16),
                    static_cast<char>(n >> 8), static_cast<char>(n)};
    return out.append(body);
}

struct SocketPair {
    int a = -1, b = -1;
    SocketPair() {
        std::array<int, 2> fds{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0) {
            a = fds[0];
            b = fds[1];
        }
    }
    ~SocketPair() {
        ::close(a);
        ::close(b);
    }
};

TEST(FrameReader, GivesWholeFramesFedByteByByte) {
    FrameReader reader;
    const std::string stream = framed("hello") + framed("") + framed("world");
    for (const char& byte : stream) ASSERT_TRUE(reader.feed(bytes_of({&byte, 1})).ok());
    EXPECT_EQ(reader.next(), "hello");
    EXPECT_EQ(reader.next(), "");
    EXPECT_EQ(reader.next(), "world");
    EXPECT_EQ(reader.next(), std::nullopt);
    EXPECT_EQ(reader.held(), 0u);
}

TEST(FrameReader, KeepsAnUnfinishedFrameToItself) {
    FrameReader reader;
    const std::string stream = framed("hello");
    ASSERT_TRUE(reader.feed(bytes_of(stream.substr(0, 8))).ok());
    EXPECT_EQ(reader.next(), std::nullopt);
    EXPECT_EQ(reader.held(), 4u);
}

TEST(FrameReader, RefusesAnOversizeFrameForGood) {
    FrameReader reader(10);
    EXPECT_THAT(reader.feed(bytes_of(framed("12345678901"))).error().message,
                HasSubstr("11 bytes"));
    EXPECT_FALSE(reader.feed(bytes_of(framed("fine"))).ok());
    EXPECT_EQ(reader.next(), std::nullopt);
}

TEST(FrameReader, DoesNotAllocateWhatAPeerOnlyClaims) {
    FrameReader reader;
    const std::string claim{"\x0f\xff\xff\xff", 4};
    ASSERT_TRUE(reader.feed(bytes_of(claim + "x")).ok());
    EXPECT_EQ(reader.held(), 1u);
}

TEST(FrameReader, GivesTheFramesBeforeAnOversizeOne) {
    FrameReader reader(10);
    EXPECT_FALSE(reader.feed(bytes_of(framed("good") + framed("much too long"))).ok());
    EXPECT_EQ(reader.next(), "good");
}

TEST(FrameWriter, SendsALargeFrameThroughASmallSocketInPieces) {
    SocketPair pair;
    FrameWriter writer;
    const std::string large(8 << 20, 'x');
    ASSERT_TRUE(writer.queue(large).ok());
    ASSERT_TRUE(writer.queue("tail").ok());
    EXPECT_FALSE(*writer.flush(pair.a));
    FrameReader reader;
    std::optional<std::string> first;
    while (!(first = reader.next())) {
        ASSERT_EQ(*receive(pair.b, reader), Received::kBytes);
        ASSERT_TRUE(writer.flush(pair.a).ok());
    }
    EXPECT_EQ(*first, large);
    EXPECT_TRUE(writer.empty());
    EXPECT_EQ(writer.pending(), 0u);
}

TEST(FrameWriter, ReportsAClosedPeerWithoutASignal) {
    SocketPair pair;
    ::shutdown(pair.b, SHUT_RDWR);
    FrameWriter writer;
    ASSERT_TRUE(writer.queue("x").ok());
    EXPECT_FALSE(writer.flush(pair.a).ok());
}

TEST(Receive, TellsTheEndFromNothingYet) {
    SocketPair pair;
    FrameReader reader;
    ASSERT_EQ(::send(pair.b, "", 0, 0), 0);
    timeval quick{0, 1000};
    ::setsockopt(pair.a, SOL_SOCKET, SO_RCVTIMEO, &quick, sizeof quick);
    EXPECT_EQ(*receive(pair.a, reader), Received::kNothing);
    ::shutdown(pair.b, SHUT_WR);
    EXPECT_EQ(*receive(pair.a, reader), Received::kEnd);
}

TEST(WriteFrame, WaitsForARoomyEnoughSocket) {
    SocketPair pair;
    const std::string large(4 << 20, 'y');
    std::thread sender([&] { EXPECT_TRUE(write_frame(pair.a, bytes_of(large)).ok()); });
    FrameReader reader;
    std::optional<std::string> got;
    while (!(got = reader.next())) ASSERT_EQ(*receive(pair.b, reader), Received::kBytes);
    sender.join();
    EXPECT_EQ(*got, large);
}

}  // namespace
}  // namespace ravelin::model
