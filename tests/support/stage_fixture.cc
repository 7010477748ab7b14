// SPDX-License-Identifier: Apache-2.0
#include "tests/support/stage_fixture.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "controlplane/config/yaml_loader.h"
#include "dataplane/policy_builder.h"
#include "dataplane/tsc.h"
#include "pipelines/model/schema.h"
#include "tests/support/ring_ports.h"

namespace ravelin::test {
namespace {

constexpr size_t kLine = 64;
constexpr std::string_view kTap = "tap.";
constexpr uint64_t kNsPerMs = 1'000'000;
constexpr unsigned kFlowBudget = 100'000;
constexpr unsigned kMostEmittedBursts = 64;  // a stage that answers its own answers stops here

[[noreturn]] void fail(const std::string& message) { throw std::runtime_error(message); }

config::Node load(const std::string& yaml) {
    std::vector<std::string_view> names;
    for (const StageDecl* stage : StageRegistry::get().stages()) names.push_back(stage->name);
    auto loaded =
        config::load_text(yaml, "test", model::kConfigSchema, StageRegistry::schema_of, names);
    if (!loaded) fail(loaded.error().message + "\n" + yaml);
    return std::move(loaded->tree);
}

/// Port i without `mac:` has 02:00:00:00:01:<i>.
PortFacts facts_of(const config::Node& tree) {
    PortFacts facts;
    for (const config::Node& port : tree["ports"].items()) {
        const auto index = static_cast<uint8_t>(facts.macs.size());
        facts.macs.push_back(port.has("mac") ? port["mac"].as_mac()
                                             : MacAddress{{2, 0, 0, 0, 1, index}});
    }
    return facts;
}

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
using Block = std::unique_ptr<void, Free>;

Block zeroed(size_t bytes) {
    const size_t rounded = (bytes + kLine - 1) / kLine * kLine;
    Block block(std::aligned_alloc(kLine, rounded));
    std::memset(block.get(), 0, rounded);
    return block;
}

}  // namespace

struct StageFixture::Memory {
    Block counters, flows;
    std::vector<RingPort> ports;
};

StageFixture::StageFixture(const std::string& yaml, uint32_t flows)
    : memory_(std::make_unique<Memory>()) {
    const config::Node tree = load(yaml);
    std::vector<std::string> names;
    std::vector<TxRoute> routes;
    auto ports = read_ports(tree["ports"], PolicySnapshot::Mode::kRouter, {});
    for (const config::Node& port : tree["ports"].items()) {
        names.push_back(port["name"].as_text());
        memory_->ports.emplace_back();
        devices_.push_back(memory_->ports.back().device());
        routes.push_back({.device = devices_.back(), .queue = 0, .owner = 0, .segments = true});
        if (!ports) continue;  // apply() tells
        const PortPolicy& planned = (*ports)[routes.size() - 1];
        routes.back().tags = VlanTags::of(planned.vlan);
        routes.back().parent = planned.parent;
        routes.back().tunnel = planned.vxlan.has_value();
    }
    specs_ = counter_specs(names);
    memory_->counters = zeroed(CounterSegment::bytes_for(specs_.size(), 1, limits::kMaxRules));
    segment_ =
        std::make_unique<CounterSegment>(memory_->counters.get(), specs_, 1, limits::kMaxRules, 1);
    const auto workers = static_cast<WorkerId>(tree["workers"]["count"].as_integer());
    matrix_ = std::make_unique<HandoffMatrix>(workers);
    handoff_ = std::make_unique<Handoff>(*matrix_, WorkerId{0});
    transmitter_ = std::make_unique<Transmitter>(std::move(routes), WorkerId{0});
    memory_->flows = zeroed(FlowTable::bytes_for(flows));
    const Now now = Now::from_ns(ns_);
    auto table =
        FlowTable::create(memory_->flows.get(), FlowTable::bytes_for(flows), flows, 1, now.ms);
    if (!table) fail(table.error().message);
    flows_ = std::make_unique<FlowTable>(std::move(*table));
    counts_ = std::move(*SourceCounts::create(flows));
    flows_->count_with(*counts_);
    principal_flows_ = std::make_unique<PrincipalFlows>();
    flows_->count_principals(*principal_flows_);
    neighbours_ = std::make_unique<NeighbourTable>();
    events_ = std::make_unique<ByteRing>(limits::kEventRing);
    pipeline_ = std::make_unique<Pipeline>(StageRegistry::get().instantiate(0, workers));
    context_.workers = workers;
    context_.now = now;
    context_.counters = segment_->worker(0);
    context_.flows = flows_.get();
    context_.neighbours = neighbours_.get();
    context_.pool = test_eal();
    context_.events = events_.get();
    context_.handoff = handoff_.get();
    context_.transmitter = transmitter_.get();
    context_.shortcut = &shortcut_;
    kernel_ = std::make_unique<KernelPath>(workers, context_.pool);
    context_.kernel = kernel_.get();
    apply(yaml);
}

StageFixture::~StageFixture() {
    if (context_.invocations != nullptr) context_.invocations->release_all();
    Burst emitted;
    while (transmitter_->has_emitted()) {
        emitted.count = 0;
        transmitter_->take_emitted(emitted);
        rte_pktmbuf_free_bulk(emitted.frames, emitted.count);
    }
    transmitter_->flush(context_);
    (void)sent();
}

void StageFixture::apply(const std::string& yaml) {
    const auto tree = std::make_shared<const config::Node>(load(yaml));
    PortFacts facts = facts_of(*tree);
    facts.principal_flows = principal_flows_.get();
    facts.links = &links_;
    facts.invocations = &invocations_;
    auto built = build_policy(generations_.size() + 1, tree, facts, context_.policy);
    if (!built) fail(built.error().message + "\n" + yaml);
    live_rules_.forget();
    before_ = context_.policy;
    put_in_force(std::move(*built));
}

void StageFixture::roll_back() {
    if (before_ == nullptr) fail("nothing was in force before");
    auto again = std::make_unique<PolicySnapshot>(*before_);
    again->epoch = again->first_epoch = static_cast<uint32_t>(generations_.size() + 1);
    live_rules_.forget();
    put_in_force(std::move(again));
}

StageFixture::Copies StageFixture::copies(rte_mbuf* const* frames, unsigned n) {
    Copies out;
    for (unsigned i = 0; i < n; ++i) out.emplace_back(frames[i], bytes_of(frames[i]));
    return out;
}

// What the data plane's PolicyStore does, without workers to wait for.
void StageFixture::edit(const SetEdit& edit) {
    LiveSet* set = context_.policy->find_set(edit.set);
    if (set == nullptr) fail("no live set '" + edit.set + "'");
    for (const std::string& text : edit.elements) {
        const auto element = SetElement::parse(set->decl().type, text);
        if (!element) fail(element.error().message);
        const uint64_t deadline = edit.timeout_ms == 0 ? 0 : ns_ / kNsPerMs + edit.timeout_ms;
        if (!edit.add)
            set->remove(*element);
        else if (set->add(*element, deadline) == LiveSet::Added::kFull)
            fail("set '" + edit.set + "' is full");
    }
    judge_anew();
}

void StageFixture::change_rules(const firewall::RuleChanges& changes) {
    auto next = live_rules_.edited(*context_.policy, changes);
    if (!next) fail(next.error().message);
    (*next)->epoch = static_cast<uint32_t>(generations_.size() + 1);
    put_in_force(std::move(*next));
    live_rules_.accept();
}

void StageFixture::merge_rules() {
    live_rules_.start_merge(*context_.policy);
    live_rules_.wait();
    auto merged = live_rules_.take_merged(*context_.policy);
    if (merged == nullptr) fail("nothing was merged: " + live_rules_.problem());
    put_in_force(std::move(merged));
    live_rules_.accept();
}

void StageFixture::put_in_force(std::unique_ptr<PolicySnapshot> next) {
    generations_.push_back(std::move(next));
    context_.policy = generations_.back().get();
    transmitter_->follow(context_);
    const bool charges = context_.policy->principals != nullptr;
    if (charges && account_ == nullptr) account_ = std::make_unique<Account>();
    context_.account = charges ? account_.get() : nullptr;
    if (charges) account_->open();
    if (!charges && account_ != nullptr) account_->forget();
    if (charges) follow_cycles();
    const Functions* functions = context_.policy->functions.get();
    if ((functions == nullptr ? 0 : functions->serial) != functions_)
        functions_ = follow_functions(context_);
}

void StageFixture::judge_anew() {
    auto next = std::make_unique<PolicySnapshot>(*context_.policy);
    next->epoch = static_cast<uint32_t>(generations_.size() + 1);
    put_in_force(std::move(next));
    for (const auto& set : context_.policy->sets) set->reclaim();
}

PortId StageFixture::port_named(const std::string& name) const {
    const auto& ports = context_.policy->ports;
    const auto found = std::ranges::find(ports, name, &PortPolicy::name);
    if (found == ports.end()) fail("no port '" + name + "'");
    return static_cast<PortId>(found - ports.begin());
}

void StageFixture::receive(const std::string& port, const std::vector<Bytes>& frames) {
    const bool tap = port.starts_with(kTap);
    const PortId id = port_named(tap ? port.substr(kTap.size()) : port);
    const size_t most = tap ? Burst::kCapacity : limits::kArrivals;
    for (size_t done = 0; done < frames.size(); done += most) {
        const auto n = static_cast<unsigned>(std::min(most, frames.size() - done));
        rte_mbuf* arrived[limits::kArrivals];
        std::transform(frames.begin() + static_cast<std::ptrdiff_t>(done),
                       frames.begin() + static_cast<std::ptrdiff_t>(done + n), arrived,
                       [](const Bytes& frame) { return exact_frame(frame); });
        tap ? leave_kernel(arrived, n, id) : arrive(arrived, n, id);
    }
    if (frames.empty()) run_emitted();
}

void StageFixture::receive_mbuf(const std::string& port, rte_mbuf* frame) {
    arrive(&frame, 1, port_named(port));
}

void StageFixture::leave_kernel(rte_mbuf* const* frames, unsigned n, PortId port) {
    PacketMeta meta;
    meta.in_port = port;
    meta.flags = PacketMeta::kLocalOrigin | PacketMeta::kFromKernel;
    Burst burst;
    for (unsigned i = 0; i < n; ++i) burst.add(frames[i], meta);
    run(burst);
}

void StageFixture::arrive(rte_mbuf** frames, unsigned n, PortId port) {
    const bool whole = context_.dry_run || !shortcuts_;
    if (context_.account != nullptr) context_.account->open();  // what the test did is nobody's
    const auto before = tell_shortened_ ? copies(frames, n) : Copies{};
    Arrivals& in = express_.arrivals();
    in.begin(frames, n, port);
    if (!whole) {
        shortcut_.take(in, allowed_, context_);
        express_.take(*pipeline_, context_);
    }
    const unsigned left = in.gather();
    shortened_ += n - left;
    for (const auto& [frame, bytes] : before)
        if (std::find(frames, frames + left, frame) == frames + left) tell_shortened_(bytes);
    for (unsigned done = 0; done < left; done += Burst::kCapacity) {
        Burst burst;
        burst.begin(std::min(left - done, Burst::kCapacity), port);
        std::copy_n(frames + done, burst.count, burst.frames);
        run(burst);
    }
    if (left == 0) run_emitted();
    run_functions();
    if (context_.account == nullptr) return;
    context_.account->close(true);
    context_.account->close(false);  // a turn without packets: accounts are told
}

void StageFixture::run(Burst& burst) {
    pipeline_->run(burst, context_);
    if (context_.dry_run)
        rte_pktmbuf_free_bulk(burst.frames, burst.count);  // it stays where it ended
    run_emitted();
}

void StageFixture::run_emitted() {
    Burst burst;
    for (unsigned i = 0; i < kMostEmittedBursts && transmitter_->has_emitted(); ++i) {
        transmitter_->take_emitted(burst);
        pipeline_->run(burst, context_);
    }
    context_.give_up(handoff_->flush());
    rte_mbuf* back[Burst::kCapacity];  // what stages sent to this very worker
    while (const unsigned n = handoff_->receive(0, back, Burst::kCapacity))
        pipeline_->resume(back, n, context_);
    if (context_.account != nullptr) context_.account->lap(Account::kTurn, 0);
    transmitter_->flush(context_);
}

void StageFixture::advance(uint64_t ms) {
    const uint64_t step = time_step_ms(ms);
    while (ms != 0) {
        const uint64_t now = std::min(step, ms);
        ms -= now;
        ns_ += now * kNsPerMs;
        context_.now = Now::from_ns(ns_);
        uint32_t expired = 0;
        for (const auto& set : context_.policy->sets) expired += set->expire(ns_ / kNsPerMs);
        if (expired != 0) judge_anew();
        flows_->expire(context_.now.ms, kFlowBudget);
        settle();
    }
}

void StageFixture::settle() {
    pipeline_->tick(context_);
    run_emitted();
    run_functions();
}

// As Worker::run_function does, turn after turn.
void StageFixture::run_functions() {
    static uint64_t stopped_ns = 0;
    stopped_ns = ns_;
    const Clock clock = [] { return Now::from_ns(stopped_ns); };
    while (run_functions_ && context_.invocations != nullptr &&
           context_.invocations->run(*pipeline_, context_, {clock, Account::tsc, nullptr}, {}) != 0)
        run_emitted();
}

std::vector<Sent> StageFixture::sent() {
    std::vector<Sent> out;
    const auto take = [&](std::string name, rte_mbuf* frame) {
        out.push_back({std::move(name), bytes_of(frame)});
        rte_pktmbuf_free(frame);
    };
    for (size_t i = 0; i < memory_->ports.size(); ++i)
        while (rte_mbuf* frame = memory_->ports[i].take())
            take(context_.policy->ports[i].name, frame);
    rte_mbuf* to_kernel = nullptr;
    while (kernel_->take(0, &to_kernel, 1) == 1)
        take(std::string(kTap) + context_.policy->ports[to_kernel->port].name, to_kernel);
    for (WorkerId w = 1; w < matrix_->workers(); ++w) {
        rte_mbuf* frame = nullptr;
        while (matrix_->ring(0, w).pop(&frame, 1) == 1) take("worker" + std::to_string(w), frame);
    }
    return out;
}

std::vector<uint64_t> StageFixture::per_worker(const std::string& name) const {
    const auto found = std::ranges::find(specs_, name, &CounterSpec::name);
    if (found == specs_.end()) {
        ADD_FAILURE() << "no counter '" << name << "'";
        return {0};
    }
    return {context_.counters.get(static_cast<CounterId>(found - specs_.begin()))};
}

void StageFixture::follow_cycles() {
    account_->follow(*context_.policy->principals, context_.now.ns);
}

void StageFixture::overdraw(const std::string& principal) {
    constexpr unsigned kRunUs = 2'000;
    account_->ran(policy().principals->table.find(principal), tsc_hz() / 1'000'000 * kRunUs);
    ::usleep(2 * kRunUs);  // the account reads the machine's own clock
    follow_cycles();
}

std::map<std::string, uint64_t> StageFixture::drops() const {
    constexpr std::string_view kPrefix = "drop.";
    std::map<std::string, uint64_t> out;
    for (size_t i = 0; i < specs_.size(); ++i) {
        if (!specs_[i].name.starts_with(kPrefix)) continue;
        const uint64_t n = context_.counters.get(static_cast<CounterId>(i));
        if (n != 0) out[specs_[i].name.substr(kPrefix.size())] = n;
    }
    return out;
}

RuleCounter StageFixture::rule(const std::string& name) const {
    if (const RuleInfo* info = context_.policy->rules.find(name))
        return context_.counters.rule(info->slot);
    ADD_FAILURE() << "no rule '" << name << "'";
    return {};
}

}  // namespace ravelin::test
