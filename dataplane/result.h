// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or one readable error line. GCC 12 has no std::expected.
#pragma once
#include <string>
#include <utility>
#include <variant>

namespace ravelin {

/// One line for the operator: what was found, what was expected. Context is added outward in.
struct Error {
    std::string message;
    Error within(const std::string& context) && {
        return Error{context + ": " + std::move(message)};
    }
};

template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value)
        : state_(std::in_place_index<0>, std::move(value)) {
    }  // NOLINT(google-explicit-constructor)
    Result(Error error)
        : state_(std::in_place_index<1>, std::move(error)) {
    }  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    T& value() { return *std::get_if<0>(&state_); }
    const T& value() const { return *std::get_if<0>(&state_); }
    T& operator*() { return value(); }
    const T& operator*() const { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    Error& error() { return *std::get_if<1>(&state_); }
    [[nodiscard]] const Error& error() const { return *std::get_if<1>(&state_); }

  private:
    std::variant<T, Error> state_;
};

/// Success or an error, where there is no value to return.
using Status = Result<std::monostate>;
inline Status ok_status() { return std::monostate{}; }

}  // namespace ravelin
