// SPDX-License-Identifier: Apache-2.0
// Server: `<run-dir>/control.sock`. Frames of JSON: {"method", "params", "id"?} in; {"result"} or
// {"error": {"kind", "message"}} out, streams send {"event"} before. {"stop": true} ends the
// streams.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/api/call.h"
#include "controlplane/loop/event_loop.h"
#include "controlplane/loop/unique_fd.h"

namespace ravelin::control {

class Server {
  public:
    static constexpr size_t kMaxClients = 64;
    static constexpr uint32_t kMaxRequest = 64u << 20;
    /// A client that lets so much wait is dropped.
    static constexpr size_t kMaxUnsent = 128u << 20;
    using Handler = std::function<void(const CallPtr&)>;

    explicit Server(EventLoop& loop) : loop_(loop) {}
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void add(const std::string& method, Handler handler) { methods_[method] = std::move(handler); }
    /// Listens at `path`, mode 0600. Only root and the daemon's own user are heard.
    Status listen(const std::string& path);

  private:
    struct Client;
    void accept();
    void ready(const std::shared_ptr<Client>& client, short revents);
    void take(const std::shared_ptr<Client>& client, const std::string& frame);
    void dispatch(const std::shared_ptr<Client>& client, const Json& request);
    bool send(const std::shared_ptr<Client>& client, const Json& message);
    void drop(const std::shared_ptr<Client>& client);

    EventLoop& loop_;
    UniqueFd listener_;
    std::map<std::string, Handler> methods_;
    std::vector<std::shared_ptr<Client>> clients_;
};

}  // namespace ravelin::control
