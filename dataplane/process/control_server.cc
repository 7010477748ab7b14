// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dataplane/process/answers.h"
#include "dataplane/process/describe.h"
#include "pipelines/model/tree_codec.h"

namespace ravelin {
namespace {

// Workers' rings hold thousands of records; looked at this often they do not overflow at the rates
// a log or trace is read at.
constexpr uint32_t kEventPeriodMs = 10, kLinksPeriodMs = 100;
constexpr unsigned kEventsPerTurn = 512;
constexpr uint64_t kLossPeriodNs = 1'000'000'000;  // the kernel's counts are 32 bits wide
constexpr size_t kMostQueued = 16u << 20;  // a control plane that does not read loses events

bool peer_may(int fd) {
    ucred peer{};
    socklen_t length = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/// From Linux 6.12 on, who asks for a short slice is let in before one with a longer slice that
/// runs (kernel/sched/fair.c, PREEMPT_SHORT); else a request waits for up to 3 ms for another's to
/// end. Older kernels ignore it. Not for threads that this one starts; nor where the operator has
/// set a priority, which those would lose with it.
void ask_for_short_slices() {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes{};
    constexpr uint64_t kShortestNs = 100'000, kNotForThreads = 1;  // SCHED_FLAG_RESET_ON_FORK
    if (::getpriority(PRIO_PROCESS, 0) != 0) return;
    attributes.flags = kNotForThreads;
    attributes.size = sizeof attributes;
    attributes.runtime = kShortestNs;
    [[maybe_unused]] const long refused = ::syscall(SYS_sched_setattr, 0, &attributes, 0u);
}

}  // namespace

ControlServer::ControlServer(PolicyStore& store, std::string run_dir)
    : store_(store), run_dir_(std::move(run_dir)), started_unix_ms_(unix_ns() / 1'000'000) {}

ControlServer::~ControlServer() {
    unwatch();  // workers outlive us
    for (auto& spec : still_read_) static_cast<void>(spec.release());
    for (const int fd : {client_, listener_, lock_})
        if (fd >= 0) close(fd);
}

Status ControlServer::listen() {
    mkdir(run_dir_.c_str(), 0700);
    lock_ = open((run_dir_ + "/dataplane.lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (lock_ < 0) return Error{fmt::format("{}: {}", run_dir_, std::strerror(errno))};
    if (flock(lock_, LOCK_EX | LOCK_NB) != 0)
        return Error{fmt::format("{}: another data plane runs there", run_dir_)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = run_dir_ + "/dataplane.sock";
    if (path.size() >= sizeof address.sun_path)
        return Error{fmt::format("{}: longer than a socket path may be", path)};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path.c_str());
    const mode_t mask = umask(0177);
    const int bound = bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    umask(mask);
    if (bound != 0 || ::listen(listener_, 4) != 0)
        return Error{fmt::format("{}: {}", path, std::strerror(errno))};
    return ok_status();
}

int ControlServer::run(int stop_fd) {
    prctl(PR_SET_TIMERSLACK, 1UL);  // waiting for workers takes no longer than they do
    ask_for_short_slices();
    // So that a merge, which takes what CPU is left, may have its share again when it is waited
    // for.
    constexpr rlimit kUsualNice{20, 20};
    [[maybe_unused]] const int refused = ::setrlimit(RLIMIT_NICE, &kUsualNice);
    while (true) {
        pollfd fds[] = {{stop_fd, POLLIN, 0}, {listener_, POLLIN, 0}, {client_, POLLIN, 0}};
        if (!writer_.empty()) fds[2].events |= POLLOUT;
        poll(fds, 3, int{kEventPeriodMs});
        if (fds[0].revents != 0) return 0;
        if (fds[2].revents != 0) serve_client();
        if (fds[1].revents != 0) accept_client();
        const uint64_t generation = store_.current() ? store_.current()->generation : 0;
        if (generation != 0 && store_.expire(Now::read()))
            notify("rolled_back", "not confirmed in time", generation);
        store_.expire_elements(Now::read());
        store_.merge_rules(Now::read());
        store_.tidy();
        drain_events();
        keep_watch(Now::read());
        if (boot_failed_ && writer_.empty()) return 3;
    }
}

void ControlServer::keep_watch(const Now& now) {
    if (store_.appliance() == nullptr) return;
    Appliance& box = *store_.appliance();
    if (now.ms - links_ms_ >= kLinksPeriodMs) {
        links_ms_ = now.ms;
        box.note_links();
    }
    if (now.ns >= next_loss_count_ns_) {
        next_loss_count_ns_ = now.ns + kLossPeriodNs;
        box.count_losses();
    }
    routes_.expire(box, now);
}

void ControlServer::accept_client() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (!peer_may(fd)) {
        close(fd);
    } else {
        drop_client();
        client_ = fd;
    }
}

void ControlServer::drop_client() {
    if (client_ < 0) return;
    close(client_);
    client_ = -1;
    routes_.lost(Now::read());
    reader_ = model::FrameReader();
    writer_ = model::FrameWriter();
    unwatch();
}

void ControlServer::serve_client() {
    const auto got = model::receive(client_, reader_);
    if (!got) return drop_client();
    while (client_ >= 0) {
        const auto frame = reader_.next();
        if (!frame) break;
        handle(*frame);
    }
    if (*got == model::Received::kEnd) return drop_client();
    if (client_ >= 0 && !writer_.flush(client_)) drop_client();
}

void ControlServer::handle(const std::string& frame) {
    received_ns_ = Now::read().ns;
    google::protobuf::Arena arena(model::arena_for(frame.size()));
    auto& request = *google::protobuf::Arena::CreateMessage<model::ToDataplane>(&arena);
    if (!request.ParseFromString(frame)) return drop_client();
    model::FromDataplane message;
    message.set_id(request.id());
    answer(request, *message.mutable_reply());
    send(message);
}

void ControlServer::answer(const model::ToDataplane& request, model::Reply& reply) {
    if (request.has_apply()) return apply(request.apply(), request.keep(), reply);
    if (const Status outcome = act(request, reply); !outcome) {
        reply.set_error(outcome.error().message);
    } else if (store_.current() != nullptr) {
        if (request.has_trace()) return watch(request.trace(), false, reply);
        if (request.has_capture()) return watch(request.capture(), true, reply);
        if (request.has_routes())
            return routes_.learn(*store_.appliance(), request.routes(), reply);
        if (answers::look(store_, request, reply)) return;
    }
    answers::status(store_, started_unix_ms_, *reply.mutable_status());
}

Status ControlServer::act(const model::ToDataplane& request, model::Reply& reply) {
    using Kind = model::ToDataplane::RequestCase;
    switch (request.request_case()) {
        case Kind::kHello:
            if (request.hello().version() == model::kProtocolVersion) return ok_status();
            return Error{fmt::format("protocol version {}; this data plane speaks {}",
                                     request.hello().version(), model::kProtocolVersion)};
        case Kind::kConfirm:
            return store_.confirm(request.confirm().generation());
        case Kind::kRollback:
            return store_.roll_back(Now::read(), request.keep());
        case Kind::kLive: {
            if (request.try_only())
                return store_.could_change(request.live(), Now::read(), request.keep());
            Status outcome =
                store_.change(request.live(), Now::read(), received_ns_, request.keep());
            reply.set_live_ns(Now::read().ns - received_ns_);
            return outcome;
        }
        case Kind::kUnwatch:
            unwatch();
            return ok_status();
        case Kind::kStatus:
            return ok_status();
        case Kind::REQUEST_NOT_SET:
            return Error{"not a request this data plane knows"};
        default:
            if (store_.current() == nullptr) return Error{"no policy is in force yet"};
    }
    return ok_status();
}

void ControlServer::apply(const model::Apply& request, const Paths& keep, model::Reply& reply) {
    auto config = model::decode(request.policy().config());
    Status outcome = config ? store_.apply(request.policy().generation(), std::move(*config),
                                           request.confirm_ms(), Now::read(),
                                           request.has_live() ? &request.live() : nullptr, keep)
                            : Status(std::move(config.error()));
    if (!outcome) {
        reply.set_error(outcome.error().message);
        boot_failed_ = store_.appliance() == nullptr;
    }
    answers::status(store_, started_unix_ms_, *reply.mutable_status());
}

void ControlServer::drain_events() {
    if (store_.current() == nullptr) return;
    for (const auto& worker : store_.appliance()->workers())
        worker->events().drain(kEventsPerTurn, [this](const uint8_t* record, size_t length) {
            if (client_ < 0 || writer_.pending() > kMostQueued)
                ++events_dropped_;
            else
                carry(record, length);
        });
    traces_.expire(unix_ns(), [this](const auto& story) { tell(story); });
    if (client_ >= 0 && !writer_.empty() && !writer_.flush(client_)) drop_client();
}

void ControlServer::tell(const model::TraceEvent& story) {
    model::FromDataplane message;
    *message.mutable_trace() = story;
    send(message);
}

void ControlServer::carry(const uint8_t* record, size_t length) {
    EventKind kind{};
    std::memcpy(&kind, record, sizeof kind);
    const Describer describer(*store_.current(), store_.appliance()->specs(),
                              &store_.appliance()->learned());
    model::FromDataplane message;
    if (kind == EventKind::kTrace && length == sizeof(TraceRecord)) {
        TraceRecord trace;
        std::memcpy(&trace, record, sizeof trace);
        const bool last = trace.verdict == Verdict::kDrop || trace.stage == TraceRecord::kLeft;
        return traces_.add(describer.trace(trace), last,
                           [this](const auto& story) { tell(story); });
    } else if (kind == EventKind::kRuleLog && length == sizeof(RuleLogRecord)) {
        RuleLogRecord log;
        std::memcpy(&log, record, sizeof log);
        *message.mutable_log() = describer.log(log);
        message.mutable_log()->set_lost(events_dropped_);
    } else if (kind == EventKind::kCapture && length >= sizeof(CaptureRecord)) {
        CaptureRecord capture;
        std::memcpy(&capture, record, sizeof capture);
        auto* frame = message.mutable_frame();
        frame->set_unix_ns(capture.unix_ns);
        frame->set_port(describer.port(capture.port));
        frame->set_length(capture.length);
        frame->set_data(record + sizeof capture, length - sizeof capture);
        frame->set_lost(events_dropped_);
    }
    send(message);
}

void ControlServer::send(const model::FromDataplane& message) {
    if (client_ < 0) return;
    if (!writer_.queue(message.SerializeAsString()) || !writer_.flush(client_)) drop_client();
}

void ControlServer::notify(const char* kind, const std::string& text, uint64_t generation) {
    model::FromDataplane message;
    message.mutable_notice()->set_kind(kind);
    message.mutable_notice()->set_text(text);
    message.mutable_notice()->set_generation(generation);
    send(message);
}

}  // namespace ravelin
