// SPDX-License-Identifier: Apache-2.0
#include "tests/support/worker_box.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace ravelin::test {
namespace {

constexpr unsigned kWorkers = 4;
constexpr size_t kTogether = 512;  // half of what the rings on the way hold
constexpr uint64_t kStart = 1'000'000'000'000, kNsPerMs = 1'000'000;

std::atomic<uint64_t> clock_ns{kStart};

// In place of a TAP, sockets that keep datagrams whole: the test has the kernel's ends.
constexpr unsigned kMostTurns = 100'000;
constexpr size_t kMostBytes = 16'384;
std::vector<std::string> kernel_ports;  // by PortId
std::map<std::string, int> kernel_ends;

void close_kernel_ends() {
    for (const auto& [port, end] : kernel_ends) close(end);
    kernel_ends.clear();
}

Result<int> open_pair(const TapConfig& config) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0)
        return Error{"no socket pair"};
    kernel_ends[kernel_ports[config.port]] = ends[1];
    return ends[0];
}

Now standing_clock() { return Now::from_ns(clock_ns.load(std::memory_order_relaxed)); }

std::string stage_of(const YAML::Node& step) {
    return step.IsMap() ? step.begin()->first.as<std::string>() : step.as<std::string>();
}

YAML::Node steered(const YAML::Node& pipeline) {
    for (const YAML::Node& step : pipeline)
        if (stage_of(step) == "steer") return pipeline;
    YAML::Node out;
    for (const YAML::Node& step : pipeline) {
        out.push_back(step);
        if (stage_of(step) == "parse") out.push_back("steer");
    }
    return out;
}

/// The configuration as it is for four workers on `devices`.
std::string for_workers(const std::string& yaml, bool steer,
                        const std::vector<std::string>& devices) {
    YAML::Node whole = YAML::Load(yaml);
    whole["workers"] = YAML::Load(fmt::format(
        "{{count: {}, poll: adaptive, hugepages: \"off\", buffers: 1024, flows: 1024}}", kWorkers));
    size_t i = 0;
    for (YAML::Node port : whole["ports"]) {
        const size_t id = i++;
        if (port["parent"] || port["vxlan"]) continue;
        port["device"] = "net_ring_" + devices[id];
        if (!port["mac"]) port["mac"] = fmt::format("02:00:00:00:01:{:02x}", id);
        if (id % 2 != 0) port["queues"] = kWorkers;
    }
    if (steer) whole["pipeline"] = steered(whole["pipeline"]);
    return YAML::Dump(whole);
}

[[noreturn]] void fail(const std::string& message) { throw std::runtime_error(message); }

class Visitor final : public Command {
  public:
    explicit Visitor(const TestBox::Visit& visit) : visit_(visit) {}
    void run(Worker& worker) noexcept override { visit_(worker.context(), worker.pipeline()); }

  private:
    const TestBox::Visit& visit_;
};

}  // namespace

void WorkerBox::write_tap(const std::string& port, const std::vector<Bytes>& frames) {
    for (const Bytes& bytes : frames) {
        if (write(kernel_ends[port], bytes.data(), bytes.size()) < 0) fail("no TAP at " + port);
        ++from_kernel_;
    }
    for (unsigned i = 0; box_->counter("kernel.received") != from_kernel_; ++i) {
        if (i == kMostTurns) fail("the kernel's frames do not arrive");
        if (!box_->turn()) fail("a worker does not turn");
    }
    settle();
}

void WorkerBox::read_taps(std::vector<Sent>& out) {
    const uint64_t wanted = box_->counter("kernel.sent");
    Bytes bytes(kMostBytes);
    for (unsigned i = 0; to_kernel_ != wanted; ++i) {
        if (i == kMostTurns) fail("frames for the kernel do not arrive");
        for (const auto& [port, end] : kernel_ends)
            for (ssize_t got = 0; (got = read(end, bytes.data(), bytes.size())) > 0; ++to_kernel_)
                out.push_back({"tap." + port, Bytes(bytes.begin(), bytes.begin() + got)});
        if (!box_->turn()) fail("a worker does not turn");
    }
}

WorkerBox::WorkerBox(const std::string& yaml, bool steer) : steer_(steer) {
    static unsigned boxes = 0;
    ++boxes;
    for (size_t i = 0; i < YAML::Load(yaml)["ports"].size(); ++i)
        devices_.push_back(fmt::format("b{}p{}", boxes, i));
    clock_ns = kStart;
    close_kernel_ends();
    kernel_ports.clear();
    for (const YAML::Node& port : YAML::Load(yaml)["ports"])
        kernel_ports.push_back(port["name"].as<std::string>());
    box_ = std::make_unique<RingBox>(devices_, kWorkers, standing_clock, 1, open_pair);
    apply(yaml);
}

void WorkerBox::apply(const std::string& yaml) {
    if (const Status applied = box_->try_apply(for_workers(yaml, steer_, devices_)); !applied)
        fail(applied.error().message + "\n" + yaml);
}

void WorkerBox::edit(const SetEdit& edit) {
    const LiveSet* set = policy().find_set(edit.set);
    if (set == nullptr) fail("no live set '" + edit.set + "'");
    model::LiveChange change;
    change.set_generation(policy().generation);
    change.set_serial(box_->store().live().serial() + 1);
    model::SetChange& out = *change.add_sets();
    out.set_set(edit.set);
    out.set_action(edit.add ? model::SetChange::ADD : model::SetChange::REMOVE);
    for (const std::string& text : edit.elements) {
        const auto element = SetElement::parse(set->decl().type, text);
        if (!element) fail(element.error().message);
        element->append_to(*out.mutable_elements());
        if (edit.add) out.add_remaining_ms(edit.timeout_ms);
    }
    const Now now = standing_clock();
    if (const Status changed = box_->store().change(change, now, now.ns); !changed)
        fail(changed.error().message);
}

void WorkerBox::change_rules(const firewall::RuleChanges& changes) {
    model::LiveChange change;
    change.set_generation(policy().generation);
    change.set_serial(box_->store().live().serial() + 1);
    *change.mutable_rules() = changes;
    const Now now = standing_clock();
    if (const Status changed = box_->store().change(change, now, now.ns); !changed)
        fail(changed.error().message);
}

void WorkerBox::merge_rules() {
    const uint64_t before = box_->store().live().merges();
    for (unsigned tries = 0; box_->store().live().merges() == before; ++tries) {
        if (tries == 10'000) fail("nothing was merged");
        box_->store().merge_rules({.ns = UINT64_MAX});
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void WorkerBox::arrive(const std::string& port, std::span<rte_mbuf* const> frames) {
    const auto& ports = policy().ports;
    const auto found = std::ranges::find(ports, port, &PortPolicy::name);
    if (found == ports.end()) fail("no port '" + port + "'");
    box_->send(static_cast<size_t>(found - ports.begin()), frames);
    settle();
}

void WorkerBox::receive(const std::string& port, const std::vector<Bytes>& frames) {
    if (port.starts_with("tap.")) return write_tap(port.substr(4), frames);
    std::vector<rte_mbuf*> together;
    for (const Bytes& bytes : frames) {
        together.push_back(exact_frame(bytes));
        if (together.size() == kTogether) arrive(port, std::exchange(together, {}));
    }
    if (!together.empty()) arrive(port, together);
}

void WorkerBox::receive_mbuf(const std::string& port, rte_mbuf* frame) {
    arrive(port, {&frame, 1});
}

void WorkerBox::advance(uint64_t ms) {
    for (const uint64_t step = time_step_ms(ms); ms != 0;) {
        const uint64_t now = std::min(step, ms);
        ms -= now;
        clock_ns += now * kNsPerMs;
        box_->store().expire_elements(standing_clock());
        settle();
    }
}

void WorkerBox::settle() {
    if (!box_->settle()) fail("the workers do not come to rest; drops: " + box_->drops());
}

std::vector<Sent> WorkerBox::sent() {
    std::vector<Sent> out;
    for (size_t p = 0; p < devices_.size(); ++p)
        for (auto frames = box_->receive(p); !frames.empty(); frames = box_->receive(p))
            for (rte_mbuf* frame : frames) {
                out.push_back({policy().ports[p].name, bytes_of(frame)});
                rte_pktmbuf_free(frame);
            }
    read_taps(out);
    return out;
}

std::vector<uint64_t> WorkerBox::per_worker(const std::string& name) const {
    const auto& specs = box_->store().appliance()->specs();
    const auto found = std::ranges::find(specs, name, &CounterSpec::name);
    std::vector<uint64_t> out(workers());
    if (found == specs.end())
        ADD_FAILURE() << "no counter '" << name << "'";
    else
        for (WorkerId w = 0; w < workers(); ++w)
            out[w] = box_->store().appliance()->workers()[w]->context().counters.get(
                static_cast<CounterId>(found - specs.begin()));
    return out;
}

WorkerId WorkerBox::workers() const {
    return static_cast<WorkerId>(box_->store().appliance()->workers().size());
}

void WorkerBox::on_workers(const Visit& visit) {
    for (const auto& worker : box_->store().appliance()->workers()) {
        Visitor visitor(visit);
        if (!worker->execute(visitor)) fail("a worker does not answer");
    }
}

std::map<std::string, uint64_t> WorkerBox::drops() const {
    constexpr std::string_view kPrefix = "drop.";
    std::map<std::string, uint64_t> out;
    for (const CounterSpec& spec : box_->store().appliance()->specs())
        if (spec.name.starts_with(kPrefix))
            if (const uint64_t n = box_->counter(spec.name))
                out[spec.name.substr(kPrefix.size())] = n;
    return out;
}

RuleCounter WorkerBox::rule(const std::string& name) const {
    const RuleInfo* found = policy().rules.find(name);
    RuleCounter sum{};
    if (found == nullptr)
        ADD_FAILURE() << "no rule '" << name << "'";
    else
        for (const auto& worker : box_->store().appliance()->workers()) {
            const RuleCounter one = worker->context().counters.rule(found->slot);
            sum.packets += one.packets;
            sum.bytes += one.bytes;
        }
    return sum;
}

}  // namespace ravelin::test
