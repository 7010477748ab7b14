// SPDX-License-Identifier: Apache-2.0
// A figure: one file in perf/figures that measures one thing and registers itself.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "perf/bench/report.h"
#include "perf/replay/tape.h"

namespace ravelin::perf {

struct Options {
    unsigned runs = 5;
    bool sections = false;    ///< where the figure can: cycles of each stage
    bool quick = false;       ///< less of everything: shows that it runs
    std::string only;         ///< of figures of several parts: the one to run
    std::string bench = {};   ///< how it is called
    std::string frames = {};  ///< of forwarding: bytes with check sequence, or imix; empty: 64
    uint64_t flows = 0;       ///< of forwarding; 0: as the figure says
    Layout layout = {};       ///< of l3, acl and stateful
    unsigned workers = 0;     ///< of scaling: up to so many; 0: one a CPU
    std::string config = {};  ///< of own: the policy
    unsigned slower = 0;      ///< of instructions: rounds of two that a stage wastes on a packet
};

struct Figure {
    const char* name;
    const char* help;
    void (*run)(const Options& options, Report& report);
    /// What Options::only may say; null: it has one part.
    std::vector<std::string> (*parts)() = nullptr;
};

inline std::vector<Figure>& figures() {
    static std::vector<Figure> all;
    return all;
}

struct FigureRegistration {
    FigureRegistration(std::initializer_list<Figure> some) {
        figures().insert(figures().end(), some);
    }
};

}  // namespace ravelin::perf
