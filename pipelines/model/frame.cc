// SPDX-License-Identifier: Apache-2.0
#include "pipelines/model/frame.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace ravelin::model {
namespace {

constexpr size_t kReadBytes = 256 * 1024;  // a Unix socket's default buffer is 208 KiB

std::array<char, kFrameHeader> header_of(uint32_t length) {
    return {static_cast<char>(length >> 24), static_cast<char>(length >> 16),
            static_cast<char>(length >> 8), static_cast<char>(length)};
}

Error errno_error(const char* call) {
    return Error{fmt::format("{}: {}", call, std::strerror(errno))};
}

Status check_length(size_t length) {
    if (length <= limits::kMaxMessage) return ok_status();
    return Error{fmt::format("frame of {} bytes, at most {} allowed", length, limits::kMaxMessage)};
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

Status send_all(int fd, const char* bytes, size_t size) {
    while (size > 0) {
        const ssize_t n = ::send(fd, bytes, size, MSG_NOSIGNAL);
        if (n >= 0) {
            bytes += n;
            size -= static_cast<size_t>(n);
            continue;
        }
        if (errno == EINTR) continue;
        if (!would_block()) return errno_error("send");
        pollfd writable{fd, POLLOUT, 0};
        if (::poll(&writable, 1, -1) < 0 && errno != EINTR) return errno_error("poll");
    }
    return ok_status();
}

}  // namespace

Error FrameReader::too_long() const {
    return Error{fmt::format("frame of {} bytes, at most {} allowed", length_, max_)};
}

Status FrameReader::begin_body() {
    length_ = uint32_t{header_[0]} << 24 | uint32_t{header_[1]} << 16 | uint32_t{header_[2]} << 8 |
              header_[3];
    lost_ = length_ > max_;
    if (lost_) return too_long();
    if (length_ == 0) finish_body();
    return ok_status();
}

void FrameReader::finish_body() {
    ready_.push_back(std::move(body_));
    body_ = {};
    header_bytes_ = 0;
}

Status FrameReader::feed(std::span<const uint8_t> bytes) {
    if (lost_) return too_long();
    while (!bytes.empty()) {
        if (header_bytes_ < kFrameHeader) {
            header_[header_bytes_++] = bytes.front();
            bytes = bytes.subspan(1);
            if (header_bytes_ < kFrameHeader) continue;
            if (Status begun = begin_body(); !begun) return begun;
            continue;
        }
        const size_t take = std::min(bytes.size(), length_ - body_.size());
        body_.append(reinterpret_cast<const char*>(bytes.data()), take);
        held_ += take;
        bytes = bytes.subspan(take);
        if (body_.size() == length_) finish_body();
    }
    return ok_status();
}

std::optional<std::string> FrameReader::next() {
    if (ready_.empty()) return std::nullopt;
    std::string frame = std::move(ready_.front());
    ready_.pop_front();
    held_ -= frame.size();
    return frame;
}

Result<Received> receive(int fd, FrameReader& reader) {
    static thread_local std::string buffer(kReadBytes, '\0');
    for (;;) {
        const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && would_block()) return Received::kNothing;
        if (n < 0) return errno_error("receive");
        if (n == 0) return Received::kEnd;
        const auto* bytes = reinterpret_cast<const uint8_t*>(buffer.data());
        if (Status fed = reader.feed({bytes, static_cast<size_t>(n)}); !fed) return fed.error();
        return Received::kBytes;
    }
}

Status FrameWriter::queue(std::string_view frame) {
    if (Status fits = check_length(frame.size()); !fits) return fits;
    const auto header = header_of(static_cast<uint32_t>(frame.size()));
    std::string whole;
    whole.reserve(header.size() + frame.size());
    whole.append(header.data(), header.size());
    whole.append(frame);
    pending_ += whole.size();
    queue_.push_back(std::move(whole));
    return ok_status();
}

Result<bool> FrameWriter::flush(int fd) {
    while (!queue_.empty()) {
        const std::string& front = queue_.front();
        const ssize_t n =
            ::send(fd, front.data() + sent_, front.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && would_block()) return false;
        if (n < 0) return errno_error("send");
        sent_ += static_cast<size_t>(n);
        pending_ -= static_cast<size_t>(n);
        if (sent_ < front.size()) continue;
        queue_.pop_front();
        sent_ = 0;
    }
    return true;
}

Status write_frame(int fd, std::span<const uint8_t> frame) {
    if (Status fits = check_length(frame.size()); !fits) return fits;
    const auto header = header_of(static_cast<uint32_t>(frame.size()));
    if (Status sent = send_all(fd, header.data(), header.size()); !sent) return sent;
    return send_all(fd, reinterpret_cast<const char*>(frame.data()), frame.size());
}

}  // namespace ravelin::model
