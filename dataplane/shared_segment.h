// SPDX-License-Identifier: Apache-2.0
// SharedSegment: a file mapped into memory that outlives the process. Flow tables survive a crash
// in one; counters reach the control plane through another. Boot only.
#pragma once
#include <cstddef>
#include <string>

#include "dataplane/result.h"

namespace ravelin {

/// Owns the mapping and, if it is the writer, an exclusive lock on the file, which the kernel
/// drops when the process dies.
class SharedSegment {
  public:
    /// Maps `path` for the one writer, `bytes` long, mode 0600. A file that is missing or of
    /// another size is made anew, zeroed, with its storage reserved (the old one is unlinked, so
    /// its readers keep what they have). Errors name path and cause; one is that another process
    /// has the segment.
    static Result<SharedSegment> open(const std::string& path, size_t bytes);
    /// Maps an existing file for reading, at its own size.
    static Result<SharedSegment> open_reader(const std::string& path);

    SharedSegment(SharedSegment&& other) noexcept;
    SharedSegment& operator=(SharedSegment&& other) noexcept;
    SharedSegment(const SharedSegment&) = delete;
    SharedSegment& operator=(const SharedSegment&) = delete;
    ~SharedSegment();

    [[nodiscard]] void* data() const noexcept { return data_; }
    [[nodiscard]] size_t size() const noexcept { return size_; }
    /// The file was made by this call: there is nothing to adopt.
    [[nodiscard]] bool created() const noexcept { return created_; }
    /// How much of it stands in huge pages now, in bytes, as the kernel tells.
    [[nodiscard]] size_t huge_bytes() const noexcept;

  private:
    SharedSegment(int fd, void* data, size_t size, bool created) noexcept
        : fd_(fd), data_(data), size_(size), created_(created) {}

    int fd_;
    void* data_;
    size_t size_;
    bool created_;
};

}  // namespace ravelin
