// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/watch_hub.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <chrono>
#include <memory>
#include <string_view>

#include "controlplane/api/json_of.h"

namespace ravelin::control {
namespace {

constexpr std::chrono::milliseconds kTimeout{5000};

}  // namespace

Result<std::vector<uint64_t>> compile_filter(const std::string& text, uint32_t snap_bytes) {
    if (text.empty()) return std::vector<uint64_t>{};
    const std::unique_ptr<pcap_t, void (*)(pcap_t*)> handle(
        ::pcap_open_dead(DLT_EN10MB, static_cast<int>(snap_bytes)), ::pcap_close);
    if (!handle) return Error{"filter: libpcap does not start"};
    bpf_program program{};
    if (::pcap_compile(handle.get(), &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
        return Error{fmt::format("filter '{}': {}, expected tcpdump's language like 'tcp port 80'",
                                 text, ::pcap_geterr(handle.get()))};
    std::vector<uint64_t> words;
    for (unsigned i = 0; i < program.bf_len; ++i) {
        const bpf_insn& insn = program.bf_insns[i];
        words.push_back(uint64_t{insn.code} << 48 | uint64_t{insn.jt} << 40 |
                        uint64_t{insn.jf} << 32 | insn.k);
    }
    ::pcap_freecode(&program);
    return words;
}

void WatchHub::start(Kind kind, model::Watch watch, const CallPtr& call) {
    Stream& s = stream(kind);
    if (s.call)
        return call->fail(FailureKind::kRefused,
                          kind == Kind::kTrace
                              ? "another trace is running, expected it to end first"
                              : "another capture is running, expected it to end first");
    if (!link_.connected()) return call->fail(FailureKind::kUnavailable, link_.problem());
    s = {call, std::move(watch), 0, 0};
    call->on_stop([this, kind] { finish(kind); });
    request(kind);
}

void WatchHub::request(Kind kind) {
    Stream& s = stream(kind);
    model::ToDataplane message;
    *(kind == Kind::kTrace ? message.mutable_trace() : message.mutable_capture()) = s.watch;
    link_.send(std::move(message), kTimeout,
               [this, kind, call = s.call](Result<model::Reply> reply) {
                   Stream& now = stream(kind);
                   if (now.call != call || !reply || reply->error().empty())
                       return;  // lost: again when it is back
                   now.call.reset();
                   call->fail(FailureKind::kRefused, reply->error());
               });
}

void WatchHub::finish(Kind kind) {
    Stream& s = stream(kind);
    if (!s.call) return;
    const CallPtr call = std::move(s.call);
    s.call.reset();
    call->result({{"packets", s.sent}, {"lost", s.lost}});
    // Unwatch ends both; the other one is wanted still.
    model::ToDataplane unwatch;
    unwatch.mutable_unwatch();
    link_.send(std::move(unwatch), kTimeout, [](const Result<model::Reply>&) {});
    const Kind other = kind == Kind::kTrace ? Kind::kCapture : Kind::kTrace;
    if (stream(other).call) request(other);
}

void WatchHub::deliver(Kind kind, Json event, bool counts) {
    Stream& s = stream(kind);
    if (!s.call) return;
    s.sent += counts ? 1 : 0;
    s.call->event(std::move(event));  // a client that is gone calls on_stop itself
    if (s.watch.limit() != 0 && s.sent >= s.watch.limit()) finish(kind);
}

void WatchHub::take(const model::FromDataplane& event) {
    if (event.has_trace()) deliver(Kind::kTrace, json_of(event.trace()), true);
    if (!event.has_frame()) return;
    capture_.lost = event.frame().lost();
    deliver(Kind::kCapture, json_of(event.frame()), true);
}

void WatchHub::reconnected() {
    for (const Kind kind : {Kind::kTrace, Kind::kCapture})
        if (stream(kind).call) request(kind);
}

}  // namespace ravelin::control
