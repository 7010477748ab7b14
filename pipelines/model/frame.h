// SPDX-License-Identifier: Apache-2.0
// Length-framed messages over a Unix stream socket: a 4-byte big-endian length, then so many bytes.
// Knows nothing of what is inside. Used on dataplane.sock (protobuf) and control.sock (JSON).
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/limits.h"
#include "dataplane/result.h"

namespace ravelin::model {

/// Rises with every incompatible change of control.proto, or of what trees in it look like.
inline constexpr uint32_t kProtocolVersion = 2;
inline constexpr size_t kFrameHeader = 4;

/// Takes bytes as they arrive, gives whole frames. Memory follows the bytes received, never the
/// length a peer claims.
class FrameReader {
  public:
    explicit FrameReader(uint32_t max_frame = limits::kMaxMessage) : max_(max_frame) {}

    /// Takes more of the stream. Error: a frame longer than the maximum; the stream is then lost,
    /// and every later call fails too.
    Status feed(std::span<const uint8_t> bytes);
    /// The oldest whole frame not taken yet.
    std::optional<std::string> next();
    /// Bytes held: of whole frames not taken and of the unfinished one.
    [[nodiscard]] size_t held() const { return held_; }

  private:
    [[nodiscard]] Error too_long() const;
    Status begin_body();
    void finish_body();

    uint32_t max_;
    uint32_t length_ = 0;  // of the frame being read, once its header is whole
    unsigned header_bytes_ = 0;
    bool lost_ = false;
    uint8_t header_[kFrameHeader] = {};
    std::string body_;
    std::deque<std::string> ready_;
    size_t held_ = 0;
};

/// What one call of receive() met.
enum class Received : uint8_t { kBytes, kNothing, kEnd };

/// Reads once what the socket has and feeds it. kNothing: a non-blocking socket has none; kEnd: the
/// peer closed. Error: errno text, or what feed() says.
Result<Received> receive(int fd, FrameReader& reader);

/// Frames on their way out of a non-blocking socket.
class FrameWriter {
  public:
    /// Queues one frame; nothing is sent yet. Error: longer than limits::kMaxMessage.
    Status queue(std::string_view frame);
    /// Sends what the socket takes. True: all is sent; false: wait for POLLOUT. Error: errno text.
    Result<bool> flush(int fd);
    [[nodiscard]] bool empty() const { return queue_.empty(); }
    /// Bytes queued and not sent.
    [[nodiscard]] size_t pending() const { return pending_; }

  private:
    std::deque<std::string> queue_;  // headers included
    size_t sent_ = 0;                // of queue_.front()
    size_t pending_ = 0;
};

/// Sends one whole frame, waiting where it must, on a blocking or non-blocking socket. No SIGPIPE.
/// Error: longer than limits::kMaxMessage, or errno text; the stream is then lost.
Status write_frame(int fd, std::span<const uint8_t> frame);

}  // namespace ravelin::model
