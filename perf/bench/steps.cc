// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/steps.h"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace ravelin::perf {
namespace {

constexpr greg_t kTrapFlag = 0x100;
constexpr size_t kPlaces = 1 << 16;  // distinct instructions, a power of two

std::array<Steps::Place, kPlaces> table;
uint64_t total;

// Here stepping ends.
[[gnu::noinline]] void end_mark() { asm volatile("" ::: "memory"); }

void on_step(int /*signal*/, siginfo_t* /*info*/, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto at = static_cast<uintptr_t>(registers[REG_RIP]);
    if (at == reinterpret_cast<uintptr_t>(&end_mark)) registers[REG_EFL] &= ~kTrapFlag;
    ++total;
    size_t slot = at * 0x9e3779b97f4a7c15u >> 48;
    for (size_t i = 0; i < kPlaces && table[slot].address != at; ++i) {
        if (table[slot].address == 0) {
            table[slot].address = at;
            break;
        }
        slot = (slot + 1) % kPlaces;
    }
    ++table[slot].times;
}

// What the instruction set's manual calls legacy prefixes, and REX.
bool is_prefix(uint8_t byte) {
    constexpr std::array<uint8_t, 11> kLegacy{0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e,
                                              0x36, 0x3e, 0x26, 0x64, 0x65};
    return byte >> 4 == 4 || std::ranges::find(kLegacy, byte) != kLegacy.end();
}

void classify(const Steps::Place& place, Dear& dear) {
    const auto* code = reinterpret_cast<const uint8_t*>(place.address);
    bool locked = false;
    for (; is_prefix(*code); ++code) locked |= *code == 0xf0;
    const uint8_t operation = code[1] >> 3 & 7;
    const bool memory = code[1] >> 6 != 3;
    // xchg with memory locks by itself.
    if (locked || ((code[0] == 0x86 || code[0] == 0x87) && memory)) dear.locked += place.times;
    if ((code[0] == 0xf6 || code[0] == 0xf7) && operation >= 6) dear.divisions += place.times;
    if (code[0] != 0x0f) return;
    if (code[1] == 0x31 || (code[1] == 0x01 && code[2] == 0xf9)) dear.clocks += place.times;
    if (code[1] == 0x05) dear.calls += place.times;
}

}  // namespace

void begin_steps() {
    struct sigaction action {};
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGTRAP, &action, nullptr) != 0) std::abort();
    table.fill({});
    total = 0;
    // Past the red zone, where the compiler may keep what is its own.
    asm volatile(
        "leaq -128(%%rsp), %%rsp\n"
        "pushfq\n"
        "orq $0x100, (%%rsp)\n"
        "popfq\n"
        "leaq 128(%%rsp), %%rsp" ::
            : "memory", "cc");
}

Steps end_steps() {
    end_mark();
    Steps out{.instructions = total, .dear = {}, .places = {}};
    std::ranges::copy_if(table, std::back_inserter(out.places),
                         [](const Steps::Place& p) { return p.times != 0; });
    if (out.places.size() == kPlaces) {
        std::fputs("perf: more distinct instructions than there is room for\n", stderr);
        std::exit(1);
    }
    for (const Steps::Place& place : out.places) classify(place, out.dear);
    return out;
}

}  // namespace ravelin::perf
