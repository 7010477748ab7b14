// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sandbox/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>

namespace ravelin::sandbox {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr uint32_t kForeignBit = 0x40000000;  // of x32, which shares the architecture's number
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr uint32_t kForeignBit = 0;
#else
#error "no system call table for this architecture"
#endif

using Program = std::vector<sock_filter>;

void load(Program& out, size_t offset) {
    out.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)));
}

void answer(Program& out, uint32_t action) { out.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }

/// Goes on with the next instruction if equal, else leaves `skipped` of them out.
void expect(Program& out, uint32_t value, size_t skipped) {
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, static_cast<uint8_t>(skipped)));
}

struct Half {
    uint32_t offset, mask, value;
};

std::vector<Half> halves(const std::vector<Condition>& conditions) {
    std::vector<Half> out;
    for (const Condition& c : conditions) {
        const size_t low = offsetof(seccomp_data, args) + c.argument * sizeof(uint64_t);
        const Half parts[] = {{static_cast<uint32_t>(low), static_cast<uint32_t>(c.mask),
                               static_cast<uint32_t>(c.value)},
                              {static_cast<uint32_t>(low + 4), static_cast<uint32_t>(c.mask >> 32),
                               static_cast<uint32_t>(c.value >> 32)}};
        for (const Half& part : parts)
            if (part.mask != 0) out.push_back(part);
    }
    return out;
}

/// The number is in the accumulator before and after.
void pass(Program& out, const Call& call) {
    constexpr size_t kPerHalf = 3;
    const auto checks = halves(call.when);
    const size_t reload = checks.empty() ? 0 : 1;
    expect(out, static_cast<uint32_t>(call.number), checks.size() * kPerHalf + 1 + reload);
    for (size_t i = 0; i < checks.size(); ++i) {
        load(out, checks[i].offset);
        out.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, checks[i].mask));
        expect(out, checks[i].value, (checks.size() - 1 - i) * kPerHalf + 1);
    }
    answer(out, SECCOMP_RET_ALLOW);
    if (reload != 0) load(out, offsetof(seccomp_data, nr));
}

void refuse(Program& out, long number, uint32_t action) {
    expect(out, static_cast<uint32_t>(number), 1);
    answer(out, action);
}

}  // namespace

std::vector<sock_filter> program(std::span<const Call> allowed, std::span<const long> fatal) {
    Program out;
    load(out, offsetof(seccomp_data, arch));
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
    answer(out, SECCOMP_RET_KILL_PROCESS);
    load(out, offsetof(seccomp_data, nr));
    if (kForeignBit != 0) {
        out.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kForeignBit, 0, 1));
        answer(out, SECCOMP_RET_KILL_PROCESS);
    }
    for (const Call& call : allowed) pass(out, call);
    for (const long number : fatal) refuse(out, number, SECCOMP_RET_KILL_PROCESS);
    refuse(out, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    answer(out, SECCOMP_RET_ERRNO | EPERM);
    return out;
}

}  // namespace ravelin::sandbox
