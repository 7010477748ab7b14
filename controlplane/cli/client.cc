// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "controlplane/cli/failure.h"

namespace ravelin::cli {
namespace {

constexpr int kStopTimeoutMs = 2000;  // for the totals after Ctrl-C

}  // namespace

Client::Client(const std::string& run_dir) : path_(run_dir + "/control.sock") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path)
        throw Failure(kUsage, fmt::format("{}: a socket's path has at most {} characters", path_,
                                          sizeof address.sun_path - 1));
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        return;
    const int why = errno;
    if (fd_ >= 0) ::close(fd_);
    const char* hint = why == EACCES ? "; run as root" : "; is ravelin-controlplane running?";
    throw Failure(kUnreachable, fmt::format("{}: {}{}", path_, std::strerror(why), hint));
}

Client::~Client() { ::close(fd_); }

void Client::lost(const std::string& why) const {
    throw Failure(kUnreachable, fmt::format("{}: {}", path_, why));
}

void Client::send(const Json& message) {
    // What is not UTF-8 (a file, a file name) must not throw: the control plane will say where.
    const std::string frame = message.dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto sent =
        model::write_frame(fd_, {reinterpret_cast<const uint8_t*>(frame.data()), frame.size()});
    if (!sent) lost(sent.error().message);
}

/// Waits for bytes and reads them.
Client::Woken Client::wait(int timeout_ms, const Interrupt* interrupt) {
    std::array<pollfd, 2> fds{
        {{fd_, POLLIN, 0}, {interrupt != nullptr ? interrupt->fd() : -1, POLLIN, 0}}};
    const int ready = ::poll(fds.data(), fds.size(), timeout_ms);
    if (ready < 0 && errno != EINTR) lost(std::strerror(errno));
    if (ready == 0) return Woken::kTimeout;
    if (fds[1].revents != 0) return Woken::kInterrupted;
    if (fds[0].revents == 0) return Woken::kBytes;
    const auto received = model::receive(fd_, reader_);
    if (!received) lost(received.error().message);
    if (*received == model::Received::kEnd) lost("the control plane closed the connection");
    return Woken::kBytes;
}

std::optional<Json> Client::next() {
    const auto frame = reader_.next();
    if (!frame) return std::nullopt;
    Json message = Json::parse(*frame, nullptr, false);
    if (!message.is_object()) lost("the answer is not JSON");
    if (const auto error = message.find("error"); error != message.end())
        throw Failure(kFailed, text(*error, "message"), text(*error, "kind"));
    return message;
}

Json Client::call(std::string_view method, const Json& params, int timeout_ms) {
    send({{"method", method}, {"params", params}});
    for (;;) {
        while (auto message = next())
            if (const auto result = message->find("result"); result != message->end())
                return *result;
        if (wait(timeout_ms, nullptr) == Woken::kTimeout)
            lost(fmt::format("no answer in {} s", timeout_ms / 1000));
    }
}

/// Hands over the events that have arrived; the totals if the stream's end has, too.
std::optional<Json> Client::take_events(const std::function<void(const Json&)>& on_event) {
    while (auto message = next()) {
        if (const auto event = message->find("event"); event != message->end()) on_event(*event);
        if (const auto result = message->find("result"); result != message->end()) return *result;
    }
    return std::nullopt;
}

Json Client::follow(const Interrupt& interrupt, const std::function<void(const Json&)>& on_event,
                    const std::function<void()>& on_idle) {
    for (bool stopping = false;;) {
        if (auto totals = take_events(on_event)) return *totals;
        if (on_idle) on_idle();
        const Woken woken = stopping ? wait(kStopTimeoutMs, nullptr) : wait(-1, &interrupt);
        if (woken == Woken::kTimeout) return Json::object();
        if (woken != Woken::kInterrupted) continue;
        send({{"stop", true}});
        stopping = true;
    }
}

std::optional<Json> Client::stream(std::string_view method, const Json& params,
                                   const Interrupt& interrupt,
                                   const std::function<void(const Json&)>& on_event,
                                   const std::function<void()>& on_idle) {
    send({{"method", method}, {"params", params}});
    try {
        return follow(interrupt, on_event, on_idle);
    } catch (const Failure& failure) {
        if (failure.code != kUnreachable) throw;
        return std::nullopt;  // what it said until then is still worth having
    }
}

namespace {

const Json* find(const Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto it = object.find(key);
    return it == object.end() ? nullptr : &*it;
}

}  // namespace

uint64_t number(const Json& object, const char* key) {
    const Json* v = find(object, key);
    if (v == nullptr) return 0;
    if (v->is_number_unsigned()) return v->get<uint64_t>();
    if (v->is_number()) return v->get<double>() > 0 ? static_cast<uint64_t>(v->get<double>()) : 0;
    return v->is_string() ? std::strtoull(v->get_ref<const std::string&>().c_str(), nullptr, 10)
                          : 0;
}

double real(const Json& object, const char* key) {
    const Json* v = find(object, key);
    return v != nullptr && v->is_number() ? v->get<double>()
                                          : static_cast<double>(number(object, key));
}

std::string text(const Json& object, const char* key) {
    const Json* v = find(object, key);
    if (v == nullptr || v->is_null()) return {};
    return v->is_string() ? v->get<std::string>() : v->dump();
}

bool flag(const Json& object, const char* key) {
    const Json* v = find(object, key);
    return v != nullptr && v->is_boolean() && v->get<bool>();
}

const Json& list(const Json& object, const char* key) {
    static const Json kEmpty = Json::array();
    const Json* v = find(object, key);
    return v != nullptr && v->is_array() ? *v : kEmpty;
}

}  // namespace ravelin::cli
