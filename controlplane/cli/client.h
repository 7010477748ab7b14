// SPDX-License-Identifier: Apache-2.0
// One connection to the control plane's socket, <run-dir>/control.sock (controlplane/api).
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/cli/interrupt.h"
#include "pipelines/model/frame.h"

namespace ravelin::cli {

using Json = nlohmann::json;

class Client {
  public:
    /// Connects. Failure kUnreachable where nobody listens.
    explicit Client(const std::string& run_dir);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// One request and its result. Failure kFailed with the control plane's message; kUnreachable
    /// if it went away or did not answer in `timeout_ms`.
    Json call(std::string_view method, const Json& params = Json::object(),
              int timeout_ms = 30'000);

    /// Starts a stream and hands over its events until it reaches its limit or the user interrupts;
    /// `on_idle` is called when no more events are at hand. Returns the control plane's totals;
    /// nothing if it went away.
    std::optional<Json> stream(std::string_view method, const Json& params,
                               const Interrupt& interrupt,
                               const std::function<void(const Json&)>& on_event,
                               const std::function<void()>& on_idle = {});

  private:
    enum class Woken { kBytes, kInterrupted, kTimeout };
    void send(const Json& message);
    Woken wait(int timeout_ms, const Interrupt* interrupt);
    std::optional<Json> next();
    [[noreturn]] void lost(const std::string& why) const;
    std::optional<Json> take_events(const std::function<void(const Json&)>& on_event);
    Json follow(const Interrupt& interrupt, const std::function<void(const Json&)>& on_event,
                const std::function<void()>& on_idle);

    std::string path_;
    int fd_ = -1;
    model::FrameReader reader_;
};

/// Fields of an answer; what is missing or of another type reads as zero, empty, false. Numbers
/// beyond 2^53 may come as strings (protobuf's JSON).
uint64_t number(const Json& object, const char* key);
double real(const Json& object, const char* key);
std::string text(const Json& object, const char* key);
bool flag(const Json& object, const char* key);
/// The list under `key`; an empty one where there is none.
const Json& list(const Json& object, const char* key);

}  // namespace ravelin::cli
