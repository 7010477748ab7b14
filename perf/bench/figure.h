// SPDX-License-Identifier: Apache-2.0
// A figure: one file in perf/figures that measures one thing and registers itself.
#pragma once
#include <string>
#include <vector>

#include "perf/bench/report.h"

namespace ravelin::perf {

struct Options {
    unsigned repeats = 5;
    bool sections = false;  ///< where the figure can: cycles of each stage
    bool quick = false;     ///< less of everything: shows that it runs
    std::string only;       ///< of figures of several parts: the one to run
};

struct Figure {
    const char* name;
    const char* help;
    void (*run)(const Options& options, Report& report);
};

inline std::vector<Figure>& figures() {
    static std::vector<Figure> all;
    return all;
}

struct FigureRegistration {
    explicit FigureRegistration(const Figure& figure) { figures().push_back(figure); }
};

}  // namespace ravelin::perf
