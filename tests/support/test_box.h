// SPDX-License-Identifier: Apache-2.0
// TestBox: what a test driven by YAML needs of a box, whatever runs inside: StageFixture has one
// worker without a thread, WorkerBox four real ones.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "dataplane/account.h"
#include "dataplane/counters.h"
#include "dataplane/pipeline.h"
#include "dataplane/snapshot.h"
#include "dataplane/stage.h"
#include "pipelines/stages/firewall_wire.h"
#include "tests/support/frames.h"

namespace ravelin::test {

struct Sent {
    std::string port;
    Bytes frame;
};

/// Elements of a live set that come or go, as the operator writes them.
struct SetEdit {
    std::string set;
    std::vector<std::string> elements;
    bool add = true;
    uint64_t timeout_ms = 0;  ///< 0: for good
};

/// Time moves in steps of 100 ms, as a real loop turns far more often, but hours of idle time need
/// not take more than 2,000 of them.
inline uint64_t time_step_ms(uint64_t ms) { return std::max<uint64_t>(100, ms / 2000); }

class TestBox {
  public:
    virtual ~TestBox() = default;
    /// A new generation; flows and neighbours stay. Throws with the error's message.
    virtual void apply(const std::string& yaml) = 0;
    /// A live change; the generation stays. Throws with the error's message.
    virtual void edit(const SetEdit& edit) = 0;
    virtual void change_rules(const firewall::RuleChanges& changes) = 0;
    /// Makes live rules part of the compiled tables, as happens in the background.
    virtual void merge_rules() = 0;
    /// Frames arrive on a port as one burst; returns when nothing is under way any more.
    virtual void receive(const std::string& port, const std::vector<Bytes>& frames) = 0;
    /// The same with one frame of any shape; takes it.
    virtual void receive_mbuf(const std::string& port, rte_mbuf* frame) = 0;
    /// Moves time on, with all timers.
    virtual void advance(uint64_t ms) = 0;
    /// Lets the box do what it does by itself, without any time passing.
    virtual void settle() = 0;
    /// What left since the last call, in order per port and worker.
    virtual std::vector<Sent> sent() = 0;
    /// Counter by full name, worker by worker; one that does not exist is a test failure.
    [[nodiscard]] virtual std::vector<uint64_t> per_worker(const std::string& name) const = 0;
    /// Sum over workers.
    [[nodiscard]] uint64_t counter(const std::string& name) const {
        const auto each = per_worker(name);
        return std::accumulate(each.begin(), each.end(), uint64_t{0});
    }
    /// All nonzero "drop." counters without the prefix: {"parse.truncated": 1}.
    [[nodiscard]] virtual std::map<std::string, uint64_t> drops() const = 0;
    [[nodiscard]] virtual RuleCounter rule(const std::string& name) const = 0;
    [[nodiscard]] virtual const PolicySnapshot& policy() const = 0;
    /// How many there are to share the work, whatever the configuration says.
    [[nodiscard]] virtual WorkerId workers() const = 0;
    /// Visits the workers in turn, each on its own thread between two bursts.
    using Visit = std::function<void(WorkerContext&, Pipeline&)>;
    virtual void on_workers(const Visit& visit) = 0;
    /// Packets charged to each principal that has some, by all workers.
    [[nodiscard]] std::map<std::string, uint64_t> charged() {
        std::map<std::string, uint64_t> out;
        on_workers([&](WorkerContext& context, Pipeline&) {
            const Principals* principals = policy().principals.get();
            if (principals == nullptr || context.account == nullptr) return;
            for (uint32_t id = 0; id < principals->table.size(); ++id)
                if (const uint64_t n =
                        context.account->usage().get(sched::PrincipalId{id}, sched::Use::kPackets))
                    out[principals->name(id)] += n;
        });
        return out;
    }
};

/// The box that tests of this program run on: one_worker.cc or four_workers.cc, by linking.
struct Backend {
    std::string name;  ///< of the stage cases
    bool ordered;      ///< frames leave a port in the order in which they came in
    /// A box of a configuration, with 1,024 flows a worker; throws the error of one refused.
    /// `steer`: where several workers need it, it is added.
    std::unique_ptr<TestBox> (*make)(const std::string& yaml, bool steer);
};
const Backend& backend();

}  // namespace ravelin::test
