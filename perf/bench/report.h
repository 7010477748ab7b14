// SPDX-License-Identifier: Apache-2.0
// Report: what a figure measured, each quantity once a run; median and spread, and whether the
// target is met.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ravelin::perf {

struct Target {
    enum class Sense : uint8_t { kNone, kAtMost, kAtLeast, kExactly } sense = Sense::kNone;
    double value = 0;
};
inline Target at_most(double value) { return {Target::Sense::kAtMost, value}; }
inline Target at_least(double value) { return {Target::Sense::kAtLeast, value}; }
inline Target exactly(double value) { return {Target::Sense::kExactly, value}; }

/// One quantity. Runs are independent of each other.
struct Measure {
    std::string name, unit;
    Target target;
    std::vector<double> runs;
    [[nodiscard]] double median() const;
    [[nodiscard]] bool met() const;
};

class Report {
  public:
    /// Another run's `name`.
    void add(const std::string& name, const std::string& unit, double value, Target target = {});
    /// What a reader must know to take the numbers right.
    void note(std::string text) { notes_.push_back(std::move(text)); }
    /// Rounds that were taken for it, and those of them that were left out (rounds.h).
    void count_rounds(unsigned taken, unsigned discarded) {
        rounds_ += taken, discarded_ += discarded;
    }
    /// The figures do not hold, and why.
    void make_void(std::string why) { void_.push_back(std::move(why)); }
    /// A table or curve, as the figure likes.
    nlohmann::json& data() { return data_; }
    /// What was set up.
    nlohmann::json& config() { return config_; }

    /// metrics: {name: {median, min, max, unit, runs}}, notes, void, config, data; rounds and
    /// discarded_rounds where there were any.
    [[nodiscard]] nlohmann::json json() const;
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool met() const;

  private:
    std::vector<Measure> measures_;
    std::vector<std::string> notes_, void_;
    unsigned rounds_ = 0, discarded_ = 0;
    nlohmann::json data_, config_ = nlohmann::json::object();
};

/// The middle one; of an even number the mean of the two. 0 of none.
double median_of(std::vector<double> values);
/// The value that a share of `q` (0 to 1) of them do not exceed. 0 of none.
double quantile_of(std::vector<double> values, double q);

}  // namespace ravelin::perf
