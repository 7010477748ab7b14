// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/dataplane_link.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "controlplane/link/apply_bytes.h"

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{10};     // a restarted data plane listens within milliseconds
constexpr milliseconds kSlowestRetry{250};  // nobody notices a quarter of a second
constexpr milliseconds kHelloTimeout{10'000};

}  // namespace

DataplaneLink::DataplaneLink(EventLoop& loop, std::string socket_path)
    : loop_(loop), path_(std::move(socket_path)) {}

DataplaneLink::~DataplaneLink() {
    loop_.cancel(retry_);
    loop_.cancel(broken_);
    for (const auto& [id, open] : open_) loop_.cancel(open.timer);
    if (fd_) loop_.forget(fd_.get());
}

void DataplaneLink::start() {
    reconnect_ = true;
    connect();
}

void DataplaneLink::retry_now() {
    if (!reconnect_ || fd_) return;
    failures_ = 0;
    loop_.cancel(retry_);
    connect();
}

void DataplaneLink::connect() {
    auto fd = connect_unix(path_);
    if (fd) {
        adopt(std::move(*fd));
        if (listener_.attached) listener_.attached(peer_of(fd_.get()));
        return;
    }
    problem_ = "no connection to the data plane: " + fd.error().message;
    retry_later();
    if (listener_.unreachable) listener_.unreachable();
}

void DataplaneLink::retry_later() {
    const auto delay = std::min(kFirstRetry * (1 << std::min(failures_, 5u)), kSlowestRetry);
    ++failures_;
    retry_ = loop_.after(delay, [this] { connect(); });
}

void DataplaneLink::adopt(UniqueFd fd) {
    fd_ = std::move(fd);
    reader_ = model::FrameReader();
    writer_ = model::FrameWriter();
    loop_.watch(fd_.get(), POLLIN, [this](short revents) { ready(revents); });
    greet();
}

void DataplaneLink::greet() {
    model::ToDataplane hello;
    const uint64_t id = next_id_++;
    hello.set_id(id);
    hello.mutable_hello()->set_version(model::kProtocolVersion);
    post(id, hello.SerializeAsString(), kHelloTimeout,
         [this](Result<model::Reply> reply) { greeted(std::move(reply)); });
}

void DataplaneLink::greeted(Result<model::Reply> reply) {
    if (!reply) return drop("the data plane does not answer hello: " + reply.error().message);
    if (!reply->error().empty()) return drop("the data plane refuses hello: " + reply->error());
    const uint32_t version = reply->status().version();
    if (version != model::kProtocolVersion)
        return drop(fmt::format("the data plane speaks protocol version {}, expected {}", version,
                                model::kProtocolVersion));
    greeted_ = true;
    failures_ = 0;
    problem_.clear();
    if (listener_.connected) listener_.connected(status_);
}

void DataplaneLink::drop(const std::string& why) {
    if (!fd_) return;
    loop_.forget(fd_.get());
    loop_.cancel(std::exchange(broken_, EventLoop::kNoTimer));
    fd_.reset();
    problem_ = why;
    const bool was_greeted = std::exchange(greeted_, false);
    if (reconnect_) retry_later();
    for (auto& [id, open] : std::exchange(open_, {})) {
        loop_.cancel(open.timer);
        open.done(Error{why});
    }
    if (was_greeted && listener_.lost) listener_.lost(why);
}

void DataplaneLink::ready(short revents) {
    if ((revents & POLLOUT) != 0) flush();
    if (!fd_ || (revents & ~POLLOUT) == 0) return;
    auto received = model::receive(fd_.get(), reader_);
    while (auto frame = reader_.next()) {
        take_frame(*frame);
        if (!fd_) return;
    }
    if (!received) return drop("data plane connection: " + received.error().message);
    if (*received == model::Received::kEnd) drop("the data plane closed the connection");
}

void DataplaneLink::take_frame(const std::string& frame) {
    model::FromDataplane message;
    if (!message.ParseFromString(frame)) return drop("the data plane sent what is no message");
    if (message.message_case() == model::FromDataplane::kReply)
        take_reply(message.id(), std::move(*message.mutable_reply()));
    else if (listener_.event)
        listener_.event(message);
}

void DataplaneLink::take_reply(uint64_t id, model::Reply reply) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;  // came after its time was over
    Open open = std::move(found->second);
    open_.erase(found);
    loop_.cancel(open.timer);
    if (reply.has_status()) take_status(reply.status());
    open.done(std::move(reply));
}

// Who used what stands in answers to `status` alone.
void DataplaneLink::take_status(const model::DataplaneStatus& status) {
    model::DataplaneStatus before = std::move(status_);
    status_ = status;
    if (!status_.has_principals() && before.has_principals())
        *status_.mutable_principals() = std::move(*before.mutable_principals());
}

void DataplaneLink::post(uint64_t id, const std::string& bytes, milliseconds timeout, Done done) {
    if (!fd_) return done(Error{problem_});
    if (Status queued = writer_.queue(bytes); !queued) return done(queued.error());
    const auto timer = loop_.after(timeout, [this, id, timeout] {
        const auto found = open_.find(id);
        if (found == open_.end()) return;
        const Done late = std::move(found->second.done);
        open_.erase(found);
        late(Error{fmt::format("the data plane did not answer within {} ms", timeout.count())});
    });
    open_.emplace(id, Open{std::move(done), timer});
    flush();
}

void DataplaneLink::flush() {
    auto flushed = writer_.flush(fd_.get());
    if (!flushed) {
        // Not from inside send(): the caller's `done` must not run before send() returns.
        loop_.set_events(fd_.get(), POLLIN);
        if (broken_ != EventLoop::kNoTimer) return;
        broken_ = loop_.after(milliseconds(0), [this, why = flushed.error().message] {
            drop("data plane connection: " + why);
        });
        return;
    }
    loop_.set_events(fd_.get(), static_cast<short>(*flushed ? POLLIN : POLLIN | POLLOUT));
}

void DataplaneLink::send(model::ToDataplane request, milliseconds timeout, Done done) {
    if (!greeted_) return done(Error{problem_});
    const uint64_t id = next_id_++;
    request.set_id(id);
    post(id, request.SerializeAsString(), timeout, std::move(done));
}

void DataplaneLink::send_apply(std::string_view snapshot, uint32_t confirm_ms, milliseconds timeout,
                               Done done, const model::LiveChange* live,
                               const std::vector<model::Path>& keep) {
    if (!greeted_) return done(Error{problem_});
    const uint64_t id = next_id_++;
    post(id, apply_bytes(id, snapshot, confirm_ms, live, keep), timeout, std::move(done));
}

}  // namespace ravelin::control
