// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ravelin::control {

std::string Call::text(const char* name) {
    if (!has(name)) return {};
    if (params_[name].is_string()) return params_[name].get<std::string>();
    wrong_ = fmt::format("{}: expected a string", name);
    return {};
}

uint64_t Call::number(const char* name, uint64_t fallback) {
    if (!has(name)) return fallback;
    if (params_[name].is_number_unsigned()) return params_[name].get<uint64_t>();
    wrong_ = fmt::format("{}: expected a number, 0 or more", name);
    return fallback;
}

bool Call::flag(const char* name) {
    if (!has(name)) return false;
    if (params_[name].is_boolean()) return params_[name].get<bool>();
    wrong_ = fmt::format("{}: expected true or false", name);
    return false;
}

std::vector<std::string> Call::texts(const char* name) {
    std::vector<std::string> out;
    if (!has(name)) return out;
    const Json& value = params_[name];
    const bool right = value.is_array() && std::ranges::all_of(value, [](const Json& item) {
                           return item.is_string();
                       });
    if (right)
        for (const Json& item : value) out.push_back(item.get<std::string>());
    else
        wrong_ = fmt::format("{}: expected a list of strings", name);
    return out;
}

void Call::end(Json message) {
    if (std::exchange(ended_, true)) return;
    if (!id_.is_null()) message["id"] = id_;
    send_(message);
    stopped_ = nullptr;
}

void Call::result(Json value) { end(Json{{"result", std::move(value)}}); }

void Call::fail(FailureKind kind, const std::string& message) {
    end(Json{{"error", {{"kind", name_of(kind)}, {"message", message}}}});
}

void Call::stop() {
    if (const auto stopped = std::exchange(stopped_, nullptr)) stopped();
}

}  // namespace ravelin::control
