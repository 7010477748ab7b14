// SPDX-License-Identifier: Apache-2.0
// A data plane that only speaks the protocol, on a thread of its own: policy numbers, confirmation
// deadline and rollback as the real one keeps them, no packets. For tests of the control plane.
#pragma once
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "control.pb.h"
#include "pipelines/model/frame.h"

namespace ravelin::test {

class FakeDataplane {
  public:
    explicit FakeDataplane(std::string socket_path) : path_(std::move(socket_path)) { listen(); }
    ~FakeDataplane() { stop(); }
    FakeDataplane(const FakeDataplane&) = delete;
    FakeDataplane& operator=(const FakeDataplane&) = delete;

    std::atomic<bool> refuse_apply = false;  ///< answer Apply with an error
    std::atomic<bool> die_on_apply = false;  ///< close the connection instead of answering, once
    std::atomic<bool> refuse_live = false;   ///< answer a live change with an error
    std::atomic<bool> hold_live = false;     ///< answer a live change once this is false again
    std::atomic<bool> refuse_tried = false;  ///< answer one that is only tried with an error

    /// As after SIGKILL and restart: nothing in force.
    void restart() {
        const std::lock_guard lock(mutex_);
        status_ = fresh();
        sets_.clear();
        reservations_.clear();
        hang_up_ = true;
    }
    model::DataplaneStatus status() {
        const std::lock_guard lock(mutex_);
        return current();
    }
    /// Generations applied, in order, resends included.
    std::vector<uint64_t> applied() {
        const std::lock_guard lock(mutex_);
        return applied_;
    }
    /// Elements of a set, as they travelled, one behind the other in order.
    std::string elements(const std::string& set) {
        const std::lock_guard lock(mutex_);
        std::string out;
        for (const std::string& element : sets_[set]) out += element;
        return out;
    }
    /// Names of the live reservations.
    std::vector<std::string> reservations() {
        const std::lock_guard lock(mutex_);
        return {reservations_.begin(), reservations_.end()};
    }
    /// Names of the paths that the last live change had to keep when it was tried.
    std::vector<std::string> kept() {
        const std::lock_guard lock(mutex_);
        return kept_;
    }
    unsigned requests(model::ToDataplane::RequestCase kind) {
        const std::lock_guard lock(mutex_);
        unsigned n = 0;
        for (const auto seen : requests_) n += seen == kind ? 1u : 0u;
        return n;
    }
    /// Sends an event to whoever is connected.
    void send_event(model::FromDataplane event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(event.SerializeAsString());
    }

  private:
    using Clock = std::chrono::steady_clock;

    static model::DataplaneStatus fresh() {
        model::DataplaneStatus s;
        s.set_version(model::kProtocolVersion);
        s.set_started_unix_ms(1);
        auto& port = *s.add_ports();
        port.set_name("lan");
        port.set_mac("02:00:00:00:00:01");
        return s;
    }
    void listen() {
        ::unlink(path_.c_str());
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_, 4) != 0)
            std::abort();
        thread_ = std::thread([this] { run(); });
    }
    void stop() {
        stopping_ = true;
        thread_.join();
        ::close(listener_);
        if (fd_ >= 0) ::close(fd_);
        ::unlink(path_.c_str());
    }
    void run() {
        while (!stopping_) {
            if (fd_ < 0) accept();
            pollfd polled{fd_ < 0 ? listener_ : fd_, POLLIN, 0};
            ::poll(&polled, 1, 2);
            if (fd_ >= 0) serve();
        }
    }
    void accept() {
        fd_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        reader_ = model::FrameReader();
    }
    void hang_up() {
        ::close(fd_);
        fd_ = -1;
    }
    void serve() {
        const std::lock_guard lock(mutex_);
        for (const std::string& event : events_) write(event);
        events_.clear();
        if (!hold_live) {
            for (const std::string& reply : held_) write(reply);
            held_.clear();
        }
        const auto got = model::receive(fd_, reader_);
        bool end = !got || *got == model::Received::kEnd || std::exchange(hang_up_, false);
        while (!end) {
            auto frame = reader_.next();
            if (!frame) break;
            model::ToDataplane request;
            end = !request.ParseFromString(*frame) || !answer(request);
        }
        if (end) hang_up();
    }
    void write(const std::string& bytes) {
        (void)model::write_frame(fd_,
                                 {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    }
    bool answer(const model::ToDataplane& request) {
        requests_.push_back(request.request_case());
        model::FromDataplane out;
        out.set_id(request.id());
        model::Reply& reply = *out.mutable_reply();
        if (request.has_apply() && !apply(request.apply(), reply)) return false;
        if (request.has_confirm()) confirm(request.confirm().generation(), reply);
        if (request.has_rollback()) roll_back(reply);
        if (request.has_live() && !std::exchange(tried_, request.try_only())) kept_.clear();
        if (request.has_live() && request.try_only()) {
            for (const model::Path& path : request.keep()) kept_.push_back(path.name());
            if (refuse_tried) reply.set_error("would be cut");
        } else if (request.has_live() && refuse_live) {
            reply.set_error("no room");
        } else if (request.has_live()) {
            take(request.live());
        }
        if (request.has_explain()) reply.mutable_explanation()->set_verdict("pass");
        if (request.has_flows()) {
            reply.add_flows()->set_protocol("tcp");
            reply.set_total(1);
        }
        *reply.mutable_status() = current();
        if (request.has_live() && hold_live)
            held_.push_back(out.SerializeAsString());
        else
            write(out.SerializeAsString());
        return true;
    }
    bool apply(const model::Apply& request, model::Reply& reply) {
        if (die_on_apply.exchange(false)) return false;
        if (refuse_apply) {
            reply.set_error("no such device");
            return true;
        }
        status_.set_previous(status_.generation());
        status_.set_generation(request.policy().generation());
        if (request.has_live()) take(request.live());
        applied_.push_back(request.policy().generation());
        deadline_ = request.confirm_ms() == 0
                        ? Clock::time_point{}
                        : Clock::now() + std::chrono::milliseconds(request.confirm_ms());
        return true;
    }
    void take(const model::LiveChange& live) {
        if (live.sync()) sets_.clear();
        if (live.sync()) reservations_.clear();
        for (const model::ReservationChange& change : live.reservations())
            if (change.has_grant())
                reservations_.insert(name_of(change.grant()));
            else
                reservations_.erase(change.release());
        for (const model::SetChange& change : live.sets()) {
            std::set<std::string>& set = sets_[change.set()];
            if (change.action() == model::SetChange::FLUSH) set.clear();
            for (size_t at = 0; at < change.elements().size(); at += 40)
                if (change.action() == model::SetChange::ADD)
                    set.insert(change.elements().substr(at, 40));
                else
                    set.erase(change.elements().substr(at, 40));
        }
        status_.mutable_live()->set_serial(live.serial());
    }
    static std::string name_of(const model::Node& reservation) {
        for (const model::Member& member : reservation.map().members())
            if (member.name() == "name") return member.value().text();
        return {};
    }
    void confirm(uint64_t generation, model::Reply& reply) {
        (void)current();
        if (generation != status_.generation() || deadline_ == Clock::time_point{})
            reply.set_error("nothing to confirm");
        deadline_ = {};
    }
    void roll_back(model::Reply& reply) {
        if (deadline_ == Clock::time_point{}) return reply.set_error("nothing to roll back");
        status_.set_rolled_back_from(status_.generation());
        status_.set_generation(status_.previous());
        deadline_ = {};
    }
    model::DataplaneStatus current() {
        model::Reply ignored;
        if (deadline_ != Clock::time_point{} && Clock::now() >= deadline_) roll_back(ignored);
        const auto left =
            deadline_ == Clock::time_point{}
                ? 0
                : std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
        status_.set_confirm_remaining_ms(static_cast<uint32_t>(left));
        return status_;
    }

    std::string path_;
    int listener_ = -1, fd_ = -1;
    model::FrameReader reader_;
    std::mutex mutex_;
    model::DataplaneStatus status_ = fresh();
    Clock::time_point deadline_{};
    bool hang_up_ = false;
    std::vector<uint64_t> applied_;
    bool tried_ = false;
    std::vector<std::string> kept_;
    std::map<std::string, std::set<std::string>> sets_;
    std::set<std::string> reservations_;
    std::vector<model::ToDataplane::RequestCase> requests_;
    std::vector<std::string> events_, held_;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

}  // namespace ravelin::test
