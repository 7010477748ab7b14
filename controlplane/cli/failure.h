// SPDX-License-Identifier: Apache-2.0
// How a command ends. A Failure is thrown from anywhere in the command and caught once, in main.
#pragma once
#include <stdexcept>
#include <string>

namespace ravelin::cli {

enum ExitCode : int {
    kOk = 0,
    kFailed = 1,       ///< the control plane refused, or the command could not do it
    kUsage = 2,        ///< the command line is wrong
    kUnreachable = 3,  ///< no control plane answers
    kWarnings = 4,     ///< check --strict: correct, but with warnings
};

struct Failure : std::runtime_error {
    Failure(ExitCode exit_code, const std::string& message, std::string error_kind = {})
        : std::runtime_error(message), code(exit_code), kind(std::move(error_kind)) {}
    ExitCode code;
    std::string kind;  ///< the control plane's word for what went wrong; empty: the command's own
};

}  // namespace ravelin::cli
