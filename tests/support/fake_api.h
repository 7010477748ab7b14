// SPDX-License-Identifier: Apache-2.0
// A control plane for tests of the command: listens on control.sock in a directory of its own and
// answers each method with what the test says.
#pragma once
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "pipelines/model/frame.h"

namespace ravelin {

class FakeApi {
  public:
    using Json = nlohmann::json;
    /// The frames that answer one request.
    using Handler = std::function<std::vector<Json>(const Json& params)>;

    FakeApi() {
        char name[] = "/tmp/ravelin-cli-XXXXXX";
        directory_ = mkdtemp(name);
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = directory_ + "/control.sock";
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_, 8) != 0)
            std::abort();
        thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
    }
    ~FakeApi() {
        thread_.request_stop();
        ::shutdown(listener_, SHUT_RDWR);  // wakes accept()
        thread_.join();
        ::close(listener_);
        std::filesystem::remove_all(directory_);
    }
    FakeApi(const FakeApi&) = delete;
    FakeApi& operator=(const FakeApi&) = delete;

    void on(const std::string& method, Handler handler) { handlers_[method] = std::move(handler); }
    void answer(const std::string& method, const Json& result) {
        on(method, [result](const Json&) { return std::vector<Json>{{{"result", result}}}; });
    }
    void fail(const std::string& method, const std::string& kind, const std::string& message) {
        const Json error{{"kind", kind}, {"message", message}};
        on(method, [error](const Json&) { return std::vector<Json>{{{"error", error}}}; });
    }
    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] Json last_params() {
        const std::lock_guard lock(mutex_);
        return last_params_;
    }

  private:
    void serve(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const int fd = ::accept(listener_, nullptr, nullptr);
            if (fd < 0) return;
            converse(fd);
            ::close(fd);
        }
    }
    void converse(int fd) {
        model::FrameReader reader;
        for (;;) {
            while (const auto frame = reader.next())
                for (const Json& reply : replies(Json::parse(*frame))) {
                    const std::string text = reply.dump();
                    if (!model::write_frame(
                            fd, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}))
                        return;
                }
            const auto received = model::receive(fd, reader);
            if (!received || *received == model::Received::kEnd) return;
        }
    }
    std::vector<Json> replies(const Json& request) {
        if (request.contains("stop")) return {{{"result", {{"packets", 0}, {"lost", 0}}}}};
        const std::lock_guard lock(mutex_);
        last_params_ = request["params"];
        const auto handler = handlers_.find(request["method"]);
        if (handler != handlers_.end()) return handler->second(last_params_);
        return {{{"error", {{"kind", "invalid"}, {"message", "no such method"}}}}};
    }

    std::string directory_;
    int listener_ = -1;
    std::mutex mutex_;
    std::map<std::string, Handler> handlers_;  // set before the command runs
    Json last_params_;
    std::jthread thread_;
};

}  // namespace ravelin
