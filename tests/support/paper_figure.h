// SPDX-License-Identifier: Apache-2.0
// Figure 1 of the founding paper: its flows, and the ways to read "load-dependent" (requirements
// S67 to S72).
#pragma once
#include <cstdint>
#include <vector>

#include "controlplane/admission/admission.h"

namespace ravelin::test {

/// Flow `number` of the figure: a packet every 100 ms, due within 100 ms.
admission::Request figure_request(size_t number, admission::Work first = 1,
                                  admission::Work second = 10);

/// Sum of W/d over capacity, in tenths of a percent, rounded to the nearest.
uint64_t utilisation(const admission::Admission& admission, admission::ResourceId id);

struct FigureRow {
    uint64_t first = 0, second = 0;  ///< utilisation, tenths of a percent
};

/// Flows of the figure until the first is refused: utilisations after each that was admitted.
std::vector<FigureRow> fill_figure(admission::Admission& admission);

/// One way to split a deadline, and what the table of S71 says comes of it.
struct Reading {
    const char* name;
    admission::Relaxation relaxation;
    size_t admitted;
    FigureRow final;
};
std::vector<Reading> readings();

}  // namespace ravelin::test
