// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/pcapng.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ravelin::cli {
namespace {

enum Block : uint32_t { kSection = 0x0a0d0d0a, kInterface = 1, kStatistics = 5, kPacket = 6 };
enum Option : uint16_t {
    kEndOfOptions = 0,
    kComment = 1,
    kSectionApplication = 4,
    kInterfaceName = 2,
    kInterfaceResolution = 9,
    kStatisticsReceived = 4,
    kStatisticsDropped = 5,
};
constexpr uint16_t kEthernet = 1;
constexpr uint8_t kNanoseconds = 9;  // 10^-9 seconds

/// Fields in this machine's byte order: the section header's magic tells the reader which.
class Body {
  public:
    template <typename T>
    Body& put(T value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    Body& put_padded(std::string_view bytes) {
        bytes_.append(bytes);
        bytes_.append((4 - bytes.size() % 4) % 4, '\0');
        return *this;
    }
    Body& option(uint16_t code, std::string_view value) {
        value = value.substr(0, 0xffff);
        return put(code).put(static_cast<uint16_t>(value.size())).put_padded(value);
    }
    Body& option(uint16_t code, uint64_t value) {
        return option(code, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
    }
    /// Timestamps are two halves, the high one first.
    Body& time(uint64_t ns) {
        return put(static_cast<uint32_t>(ns >> 32)).put(static_cast<uint32_t>(ns));
    }
    [[nodiscard]] const std::string& done() {
        put<uint16_t>(kEndOfOptions).put<uint16_t>(0);
        return bytes_;
    }

  private:
    std::string bytes_;
};

}  // namespace

PcapngWriter::PcapngWriter(std::FILE* out, std::string application, uint32_t snap_bytes)
    : out_(out), application_(std::move(application)), snap_bytes_(snap_bytes) {}

Status PcapngWriter::put_block(uint32_t type, std::string_view body) {
    const auto total = static_cast<uint32_t>(body.size() + 12);  // type and both lengths
    std::string block;
    block.append(reinterpret_cast<const char*>(&type), 4);
    block.append(reinterpret_cast<const char*>(&total), 4);
    block.append(body);
    block.append(reinterpret_cast<const char*>(&total), 4);
    if (std::fwrite(block.data(), 1, block.size(), out_) != block.size())
        return Error{std::strerror(errno)};
    return ok_status();
}

Status PcapngWriter::begin() {
    Body body;
    body.put<uint32_t>(0x1a2b3c4d).put<uint16_t>(1).put<uint16_t>(0);
    body.put<int64_t>(-1);  // the section's length is not known
    body.option(kSectionApplication, application_);
    return put_block(kSection, body.done());
}

Status PcapngWriter::interface_for(const std::string& port, uint32_t& id) {
    const auto [entry, fresh] =
        interfaces_.try_emplace(port, Interface{static_cast<uint32_t>(interfaces_.size()), 0});
    id = entry->second.id;
    ++entry->second.frames;
    if (!fresh) return ok_status();
    Body body;
    body.put(kEthernet).put<uint16_t>(0).put(snap_bytes_);
    body.option(kInterfaceName, port);
    body.option(kInterfaceResolution,
                std::string_view(reinterpret_cast<const char*>(&kNanoseconds), 1));
    return put_block(kInterface, body.done());
}

Status PcapngWriter::write(const PcapngFrame& frame) {
    uint32_t id = 0;
    if (auto done = interface_for(frame.port, id); !done) return done;
    const auto captured = static_cast<uint32_t>(frame.data.size());
    last_ns_ = std::max(last_ns_, frame.unix_ns);
    Body body;
    body.put(id).time(frame.unix_ns).put(captured).put(std::max(frame.length, captured));
    body.put_padded({reinterpret_cast<const char*>(frame.data.data()), frame.data.size()});
    if (!frame.comment.empty()) body.option(kComment, frame.comment);
    return put_block(kPacket, body.done());
}

Status PcapngWriter::finish(uint64_t lost) {
    for (const auto& [port, interface] : interfaces_) {
        Body body;
        body.put(interface.id).time(last_ns_);
        const uint64_t dropped = interface.id == 0 ? lost : 0;
        body.option(kStatisticsReceived, interface.frames + dropped)
            .option(kStatisticsDropped, dropped);
        if (auto done = put_block(kStatistics, body.done()); !done) return done;
    }
    return flush();
}

Status PcapngWriter::flush() {
    if (std::fflush(out_) != 0) return Error{std::strerror(errno)};
    return ok_status();
}

}  // namespace ravelin::cli
