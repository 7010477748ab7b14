// SPDX-License-Identifier: Apache-2.0
// One journal record and its frame: u32 length, u32 CRC32C of the length, payload, u32 CRC32C of
// the payload; little-endian. The length has its own CRC so that a flipped bit in it cannot pass
// for a torn tail and hide the records behind it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ravelin::commit {

constexpr uint64_t kMaxAuthorBytes = 1024;        // a name, not a document
constexpr uint64_t kMaxCommentBytes = 64 * 1024;  // a long commit message

enum class RecordKind : uint8_t { intent = 1, provisional, commit, abort, rollback };
std::string_view name_of(RecordKind kind);

struct Record {
    RecordKind kind = RecordKind::intent;
    uint64_t generation = 0;
    uint64_t parent = 0;               // the committed generation it replaces; 0: none
    uint64_t unix_ms = 0;              // when the record was written
    uint64_t confirm_deadline_ms = 0;  // Unix ms by which to confirm; 0: final at once
    std::string author;
    std::string comment;
    bool operator==(const Record&) const = default;
};

/// CRC32C (Castagnoli) of `bytes`, continued from that of the bytes before them.
uint32_t crc32c(std::string_view bytes, uint32_t earlier = 0);

void put_u32(std::string& out, uint32_t value);
void put_u64(std::string& out, uint64_t value);

/// Takes little-endian fields off the front of a buffer. Past its end everything reads as zero
/// and ok() turns false for good.
class FieldReader {
  public:
    explicit FieldReader(std::string_view bytes) : rest_(bytes) {}
    uint64_t number(size_t bytes);
    uint32_t u32() { return static_cast<uint32_t>(number(4)); }
    uint64_t u64() { return number(8); }
    std::string text();  // u32 length and bytes
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

/// The record in its frame, ready to append.
std::string encode(const Record& record);

/// Any payload in such a frame.
std::string frame_of(std::string_view payload);
/// What lies at one offset of a file of frames, whatever is in them.
struct RawFrame {
    enum class Kind { whole, torn, damaged } kind = Kind::damaged;
    std::string_view payload;  // of kind whole
    uint64_t size = 0;         // bytes of the frame, of kind whole
    std::string problem;       // of kind damaged
};
RawFrame read_raw_frame(std::string_view file, uint64_t offset);

/// What lies at one offset of a journal.
struct Frame {
    enum class Kind { record, torn, damaged } kind = Kind::damaged;
    Record record;        // of kind record
    uint64_t size = 0;    // bytes of the frame, of kind record
    std::string problem;  // of kind damaged
};

/// Reads the frame at `offset`, which is before the end of `file`. `torn` is what an append cut
/// short by a crash leaves at the end of a file: a part of a frame, or one whose unwritten
/// sectors read as zeros.
Frame read_frame(std::string_view file, uint64_t offset);

/// Offset of the next whole record at or after `offset`; the file's size if there is none.
uint64_t find_record(std::string_view file, uint64_t offset);

}  // namespace ravelin::commit
