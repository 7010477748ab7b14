// SPDX-License-Identifier: Apache-2.0
#include "controlplane/loop/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <string>

namespace ravelin::control {
namespace {

std::atomic<uint64_t> generation_in_force = 0;  // read by any thread, orders nothing

void write_line(std::string_view level, std::string_view text) {
    const uint64_t generation = generation_in_force.load(std::memory_order_relaxed);
    std::string line = fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {} generation={} {}",
                                   fmt::gmtime(std::time(nullptr)), level, generation, text);
    std::ranges::replace(line, '\n', ' ');
    line.push_back('\n');
    // One write, so that lines of several processes on one stderr stay whole.
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void set_log_generation(uint64_t generation) {
    generation_in_force.store(generation, std::memory_order_relaxed);
}

void log_info(std::string_view text) { write_line("info", text); }
void log_warning(std::string_view text) { write_line("warning", text); }
void log_error(std::string_view text) { write_line("error", text); }

}  // namespace ravelin::control
