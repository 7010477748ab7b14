// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/search.h"

#include <algorithm>
#include <cmath>

namespace ravelin::perf {
namespace {

constexpr double kLongestStep = 0.5;

class Search {
  public:
    Search(double goal, const SearchOptions& options,
           const std::function<double(double, double)>& loss)
        : goal_(goal), options_(options), loss_(loss), found_{0, options.most, 0} {}

    // False: the answer is an end of the range.
    bool phase(double seconds, double width) {
        seconds_ = seconds;
        if (!find_lower(width) || !find_upper(width)) return false;
        while (found_.upper - found_.lower > width * found_.upper) {
            const double middle = std::sqrt(found_.lower * found_.upper);
            (passes(middle) ? found_.lower : found_.upper) = middle;
        }
        return true;
    }
    [[nodiscard]] const Throughput& found() const { return found_; }

  private:
    bool passes(double load) {
        ++found_.trials;
        return loss_(load, seconds_) <= goal_;
    }
    // Down from where the phase before stood, in steps that grow.
    bool find_lower(double width) {
        const bool first = found_.lower == 0;
        double load = first ? options_.most : found_.lower;
        double step = first ? kLongestStep : width;
        while (!passes(load)) {
            found_.upper = load;
            if (load <= options_.least) {
                found_.lower = 0;
                return false;
            }
            load = std::max(options_.least, load * (1 - step));
            step = std::min(kLongestStep, 2 * step);
        }
        found_.lower = load;
        return true;
    }
    // Up, likewise.
    bool find_upper(double width) {
        double step = width;
        if (found_.lower >= options_.most) {
            found_.upper = found_.lower;
            return false;
        }
        while (passes(found_.upper)) {
            found_.lower = found_.upper;
            if (found_.upper >= options_.most) return false;
            found_.upper = std::min(options_.most, found_.upper * (1 + step));
            step = std::min(kLongestStep, 2 * step);
        }
        return true;
    }

    double goal_;
    const SearchOptions& options_;
    const std::function<double(double, double)>& loss_;
    Throughput found_;
    double seconds_ = 0;
};

}  // namespace

Throughput search(double goal, const SearchOptions& options,
                  const std::function<double(double, double)>& loss) {
    Search one(goal, options, loss);
    for (unsigned p = 0; p < options.phases; ++p) {
        const double part = options.phases > 1 ? static_cast<double>(p) / (options.phases - 1) : 1;
        const double seconds =
            options.first_seconds * std::pow(options.last_seconds / options.first_seconds, part);
        const double width = options.width * std::pow(2.0, options.phases - 1 - p);
        if (!one.phase(seconds, width) && one.found().lower == 0) break;
    }
    return one.found();
}

}  // namespace ravelin::perf
