// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ravelin::perf {
namespace {

const char* sense_of(const Target& target) {
    if (target.sense == Target::Sense::kExactly) return "exactly";
    return target.sense == Target::Sense::kAtMost ? "at most" : "at least";
}

std::string number(double value) {
    if (std::abs(value) >= 1000) return fmt::format("{:.0f}", value);
    return fmt::format("{:.3g}", value);
}

}  // namespace

double quantile_of(std::vector<double> values, double q) {
    if (values.empty()) return 0;
    const auto at = static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
    std::ranges::nth_element(values, values.begin() + static_cast<long>(at));
    return values[at];
}

double median_of(std::vector<double> values) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    const size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double Measure::median() const { return median_of(runs); }

bool Measure::met() const {
    if (target.sense == Target::Sense::kNone) return true;
    if (target.sense == Target::Sense::kExactly)  // in no run otherwise, whatever the median
        return std::ranges::all_of(runs, [&](double v) { return v == target.value; });
    return target.sense == Target::Sense::kAtMost ? median() <= target.value
                                                  : median() >= target.value;
}

void Report::add(const std::string& name, const std::string& unit, double value, Target target) {
    auto found = std::ranges::find(measures_, name, &Measure::name);
    if (found == measures_.end())
        found = measures_.insert(measures_.end(), {name, unit, target, {}});
    found->runs.push_back(value);
}

bool Report::met() const { return void_.empty() && std::ranges::all_of(measures_, &Measure::met); }

nlohmann::json Report::json() const {
    nlohmann::json out{
        {"metrics", nlohmann::json::object()}, {"notes", notes_}, {"config", config_}};
    for (const Measure& m : measures_) {
        nlohmann::json one{{"unit", m.unit},
                           {"median", m.median()},
                           {"min", std::ranges::min(m.runs)},
                           {"max", std::ranges::max(m.runs)},
                           {"runs", m.runs}};
        if (m.target.sense != Target::Sense::kNone)
            one.update({{"target", fmt::format("{} {}", sense_of(m.target), m.target.value)},
                        {"met", m.met()}});
        out["metrics"][m.name] = std::move(one);
    }
    if (!void_.empty()) out["void"] = void_;
    if (!data_.is_null()) out["data"] = data_;
    if (rounds_ != 0) out.update({{"rounds", rounds_}, {"discarded_rounds", discarded_}});
    return out;
}

std::string Report::text() const {
    std::string out;
    for (const Measure& m : measures_) {
        out += fmt::format("  {:<44} {:>10} {:<22} {} to {}", m.name, number(m.median()), m.unit,
                           number(std::ranges::min(m.runs)), number(std::ranges::max(m.runs)));
        if (m.target.sense != Target::Sense::kNone)
            out += fmt::format("   {} {} {}", m.met() ? "met:" : "MISSED:", sense_of(m.target),
                               number(m.target.value));
        out += '\n';
    }
    for (const std::string& why : void_) out += "  VOID: " + why + '\n';
    if (rounds_ != 0) out += fmt::format("  {} of {} rounds discarded\n", discarded_, rounds_);
    for (const std::string& note : notes_) out += "  note: " + note + '\n';
    return out;
}

}  // namespace ravelin::perf
