// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ravelin::sandbox {
namespace {

// Newer than Debian 12's headers.
constexpr uint64_t kTruncate = 1u << 14;                                  // ABI 3
constexpr uint64_t kIoctlDevice = 1u << 15;                               // ABI 5
constexpr uint64_t kConnectTcp = 1u << 1;                                 // ABI 4
constexpr uint64_t kScopeAbstractUnix = 1u << 0, kScopeSignal = 1u << 1;  // ABI 6

struct Attributes {
    uint64_t files = 0, network = 0, scoped = 0;
};

constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kReadTree = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr uint64_t kWriteTree = kWriteFile | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                LANDLOCK_ACCESS_FS_REFER;
constexpr uint64_t kNever = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                            LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                            LANDLOCK_ACCESS_FS_MAKE_SYM | kIoctlDevice;

/// What this kernel can watch over.
Attributes handled(int abi, bool signals) {
    Attributes out{.files = kReadTree | kWriteTree | kNever};
    if (abi < 2) out.files &= ~uint64_t{LANDLOCK_ACCESS_FS_REFER};
    if (abi < 3) out.files &= ~kTruncate;
    if (abi < 5) out.files &= ~kIoctlDevice;
    if (abi >= 4) out.network = kConnectTcp;
    if (abi >= 6) out.scoped = kScopeAbstractUnix | (signals ? 0 : kScopeSignal);
    return out;
}

size_t bytes_known(int abi) { return (abi >= 6 ? 3 : abi >= 4 ? 2 : 1) * sizeof(uint64_t); }

Error failed(const std::string& what) { return Error{what + ": " + std::strerror(errno)}; }

Status add(int ruleset, const PathRule& rule, uint64_t watched) {
    const int fd = ::open(rule.path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return ok_status();
    if (fd < 0) return failed(rule.path);
    struct stat info {};
    const bool folder = ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    uint64_t access = folder ? kReadTree : kReadFile;
    if (rule.access == Access::kWrite) access |= folder ? kWriteTree : kWriteFile;
    if (rule.access == Access::kDevice) access |= kWriteFile | kIoctlDevice;
    const landlock_path_beneath_attr below{.allowed_access = access & watched, .parent_fd = fd};
    const long added =
        ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
    Status outcome = added == 0 ? ok_status() : Status(failed(rule.path));
    ::close(fd);
    return outcome;
}

}  // namespace

Result<Ruleset> make_ruleset(std::span<const PathRule> paths, bool signals) {
    const auto abi = static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
    if (abi < 1) return Error{"this kernel has none"};
    const Attributes attributes = handled(abi, signals);
    Ruleset out{.abi = abi};
    out.fd =
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, bytes_known(abi), 0));
    if (out.fd < 0) return failed("no ruleset");
    for (const PathRule& rule : paths)
        if (Status s = add(out.fd, rule, attributes.files); !s) {
            ::close(out.fd);
            return std::move(s.error());
        }
    return out;
}

int restrict_thread(int ruleset) noexcept {
    return ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : errno;
}

}  // namespace ravelin::sandbox
