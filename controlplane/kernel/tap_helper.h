// SPDX-License-Identifier: Apache-2.0
// TapHelper: a small process of its own that mirrors ports into their TAPs, as that takes
// CAP_NET_ADMIN, which the control plane gives up. Forked first of all; it knows the one request
// and ends with the control plane, whose end of the socket is then closed.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/kernel/tap_mirror.h"
#include "controlplane/loop/event_loop.h"
#include "controlplane/loop/unique_fd.h"

namespace ravelin::control {

class TapHelper {
  public:
    /// What sync() came to; the interface index of each TAP that is there.
    struct Outcome {
        std::string problem;
        std::map<std::string, int> indexes;
    };
    /// Forks. Before any thread is started.
    explicit TapHelper(EventLoop& loop);
    ~TapHelper();
    TapHelper(const TapHelper&) = delete;
    TapHelper& operator=(const TapHelper&) = delete;

    /// TapMirror::sync() over there; `done` is called from the loop. Requests are answered in
    /// order.
    void sync(const std::vector<TapPort>& ports, std::function<void(const Outcome&)> done);
    /// The appliance ends for good: its TAPs vanish with the data plane.
    void release();

  private:
    void ready();
    EventLoop& loop_;
    UniqueFd fd_;
    std::function<void(const Outcome&)> done_;
    unsigned waiting_ = 0;
};

/// The request as it goes over, and back; a line a port.
std::string encode_taps(const std::vector<TapPort>& ports);
Result<std::vector<TapPort>> decode_taps(const std::string& text);

}  // namespace ravelin::control
