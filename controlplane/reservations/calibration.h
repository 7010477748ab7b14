// SPDX-License-Identifier: Apache-2.0
// Calibration: what `ravelin calibrate` found the machine to be able to do, kept in the state
// directory.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/commit/durable_file.h"
#include "dataplane/result.h"

namespace ravelin::control {

class Calibration {
  public:
    /// Reads `<directory>/calibration`; none there: nothing is known. Error: path and what is
    /// wrong.
    Status open(const std::string& directory, commit::FileOps& files);
    /// Checks and keeps, durably, in place of what was known. Error: nothing changed.
    ///   {"unix_ms": when, "machine": what, "workers": [{"worker": 0, "cpu": 1,
    ///    "cycles_per_second": tsc cycles, ...}], "ports": [{"port": name, "bits_per_second": n}]}
    Status keep(const nlohmann::json& measured);

    /// Of the slowest worker, cycles of the time-stamp counter a second; 0: nothing is known.
    [[nodiscard]] uint64_t worker_cycles() const;
    /// As it was kept; null: nothing.
    [[nodiscard]] const nlohmann::json& told() const { return told_; }

  private:
    Status take(const nlohmann::json& measured);

    commit::FileOps* files_ = nullptr;
    std::string path_;
    nlohmann::json told_;
};

}  // namespace ravelin::control
