// SPDX-License-Identifier: Apache-2.0
// DataplaneLink: the one connection to `<run-dir>/dataplane.sock`. Says hello, matches replies to
// requests, hands events on, and connects again whenever the data plane comes back.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control.pb.h"
#include "controlplane/link/peer.h"
#include "controlplane/loop/event_loop.h"
#include "controlplane/loop/unique_fd.h"
#include "pipelines/model/frame.h"

namespace ravelin::control {

class DataplaneLink {
  public:
    /// Error: there will be no reply (not connected, connection lost, time over); the request may
    /// or may not have been carried out. A refusal by the data plane is a Reply with its `error`.
    using Done = std::function<void(Result<model::Reply>)>;

    /// What the owner hears. All are called from the loop; unset ones are skipped.
    struct Listener {
        std::function<void(const model::DataplaneStatus&)> connected;  ///< hello was answered
        std::function<void(const std::string& why)> lost;
        std::function<void(const model::FromDataplane&)> event;
        std::function<void(Peer)> attached = nullptr;  ///< connected; hello is not answered yet
        std::function<void()> unreachable = nullptr;   ///< nobody listens there
    };

    DataplaneLink(EventLoop& loop, std::string socket_path);
    ~DataplaneLink();
    DataplaneLink(const DataplaneLink&) = delete;
    DataplaneLink& operator=(const DataplaneLink&) = delete;

    void listen(Listener listener) { listener_ = std::move(listener); }
    /// Connects now and, after every failure or loss, again a little later.
    void start();
    /// Uses a connected socket instead (tests); no reconnection.
    void adopt(UniqueFd fd);
    /// Tries at once rather than at the next retry, if not connected.
    void retry_now();
    /// Drops the connection: every open request fails; reconnects as start() does.
    void drop(const std::string& why);

    /// Hello was answered and the connection stands.
    [[nodiscard]] bool connected() const { return greeted_; }
    /// Why it does not; empty while it does.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    /// As last reported: by hello, apply, confirm, rollback or status.
    [[nodiscard]] const model::DataplaneStatus& last_status() const { return status_; }

    /// Sends one request (its id is set here); `done` is called exactly once, from the loop.
    void send(model::ToDataplane request, std::chrono::milliseconds timeout, Done done);
    /// As send() of an Apply, without decoding `snapshot`, an encoded model::PolicySnapshot.
    /// `live`: what is in force with it, or null. `keep`: paths it may not cut.
    void send_apply(std::string_view snapshot, uint32_t confirm_ms,
                    std::chrono::milliseconds timeout, Done done,
                    const model::LiveChange* live = nullptr,
                    const std::vector<model::Path>& keep = {});

  private:
    struct Open {
        Done done;
        EventLoop::TimerId timer = EventLoop::kNoTimer;
    };
    void connect();
    void retry_later();
    void greet();
    void greeted(Result<model::Reply> reply);
    void ready(short revents);
    void take_frame(const std::string& frame);
    void take_reply(uint64_t id, model::Reply reply);
    void take_status(const model::DataplaneStatus& status);
    void post(uint64_t id, const std::string& bytes, std::chrono::milliseconds timeout, Done done);
    void flush();

    EventLoop& loop_;
    std::string path_;
    Listener listener_;
    UniqueFd fd_;
    model::FrameReader reader_;
    model::FrameWriter writer_;
    std::map<uint64_t, Open> open_;
    uint64_t next_id_ = 1;
    bool greeted_ = false, reconnect_ = false;
    unsigned failures_ = 0;  // since the last greeting
    EventLoop::TimerId retry_ = EventLoop::kNoTimer;
    EventLoop::TimerId broken_ = EventLoop::kNoTimer;  // what was written could not be: drops
    std::string problem_ = "not connected to the data plane";
    model::DataplaneStatus status_;
};

}  // namespace ravelin::control
