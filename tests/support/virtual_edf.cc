// SPDX-License-Identifier: Apache-2.0
#include "tests/support/virtual_edf.h"

#include <cstddef>
#include <functional>
#include <limits>
#include <queue>
#include <set>
#include <tuple>

namespace ravelin::test {
namespace {

constexpr int64_t kCoreIsDue = std::numeric_limits<int64_t>::min();

struct Job {
    int64_t due = 0;      // in absolute time
    uint64_t number = 0;  // first come, first served among equals
    size_t flow = 0, packet = 0, visit = 0;
    int64_t left = 0;  // ns of service
    friend bool operator<(const Job& a, const Job& b) {
        return std::tie(a.due, a.number) < std::tie(b.due, b.number);
    }
};

struct Event {
    int64_t at = 0;
    size_t resource = 0;  // past the last resource: a packet arrives
    uint64_t turn = 0;    // of the resource; another turn: the event is void
    size_t flow = 0, packet = 0;
    friend bool operator>(const Event& a, const Event& b) { return a.at > b.at; }
};

struct Server {
    std::set<Job> ready;
    Job running;
    bool busy = false, woken = false;
    int64_t since = 0;  // `running` runs
    uint64_t turn = 0;
};

class Execution {
  public:
    Execution(const std::vector<VirtualResource>& resources, const std::vector<VirtualFlow>& flows)
        : resources_(resources), flows_(flows), servers_(resources.size()), fates_(flows.size()) {
        done_.resize(flows.size());
        for (size_t flow = 0; flow < flows.size(); ++flow) {
            fates_[flow].packets = flows[flow].arrivals.size();
            done_[flow].resize(flows[flow].arrivals.size());
            for (size_t packet = 0; packet < flows[flow].arrivals.size(); ++packet)
                events_.push({flows[flow].arrivals[packet], resources.size(), 0, flow, packet});
        }
    }

    std::vector<Fate> run() {
        while (!events_.empty()) {
            now_ = events_.top().at;
            while (!events_.empty() && events_.top().at == now_) {
                const Event event = events_.top();
                events_.pop();
                if (event.resource == resources_.size())
                    begin_visits(event.flow, event.packet, -1);
                else if (servers_[event.resource].turn == event.turn)
                    come_to(event.resource);
            }
            for (size_t i = 0; i < servers_.size(); ++i) dispatch(i);
        }
        return std::move(fates_);
    }

  private:
    struct Progress {
        size_t over = 0;
        bool late = false;
    };

    void begin_visits(size_t flow, size_t packet, int after) {
        const auto& visits = flows_[flow].visits;
        for (size_t i = 0; i < visits.size(); ++i) {
            const int before = visits[i].after == -2 ? static_cast<int>(i) - 1 : visits[i].after;
            if (before != after) continue;
            const int64_t due =
                flows_[flow].core ? kCoreIsDue : flows_[flow].arrivals[packet] + visits[i].due;
            servers_[visits[i].resource].ready.insert(
                {due, ++number_, flow, packet, i, visits[i].service});
        }
    }

    /// The running job is over, or the sleeping resource awake.
    void come_to(size_t resource) {
        Server& server = servers_[resource];
        ++server.turn;
        server.woken = true;
        if (!server.busy) return;
        server.busy = false;
        const Job& job = server.running;
        Progress& progress = done_[job.flow][job.packet];
        progress.late |= job.due != kCoreIsDue && now_ > job.due;
        Fate& fate = fates_[job.flow];
        const int64_t response = now_ - flows_[job.flow].arrivals[job.packet];
        if (response > fate.worst) fate.worst = response;
        if (++progress.over == flows_[job.flow].visits.size() && progress.late) ++fate.missed;
        begin_visits(job.flow, job.packet, static_cast<int>(job.visit));
    }

    void dispatch(size_t resource) {
        Server& server = servers_[resource];
        if (server.ready.empty()) {
            if (!server.busy) server.woken = false;
            return;
        }
        if (server.busy) {
            if (!resources_[resource].preemptive || !(*server.ready.begin() < server.running))
                return;
            server.running.left -= now_ - server.since;
            server.ready.insert(server.running);
            server.busy = false;
        } else if (!server.woken && resources_[resource].wake > 0) {
            if (server.since > now_) return;  // it is waking already
            server.since = now_ + resources_[resource].wake;
            events_.push({server.since, resource, server.turn});
            return;
        }
        server.running = *server.ready.begin();
        server.ready.erase(server.ready.begin());
        server.busy = true;
        server.since = now_;
        events_.push({now_ + server.running.left, resource, ++server.turn});
    }

    const std::vector<VirtualResource>& resources_;
    const std::vector<VirtualFlow>& flows_;
    std::vector<Server> servers_;
    std::vector<Fate> fates_;
    std::vector<std::vector<Progress>> done_;  // by flow and packet
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    int64_t now_ = 0;
    uint64_t number_ = 0;
};

}  // namespace

std::vector<Fate> execute(const std::vector<VirtualResource>& resources,
                          const std::vector<VirtualFlow>& flows) {
    return Execution(resources, flows).run();
}

}  // namespace ravelin::test
