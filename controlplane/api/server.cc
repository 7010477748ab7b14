// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "controlplane/loop/log.h"
#include "pipelines/model/frame.h"

namespace ravelin::control {
namespace {

bool may_talk(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    return peer.uid == 0 || peer.uid == ::geteuid();
}

Json error_of(FailureKind kind, const std::string& message) {
    return Json{{"error", {{"kind", name_of(kind)}, {"message", message}}}};
}

}  // namespace

struct Server::Client {
    UniqueFd fd;
    model::FrameReader reader{kMaxRequest};
    model::FrameWriter writer;
    std::vector<CallPtr> calls;  // not ended yet
    bool closing = false;        // everything after this frame is lost: drop once it is sent
};

Server::~Server() {
    if (listener_) loop_.forget(listener_.get());
    while (!clients_.empty()) drop(clients_.back());
}

Status Server::listen(const std::string& path) {
    auto fd = listen_unix(path);
    if (!fd) return std::move(fd.error());
    listener_ = std::move(*fd);
    loop_.watch(listener_.get(), POLLIN, [this](short) { accept(); });
    return ok_status();
}

void Server::accept() {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    if (!may_talk(fd.get())) return log_warning("refused a client of another user");
    auto client = std::make_shared<Client>();
    client->fd = std::move(fd);
    clients_.push_back(client);
    loop_.watch(client->fd.get(), POLLIN,
                [this, client](short revents) { ready(client, revents); });
    if (clients_.size() <= kMaxClients) return;
    client->closing = true;
    send(client, error_of(FailureKind::kUnavailable,
                          fmt::format("{} clients already, no more are served", kMaxClients)));
}

void Server::ready(const std::shared_ptr<Client>& client, short revents) {
    if ((revents & POLLOUT) != 0) {
        auto flushed = client->writer.flush(client->fd.get());
        if (!flushed || (*flushed && client->closing)) return drop(client);
        if (*flushed) loop_.set_events(client->fd.get(), POLLIN);
    }
    if ((revents & ~POLLOUT) == 0) return;
    auto received = model::receive(client->fd.get(), client->reader);
    while (auto frame = client->reader.next()) {
        if (!client->closing) take(client, *frame);
        if (!client->fd) return;
    }
    if (received && *received != model::Received::kEnd) return;
    if (received || client->closing) return drop(client);
    client->closing = true;  // an oversize frame: say so, then go
    loop_.set_events(client->fd.get(), 0);
    send(client, error_of(FailureKind::kInvalid, received.error().message));
}

void Server::take(const std::shared_ptr<Client>& client, const std::string& frame) {
    Json request = Json::parse(frame, nullptr, false);
    if (!request.is_object()) {
        send(client, error_of(FailureKind::kInvalid, "expected one JSON object in a frame"));
        return;
    }
    if (request.value("stop", Json()) == true) {
        const auto calls = client->calls;
        for (const CallPtr& call : calls) call->stop();
        return;
    }
    dispatch(client, request);
}

void Server::dispatch(const std::shared_ptr<Client>& client, const Json& request) {
    Json params = request.value("params", Json::object());
    const std::weak_ptr<Client> weak = client;
    const auto respond = [this, weak](const Json& message) {
        const auto alive = weak.lock();
        return alive && send(alive, message);
    };
    const auto call =
        std::make_shared<Call>(std::move(params), request.value("id", Json()), respond);
    const Json method = request.value("method", Json());
    const auto found =
        method.is_string() ? methods_.find(method.get<std::string>()) : methods_.end();
    if (found == methods_.end())
        return call->fail(FailureKind::kInvalid, "no such method: " + method.dump());
    if (!request.value("params", Json::object()).is_object())
        return call->fail(FailureKind::kInvalid, "params: expected an object");
    std::erase_if(client->calls, [](const CallPtr& c) { return c->ended(); });
    client->calls.push_back(call);
    found->second(call);
}

bool Server::send(const std::shared_ptr<Client>& client, const Json& message) {
    if (!client->fd) return false;
    const std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
    const Status queued = client->writer.queue(text);
    auto flushed = queued ? client->writer.flush(client->fd.get()) : Result<bool>(queued.error());
    const bool lost = !flushed || client->writer.pending() > kMaxUnsent;
    if (lost || (*flushed && client->closing)) {
        if (lost) log_warning("dropped a client that does not read");
        // Later: the caller may be walking over this client's calls.
        loop_.after(std::chrono::milliseconds(0), [this, client] { drop(client); });
        return !lost;
    }
    if (!*flushed)
        loop_.set_events(client->fd.get(),
                         static_cast<short>(client->closing ? POLLOUT : POLLIN | POLLOUT));
    return true;
}

void Server::drop(const std::shared_ptr<Client>& client) {
    // `client` may be the element that is erased.
    const auto keep = client;  // NOLINT(performance-unnecessary-copy-initialization)
    if (keep->fd) loop_.forget(keep->fd.get());
    keep->fd.reset();
    std::erase(clients_, keep);
    for (const CallPtr& call : std::exchange(keep->calls, {})) call->stop();
}

}  // namespace ravelin::control
