// SPDX-License-Identifier: Apache-2.0
// Report: what a figure measured, each quantity once a repeat; median and spread, and whether the
// target is met.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ravelin::perf {

struct Target {
    enum class Sense : uint8_t { kNone, kAtMost, kAtLeast } sense = Sense::kNone;
    double value = 0;
};
inline Target at_most(double value) { return {Target::Sense::kAtMost, value}; }
inline Target at_least(double value) { return {Target::Sense::kAtLeast, value}; }

/// One quantity. Repeats of it are independent of each other.
struct Measure {
    std::string name, unit;
    Target target;
    std::vector<double> repeats;
    [[nodiscard]] double median() const;
    [[nodiscard]] bool met() const;
};

class Report {
  public:
    /// Another repeat of `name`.
    void add(const std::string& name, const std::string& unit, double value, Target target = {});
    /// What a reader must know to take the numbers right.
    void note(std::string text) { notes_.push_back(std::move(text)); }
    /// A table or curve, as the figure likes.
    nlohmann::json& data() { return data_; }

    [[nodiscard]] nlohmann::json json() const;
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool met() const;

  private:
    std::vector<Measure> measures_;
    std::vector<std::string> notes_;
    nlohmann::json data_;
};

/// The middle one; of an even number the mean of the two. 0 of none.
double median_of(std::vector<double> values);
/// The value that a share of `q` (0 to 1) of them do not exceed. 0 of none.
double quantile_of(std::vector<double> values, double q);

}  // namespace ravelin::perf
