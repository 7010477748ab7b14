// SPDX-License-Identifier: Apache-2.0
// Call: one request on control.sock and the way to answer it, now or later.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/change/failure.h"

namespace ravelin::control {

using Json = nlohmann::json;

/// Held by whoever still has to answer. If its client is gone, answers go nowhere.
class Call {
  public:
    /// Sends one JSON frame to the client; false: it is gone.
    using Send = std::function<bool(const Json&)>;
    Call(Json params, Json id, Send send)
        : params_(std::move(params)), id_(std::move(id)), send_(std::move(send)) {}

    /// A parameter, or what stands for it when absent or null. Of the wrong type: also that, and
    /// wrong() is true.
    [[nodiscard]] std::string text(const char* name);
    [[nodiscard]] uint64_t number(const char* name, uint64_t fallback = 0);
    [[nodiscard]] bool flag(const char* name);
    [[nodiscard]] std::vector<std::string> texts(const char* name);
    /// As it is; null where absent.
    [[nodiscard]] Json value(const char* name) const { return has(name) ? params_[name] : Json(); }
    [[nodiscard]] bool has(const char* name) const {
        return params_.contains(name) && !params_[name].is_null();
    }
    /// What is wrong with the parameters read so far; empty: nothing.
    [[nodiscard]] const std::string& wrong() const { return wrong_; }

    /// Exactly one of these ends the call.
    void result(Json value);
    void fail(FailureKind kind, const std::string& message);
    void fail(const Failure& failure) { fail(failure.kind, failure.message); }

    /// Streams: before the end, any number of events. False: the client is gone.
    bool event(Json value) { return send_(Json{{"event", std::move(value)}}); }
    /// Called once when the client asks to stop or is gone.
    void on_stop(std::function<void()> stopped) { stopped_ = std::move(stopped); }
    void stop();
    [[nodiscard]] bool ended() const { return ended_; }

  private:
    void end(Json message);

    Json params_, id_;
    Send send_;
    std::string wrong_;
    std::function<void()> stopped_;
    bool ended_ = false;
};

using CallPtr = std::shared_ptr<Call>;

}  // namespace ravelin::control
