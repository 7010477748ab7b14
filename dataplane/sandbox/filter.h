// SPDX-License-Identifier: Apache-2.0
// The seccomp filter as data: which system calls, with which arguments, and what becomes of the
// rest. Turned into classic BPF by program() (seccomp(2),
// Documentation/userspace-api/seccomp_filter).
#pragma once
#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace ravelin::sandbox {

/// (argument & mask) == value; the upper half is looked at only where the mask has bits there,
/// because the kernel ignores it for an int.
struct Condition {
    unsigned argument = 0;
    uint64_t mask = 0;
    uint64_t value = 0;
};

/// A system call that passes if all conditions hold; listed twice, either list will do.
struct Call {
    long number = 0;
    std::vector<Condition> when = {};
};

/// What runs without ado: threads, memory, clocks, waiting, reading and writing what is open.
/// No memory that is both made here and executable.
void add_everyday_calls(std::vector<Call>& calls);
/// socket(domain, type, protocol); protocol -1: any.
Call socket_call(int domain, int type, int protocol = -1);
/// Calls no part of Ravelin makes and every intruder wants: other programs, other processes'
/// memory, mounts, namespaces, user ids, kernel code. Whoever calls them is not us any more:
/// SIGSYS.
std::span<const long> fatal_calls();

/// `allowed` passes, `fatal` kills the process, clone3 is ENOSYS (its flags lie in memory, which no
/// filter can read, and the C library falls back on clone), the rest is EPERM. A system call of
/// another architecture kills.
std::vector<sock_filter> program(std::span<const Call> allowed, std::span<const long> fatal);

}  // namespace ravelin::sandbox
