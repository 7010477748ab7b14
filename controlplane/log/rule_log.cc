// SPDX-License-Identifier: Apache-2.0
#include "controlplane/log/rule_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <syslog.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

using Json = nlohmann::ordered_json;

std::string time_of(uint64_t unix_ns) {
    const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds),
                       unix_ns / 1000 % 1'000'000);
}

std::string line_of(const model::RuleLog& record) {
    Json line{{"time", time_of(record.unix_ns())},
              {"generation", record.generation()},
              {"rule", record.rule()},
              {"action", record.action()},
              {"in", record.in_port()},
              {"out", record.out_port()},
              {"protocol", record.protocol()},
              {"source", record.source()},
              {"source_port", record.source_port()},
              {"destination", record.destination()},
              {"destination_port", record.destination_port()},
              {"length", record.length()}};
    if (!record.reason().empty()) line["reason"] = record.reason();
    return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void RuleLog::configure(const Options& options) {
    if (options == options_ && fd_) return;
    const bool same_file = options.path == options_.path && fd_;
    options_ = options;
    if (!same_file) open();
}

void RuleLog::open() {
    fd_.reset(::open(options_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    struct stat info {};
    if (!fd_ || ::fstat(fd_.get(), &info) != 0) {
        problem_ = fmt::format("{}: {}", options_.path, std::strerror(errno));
        return log_warning("rule log: " + problem_);
    }
    bytes_ = static_cast<uint64_t>(info.st_size);
    problem_.clear();
}

void RuleLog::rotate() {
    const std::string old = options_.path + ".1";
    if (std::rename(options_.path.c_str(), old.c_str()) == 0) return open();
    problem_ = fmt::format("{}: rename: {}", old, std::strerror(errno));
    bytes_ = 0;  // try again after as much more
}

bool RuleLog::admit(Clock::time_point now) {
    const double rate = static_cast<double>(options_.lines_per_second);
    const std::chrono::duration<double> passed = now - refilled_;
    tokens_ =
        refilled_ == Clock::time_point{} ? rate : std::min(rate, tokens_ + rate * passed.count());
    refilled_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
}

void RuleLog::write(const std::string& line) {
    if (!fd_) open();
    const std::string whole = line + "\n";
    const ssize_t n = fd_ ? ::write(fd_.get(), whole.data(), whole.size()) : -1;
    if (n != static_cast<ssize_t>(whole.size())) {
        ++counts_.failed;
        const bool first = problem_.empty();
        problem_ =
            fmt::format("{}: write: {}", options_.path, n < 0 ? std::strerror(errno) : "short");
        if (first) log_warning("rule log: " + problem_ + "; counting what is lost");
        // Half a line must not run into the next.
        if (n > 0 && ::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0)
            bytes_ += static_cast<uint64_t>(n);
        return;
    }
    problem_.clear();
    ++counts_.written;
    bytes_ += whole.size();
    if (options_.syslog) ::syslog(LOG_INFO, "%s", line.c_str());
    if (bytes_ >= options_.rotate_bytes) rotate();
}

void RuleLog::tell_losses(uint64_t generation) {
    const uint64_t lost = counts_.lost() - told_;
    if (lost == 0) return;
    const uint64_t failed = counts_.failed;
    write(Json{{"generation", generation}, {"lost", lost}}.dump());
    if (counts_.failed == failed)
        told_ += lost;
    else
        --counts_.failed;  // the notice itself is no decision
}

void RuleLog::take(const model::RuleLog& record, Clock::time_point now) {
    if (record.lost() > ring_lost_) counts_.in_rings += record.lost() - ring_lost_;
    ring_lost_ = record.lost();
    if (!admit(now)) {
        ++counts_.beyond_rate;
        return;
    }
    tell_losses(record.generation());
    write(line_of(record));
}

}  // namespace ravelin::control
