// SPDX-License-Identifier: Apache-2.0
// TapHelper: a small process of its own that mirrors ports into their TAPs, as that takes
// CAP_NET_ADMIN, which the control plane gives up. Forked first of all; it knows the one request,
// is confined to what that takes before it reads any, and ends with the control plane, whose end
// of the socket is then closed. Between the two stands its parent, which does nothing but start it
// again when it was killed.
#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/kernel/tap_mirror.h"
#include "controlplane/loop/event_loop.h"
#include "controlplane/loop/unique_fd.h"
#include "dataplane/sandbox/sandbox.h"

namespace ravelin::control {

class TapHelper {
  public:
    /// So often it is started again within a minute; then TAPs stay as they are.
    static constexpr unsigned kMostRestarts = 5;
    /// What sync() came to; the interface index of each TAP that is there.
    struct Outcome {
        std::string problem;
        std::map<std::string, int> indexes;
    };
    /// Forks. Before any thread is started. Without `confined` it keeps all privileges.
    TapHelper(EventLoop& loop, bool confined);
    ~TapHelper();
    TapHelper(const TapHelper&) = delete;
    TapHelper& operator=(const TapHelper&) = delete;

    /// TapMirror::sync() over there; `done` is called from the loop. Requests are answered in
    /// order.
    void sync(const std::vector<TapPort>& ports, std::function<void(const Outcome&)> done);
    /// The appliance ends for good: its TAPs vanish with the data plane.
    void release();
    /// Of that process: on, partial (why), off (why); empty: there is none.
    [[nodiscard]] const std::string& sandbox() const { return sandbox_; }

  private:
    void ask();
    void ready();
    void begin_again(std::string sandbox);
    EventLoop& loop_;
    UniqueFd fd_;
    pid_t pid_ = 0;
    std::string sandbox_;
    std::string request_;  // the last sync(), for one that takes over
    std::function<void(const Outcome&)> done_;
    unsigned waiting_ = 0;
};

/// What TapMirror needs: CAP_NET_ADMIN, rtnetlink, /dev/net/tun and /proc/sys/net; and to start it.
sandbox::Plan tap_confinement();

/// The request as it goes over, and back; a line a port.
std::string encode_taps(const std::vector<TapPort>& ports);
Result<std::vector<TapPort>> decode_taps(const std::string& text);

}  // namespace ravelin::control
