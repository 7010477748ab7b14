// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/record.h"

#include <algorithm>
#include <array>
#include <optional>

namespace ravelin::commit {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint64_t kHeaderBytes = 8;
constexpr uint64_t kTrailerBytes = 4;
constexpr uint64_t kSectorBytes = 512;  // smallest unit a disk writes whole

constexpr std::array<uint32_t, 256> make_crc_table() {
    constexpr uint32_t kCastagnoliReflected = 0x82f63b78;
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < table.size(); ++i) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kCastagnoliReflected : 0);
        table[i] = crc;
    }
    return table;
}
constexpr auto kCrcTable = make_crc_table();

void put_number(std::string& out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

void put_text(std::string& out, const std::string& text) {
    put_u32(out, static_cast<uint32_t>(text.size()));
    out += text;
}

bool all_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == bytes.npos; }

/// Whether the tail of `file` from `offset` has zeros where a crash left sectors unwritten.
bool has_unwritten_end(std::string_view file, uint64_t offset) {
    if (all_zero(file.substr(offset))) return true;
    uint64_t sector = (offset / kSectorBytes + 1) * kSectorBytes;
    for (; sector + kTrailerBytes <= file.size(); sector += kSectorBytes) {
        if (all_zero(file.substr(sector))) return true;
    }
    return false;
}

std::optional<Record> decode(std::string_view payload) {
    FieldReader in(payload);
    if (in.number(1) != kFormat) return std::nullopt;
    const uint64_t kind = in.number(1);
    if (kind < 1 || kind > static_cast<uint64_t>(RecordKind::rollback)) return std::nullopt;
    Record r;
    r.kind = static_cast<RecordKind>(kind);
    r.generation = in.u64();
    r.parent = in.u64();
    r.unix_ms = in.u64();
    r.confirm_deadline_ms = in.u64();
    r.author = in.text();
    r.comment = in.text();
    if (!in.finished()) return std::nullopt;
    return r;
}

}  // namespace

std::string_view name_of(RecordKind kind) {
    switch (kind) {
        case RecordKind::intent:
            return "intent";
        case RecordKind::provisional:
            return "provisional";
        case RecordKind::commit:
            return "commit";
        case RecordKind::abort:
            return "abort";
        case RecordKind::rollback:
            return "rollback";
    }
    return "unknown";
}

uint32_t crc32c(std::string_view bytes, uint32_t earlier) {
    uint32_t crc = ~earlier;
    for (const char c : bytes) {
        crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
    }
    return ~crc;
}

void put_u32(std::string& out, uint32_t value) { put_number(out, value, 4); }
void put_u64(std::string& out, uint64_t value) { put_number(out, value, 8); }

uint64_t FieldReader::number(size_t bytes) {
    if (rest_.size() < bytes) ok_ = false;
    if (!ok_) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
        value |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
    }
    rest_.remove_prefix(bytes);
    return value;
}

std::string FieldReader::text() {
    const uint32_t length = u32();
    if (rest_.size() < length) ok_ = false;
    if (!ok_) return {};
    std::string text(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return text;
}

std::string encode(const Record& record) {
    std::string payload;
    put_number(payload, kFormat, 1);
    put_number(payload, static_cast<uint64_t>(record.kind), 1);
    put_u64(payload, record.generation);
    put_u64(payload, record.parent);
    put_u64(payload, record.unix_ms);
    put_u64(payload, record.confirm_deadline_ms);
    put_text(payload, record.author);
    put_text(payload, record.comment);
    return frame_of(payload);
}

std::string frame_of(std::string_view payload) {
    std::string frame;
    put_u32(frame, static_cast<uint32_t>(payload.size()));
    put_u32(frame, crc32c(frame));
    frame += payload;
    put_u32(frame, crc32c(payload));
    return frame;
}

RawFrame read_raw_frame(std::string_view file, uint64_t offset) {
    RawFrame frame;
    const std::string_view rest = file.substr(offset);
    if (rest.size() < kHeaderBytes) {
        frame.kind = RawFrame::Kind::torn;
        return frame;
    }
    FieldReader header(rest);
    const uint64_t length = header.u32();
    if (header.u32() != crc32c(rest.substr(0, 4))) {
        if (has_unwritten_end(file, offset)) frame.kind = RawFrame::Kind::torn;
        frame.problem = "checksum of the record's length is wrong";
        return frame;
    }
    frame.size = kHeaderBytes + length + kTrailerBytes;
    if (rest.size() < frame.size) {
        frame.kind = RawFrame::Kind::torn;
        return frame;
    }
    frame.payload = rest.substr(kHeaderBytes, length);
    if (FieldReader(rest.substr(kHeaderBytes + length)).u32() == crc32c(frame.payload)) {
        frame.kind = RawFrame::Kind::whole;
        return frame;
    }
    const bool last = rest.size() == frame.size;
    if (last && has_unwritten_end(file, offset)) frame.kind = RawFrame::Kind::torn;
    frame.problem = "checksum of the record is wrong";
    return frame;
}

Frame read_frame(std::string_view file, uint64_t offset) {
    RawFrame raw = read_raw_frame(file, offset);
    Frame frame;
    frame.size = raw.size;
    frame.problem = std::move(raw.problem);
    if (raw.kind == RawFrame::Kind::torn) frame.kind = Frame::Kind::torn;
    if (raw.kind != RawFrame::Kind::whole) return frame;
    if (auto record = decode(raw.payload)) {
        frame.kind = Frame::Kind::record;
        frame.record = std::move(*record);
    } else {
        frame.problem = "record of an unknown format or kind";
    }
    return frame;
}

uint64_t find_record(std::string_view file, uint64_t offset) {
    while (offset < file.size() && read_frame(file, offset).kind != Frame::Kind::record) ++offset;
    return std::min<uint64_t>(offset, file.size());
}

}  // namespace ravelin::commit
