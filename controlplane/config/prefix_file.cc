// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/prefix_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "controlplane/config/scalars.h"
#include "controlplane/config/wording.h"

namespace ravelin::config {
namespace {

constexpr size_t kMaxLineBytes = 4096;
constexpr unsigned kReadBytes = 256 << 10;
constexpr uint64_t kMaxLines = 64'000'000;  // a gzip file may unpack to far more than its size

struct CloseGzip {
    void operator()(gzFile file) const { gzclose_r(file); }
};
using Gzip = std::unique_ptr<std::remove_pointer_t<gzFile>, CloseGzip>;

/// Only regular files: a FIFO would hang the loader.
Result<Gzip*> open_into(const std::string& path, Gzip& out) {
    const auto failed = [&](const char* why) {
        return Error{fmt::format("cannot read {}: {}", shown(path), why)};
    };
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == EACCES)
        return failed(
            "permission denied; the control plane reads below the directory of its "
            "--config, /etc/ravelin and each --readable");
    if (fd < 0) return failed(std::strerror(errno));
    struct stat info {};
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return failed("not a regular file");
    }
    out.reset(gzdopen(fd, "rb"));
    if (!out) {
        close(fd);
        return failed("out of memory");
    }
    gzbuffer(out.get(), kReadBytes);
    return &out;
}

/// The line without comment and surrounding blanks.
std::string_view content_of(std::string_view line) {
    line = line.substr(0, line.find('#'));
    constexpr std::string_view kBlanks = " \t\r\n";
    const size_t first = line.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

void append(std::string& out, const Prefix& prefix) {
    out.append(reinterpret_cast<const char*>(prefix.address.bytes.data()), 16);
    out.push_back(static_cast<char>(prefix.length));
}

}  // namespace

Result<std::string> read_prefix_file(const std::string& path, uint64_t limit) {
    Gzip file;
    if (auto opened = open_into(path, file); !opened) return opened.error();
    std::string out;
    std::array<char, kMaxLineBytes> line;
    uint64_t number = 0, count = 0;
    const auto wrong = [&](std::string_view what) {
        return Error{fmt::format("{}:{}:1: {}", path, number, what)};
    };
    while (gzgets(file.get(), line.data(), static_cast<int>(line.size())) != nullptr) {
        if (++number > kMaxLines) return wrong(fmt::format("more than {} lines", kMaxLines));
        const std::string_view text(line.data());
        if (!text.ends_with('\n') && gzeof(file.get()) == 0)
            return wrong(
                fmt::format("the line has a NUL or more than {} bytes", kMaxLineBytes - 2));
        const std::string_view content = content_of(text);
        if (content.empty()) continue;
        const auto prefix = parse_prefix(content);
        if (!prefix) return wrong(prefix.error().message);
        if (++count > limit) return wrong(fmt::format("more than {} prefixes", limit));
        append(out, *prefix);
    }
    int status = Z_OK;
    const char* why = gzerror(file.get(), &status);
    ++number;
    if (status == Z_BUF_ERROR) return wrong("the gzip data ends too early");
    if (status != Z_OK && status != Z_STREAM_END)
        return wrong(fmt::format("cannot be read: {}", why));
    return out;
}

}  // namespace ravelin::config
