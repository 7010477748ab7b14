// SPDX-License-Identifier: Apache-2.0
// admission_study: the figures of admission control as JSON. `--help` tells the rest.
#include "tests/admission/study.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>

namespace ravelin::study {

nlohmann::json quantiles(std::vector<double> sample) {
    if (sample.empty()) return nullptr;
    std::sort(sample.begin(), sample.end());
    const auto at = [&](double part) {
        return sample[static_cast<size_t>(part * double(sample.size() - 1) + 0.5)];
    };
    return {{"min", sample.front()}, {"p10", at(0.1)},  {"median", at(0.5)},
            {"p90", at(0.9)},        {"p99", at(0.99)}, {"max", sample.back()}};
}

void progress(const char* what, uint64_t done, uint64_t all) {
    if (done * 20 / all == (done - 1) * 20 / all) return;
    fmt::print(stderr, "study: {} {} %\n", what, done * 100 / all);
}

}  // namespace ravelin::study

int main(int argc, char** argv) {
    using namespace ravelin;
    CLI::App app{
        "How many flows each admission test admits, what becomes of them in virtual time, and how "
        "long a decision takes. Example: admission_study --seeds 50"};
    unsigned seeds = 1000;
    std::vector<uint64_t> capacities{10'000'000, 20'000'000, 50'000'000, 100'000'000};
    size_t reservations = 10'000;
    unsigned decisions = 2'000;
    app.add_option("--seeds", seeds, "sets of requests")->capture_default_str();
    app.add_option("--capacity", capacities,
                   "units/s of both resources; divide 10^9; works are 100 to 10,000 units")
        ->capture_default_str();
    app.add_option("--reservations", reservations,
                   "there when a decision is timed; 0: none is timed")
        ->capture_default_str();
    app.add_option("--decisions", decisions, "that are timed")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    nlohmann::json report{{"figure1", study::figure()}};
    for (const uint64_t capacity : capacities) {
        if (seeds == 0) continue;
        if (capacity == 0 || 1'000'000'000 % capacity != 0) {
            fmt::print(stderr, "admission_study: --capacity {} does not divide 10^9\n", capacity);
            return 2;
        }
        report["mix"].push_back(study::mix(capacity, seeds));
    }
    if (reservations != 0) report["latency"] = study::latency(reservations, decisions);
    std::cout << report.dump(2) << "\n";
    return 0;
}
