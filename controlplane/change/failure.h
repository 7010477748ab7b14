// SPDX-License-Identifier: Apache-2.0
// Why a request was not carried out, in the words and kinds of the API.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace ravelin::control {

enum class FailureKind : uint8_t {
    kInvalid,      ///< the request or the configuration is wrong; asking again will not help
    kRefused,      ///< right in itself, but not now or not by this data plane
    kUnavailable,  ///< the data plane is not there or did not answer
    kInternal,     ///< a full disk and the like
};

struct Failure {
    FailureKind kind = FailureKind::kInternal;
    std::string message;
};

constexpr std::string_view name_of(FailureKind kind) {
    switch (kind) {
        case FailureKind::kInvalid:
            return "invalid";
        case FailureKind::kRefused:
            return "refused";
        case FailureKind::kUnavailable:
            return "unavailable";
        case FailureKind::kInternal:
            break;
    }
    return "internal";
}

}  // namespace ravelin::control
