// SPDX-License-Identifier: Apache-2.0
// Cycles a packet of `ravelin reserve --cpu auto`: as the principal's functions have taken so far.
#pragma once
#include <string>
#include <vector>

#include "control.pb.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::control {

struct Measured {
    std::string function;
    uint64_t packets = 0;  ///< seen
    uint64_t most = 0;     ///< cycles that all but one in a thousand were within
    uint64_t cycles = 0;   ///< to reserve for each: a quarter more
};

/// Of each function that its packets go through, in their order. `functions`: as the data plane has
/// counted them. Errors: the principal has no function, or one has seen fewer than 10,000 packets:
/// beyond the most would be fewer than ten.
Result<std::vector<Measured>> measure(
    const config::Node& tree, const std::string& principal,
    const google::protobuf::RepeatedPtrField<model::FunctionRecord>& functions);

}  // namespace ravelin::control
