// SPDX-License-Identifier: Apache-2.0
// trace and capture: streams.
#include "controlplane/api/services.h"

namespace ravelin::control {
namespace {

constexpr uint64_t kSnap = 65535;

void watch(Services& s, const CallPtr& call, WatchHub::Kind kind) {
    const std::string filter = call->text("filter"), port = call->text("port");
    const uint64_t limit = call->number("limit"), snap = call->number("snap", kSnap);
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    if (limit > UINT32_MAX || snap > kSnap || snap == 0)
        return call->fail(FailureKind::kInvalid,
                          "limit: expected below 2^32; snap: expected 1 to 65535");
    auto words = compile_filter(filter, kSnap);
    if (!words) return call->fail(FailureKind::kInvalid, words.error().message);
    model::Watch watch;
    watch.mutable_filter()->Add(words->begin(), words->end());
    watch.set_port(port);
    watch.set_limit(static_cast<uint32_t>(limit));
    watch.set_snap_bytes(static_cast<uint32_t>(snap));
    s.watches.start(kind, std::move(watch), call);
}

}  // namespace

void add_watch_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("trace", [s](const CallPtr& call) { watch(*s, call, WatchHub::Kind::kTrace); });
    server.add("capture", [s](const CallPtr& call) { watch(*s, call, WatchHub::Kind::kCapture); });
}

}  // namespace ravelin::control
