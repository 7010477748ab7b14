// SPDX-License-Identifier: Apache-2.0
// WatchHub: who follows packets. The data plane has one trace and one capture at a time; the hub
// keeps each for one client, ends it at its limit, and starts it again on a restarted data plane.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "control.pb.h"
#include "controlplane/api/call.h"
#include "controlplane/link/dataplane_link.h"
#include "dataplane/result.h"

namespace ravelin::control {

/// tcpdump's language -> Watch.filter. An empty text is every frame. Error: libpcap's words.
Result<std::vector<uint64_t>> compile_filter(const std::string& text, uint32_t snap_bytes);

class WatchHub {
  public:
    enum class Kind : uint8_t { kTrace, kCapture };

    explicit WatchHub(DataplaneLink& link) : link_(link) {}

    /// Streams to `call` until its limit, its stop, or its client's end.
    void start(Kind kind, model::Watch watch, const CallPtr& call);
    void take(const model::FromDataplane& event);
    /// The data plane is new: it watches nothing.
    void reconnected();

  private:
    struct Stream {
        CallPtr call;  // null: none
        model::Watch watch;
        uint64_t sent = 0, lost = 0;
    };
    Stream& stream(Kind kind) { return kind == Kind::kTrace ? trace_ : capture_; }
    void request(Kind kind);
    void deliver(Kind kind, Json event, bool counts);
    void finish(Kind kind);

    DataplaneLink& link_;
    Stream trace_, capture_;
};

}  // namespace ravelin::control
