// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/appliance.h"

#include <fmt/format.h>
#include <rte_mbuf.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <functional>

#include "dataplane/eal.h"
#include "dataplane/engine_counters.h"
#include "dataplane/flow.h"
#include "dataplane/port_policies.h"

namespace ravelin {

uint32_t largest_mtu(const config::Node& config) {
    uint32_t mtu = 0;
    for (size_t i = 0; i < config["ports"].items().size(); ++i)
        mtu = std::max(mtu, mtu_of(config["ports"], i));
    return mtu;
}

namespace {

constexpr std::array<std::string_view, 11> kFixedPortMembers{
    "name", "device", "parent", "vlan", "tag", "mtu", "mac", "queues", "rss", "tap", "vxlan"};

/// The members that only a restart changes.
config::Node fixed_members(const config::Node& config) {
    config::Node fixed = config::Node::map();
    fixed.set("mode", config["mode"]);
    fixed.set("workers", config["workers"]);
    config::Node ports = config::Node::list();
    for (const config::Node& port : config["ports"].items()) {
        config::Node kept = config::Node::map();
        for (const std::string_view member : kFixedPortMembers)
            if (port.has(member) && member != "vxlan") kept.set(member, port[member]);
        if (port.has("vxlan")) {
            config::Node end = config::Node::map();
            end.set("local", port["vxlan"]["local"]);
            kept.set("vxlan", std::move(end));
        }
        ports.add(std::move(kept));
    }
    fixed.set("ports", std::move(ports));
    return fixed;
}

uint64_t pool_bytes(const config::Node& config) {
    const uint64_t buffer =
        sizeof(rte_mbuf) + sizeof(PacketMeta) + buffer_room(largest_mtu(config)) + 128;
    const uint64_t workers = static_cast<uint64_t>(config["workers"]["buffers"].as_integer()) *
                             static_cast<uint64_t>(config["workers"]["count"].as_integer());
    return buffer * (workers + kernel_frames(config)) * 9 / 8;
}

/// Flow timestamps mean something only within one boot of the machine.
uint64_t boot_tag() {
    char id[64] = {};
    if (FILE* f = std::fopen("/proc/sys/kernel/random/boot_id", "re")) {
        if (std::fgets(id, sizeof id, f) == nullptr) id[0] = '\0';
        std::fclose(f);
    }
    return std::hash<std::string_view>{}(id);
}

std::vector<int> cpus_of(const config::Node& config) {
    std::vector<int> cpus;
    for (const std::string& text : config["workers"]["cpus"].as_names()) {
        int cpu = -1;
        std::from_chars(text.data(), text.data() + text.size(), cpu);
        cpus.push_back(cpu);
    }
    return cpus;
}

}  // namespace

Result<std::unique_ptr<Appliance>> Appliance::boot(const config::Node& config,
                                                   const std::string& run_dir, Clock clock,
                                                   TapOpener open_tap) {
    std::unique_ptr<Appliance> box(new Appliance(clock));
    box->booted_ = fixed_members(config);
    box->worker_count_ = static_cast<unsigned>(config["workers"]["count"].as_integer());
    const bool wire = config["mode"].as_text() == "wire";
    auto planned = read_ports(
        config["ports"], wire ? PolicySnapshot::Mode::kWire : PolicySnapshot::Mode::kRouter, {});
    if (!planned) return std::move(planned.error());
    box->planned_ = std::move(*planned);
    for (const auto step :
         {&Appliance::start_environment, &Appliance::make_pools, &Appliance::open_ports})
        if (auto s = (box.get()->*step)(); !s) return std::move(s.error());
    if (auto s = box->open_taps(open_tap); !s) return std::move(s.error());
    if (auto s = box->share_hash_secret(run_dir); !s) return std::move(s.error());
    if (auto s = box->make_counters(run_dir); !s) return std::move(s.error());
    if (auto s = box->make_workers(run_dir); !s) return std::move(s.error());
    return box;
}

Appliance::~Appliance() {
    if (kernel_ != nullptr) kernel_->stop();
    for (auto& worker : workers_) worker->stop();
    workers_.clear();
    // Whoever holds frames goes before the pools the frames came from.
    links_.release_all();
    invocations_.release_all();
    neighbours_.reset();
    handoffs_.reset();
    kernel_.reset();
    ports_.clear();
    for (rte_mempool* pool : pools_) rte_mempool_free(pool);
}

Status Appliance::accepts(const config::Node& config) const {
    const config::Node fixed = fixed_members(config);
    for (const std::string_view member : {"mode", "workers"})
        if (fixed[member] != booted_[member])
            return Error{fmt::format(
                "{}: cannot change while the data plane runs; restart it to apply this", member)};
    const auto& now = fixed["ports"].items();
    const auto& then = booted_["ports"].items();
    if (now.size() != then.size())
        return Error{fmt::format(
            "ports: {} are configured and {} are running; restart the data plane to change that",
            now.size(), then.size())};
    for (size_t i = 0; i < now.size(); ++i)
        for (const std::string_view member : kFixedPortMembers)
            if (now[i][member] != then[i][member])
                return Error{
                    fmt::format("ports[{}].{}: cannot change while the data plane runs; restart it "
                                "to apply this",
                                i, member)};
    return ok_status();
}

Status Appliance::start_environment() {
    const std::string& pages = booted_["workers"]["hugepages"].as_text();
    EalOptions options;
    options.hugepages = pages == "on"    ? EalOptions::Hugepages::kOn
                        : pages == "off" ? EalOptions::Hugepages::kOff
                                         : EalOptions::Hugepages::kAuto;
    options.memory_bytes = pool_bytes(booted_);
    for (const config::Node& port : booted_["ports"].items())
        if (std::string pci = pci_address_of(port["device"].as_text()); !pci.empty())
            options.pci.push_back(std::move(pci));
    auto facts = start_eal(options);
    if (!facts) return std::move(facts.error());
    facts_.hugepages = facts->hugepages;
    facts_.warning = facts->warning;
    return ok_status();
}

Status Appliance::make_pools() {
    const auto buffers = static_cast<unsigned>(booted_["workers"]["buffers"].as_integer());
    const auto room = static_cast<uint16_t>(buffer_room(largest_mtu(booted_)));
    for (unsigned w = 0; w < worker_count_; ++w) {
        rte_mempool* pool = rte_pktmbuf_pool_create(fmt::format("buffers{}", w).c_str(), buffers,
                                                    256, sizeof(PacketMeta), room, SOCKET_ID_ANY);
        if (pool == nullptr)
            return Error{fmt::format("workers.buffers: no memory for {} buffers of {} bytes",
                                     buffers, room)};
        pools_.push_back(pool);
    }
    return ok_status();
}

Status Appliance::make_counters(const std::string& run_dir) {
    specs_ = counter_specs(names_of(planned_));
    counters_path_ = run_dir + "/counters";
    unlink(counters_path_.c_str());  // readers of the old one notice by its inode
    auto segment = SharedSegment::open(
        counters_path_, CounterSegment::bytes_for(specs_.size(), worker_count_, limits::kMaxRules));
    if (!segment) return std::move(segment.error());
    counters_ = std::make_unique<CounterSegment>(segment->data(), specs_, worker_count_,
                                                 limits::kMaxRules, unix_ns() / 1'000'000);
    segments_.push_back(std::move(*segment));
    return ok_status();
}

/// The secret also spreads flows over workers: adopted flows stay with the worker that has them
/// only if the next process hashes alike. A table that could not be kept is worth a new secret.
Status Appliance::share_hash_secret(const std::string& run_dir) {
    const std::string path = run_dir + "/flow_secret";
    auto segment = SharedSegment::open(path, sizeof flow_hash_secret);
    if (!segment) return std::move(segment.error());
    if (segment->created() &&
        getrandom(segment->data(), sizeof flow_hash_secret, 0) != ssize_t{sizeof flow_hash_secret})
        return Error{fmt::format("{}: no random bytes", path)};
    std::memcpy(flow_hash_secret.data(), segment->data(), sizeof flow_hash_secret);
    segments_.push_back(std::move(*segment));
    return ok_status();
}

Result<std::unique_ptr<FlowTable>> Appliance::make_flow_table(const std::string& path,
                                                              uint32_t capacity) {
    auto segment = SharedSegment::open(path, FlowTable::bytes_for(capacity));
    if (!segment) return std::move(segment.error());
    const uint32_t now = clock_().ms;
    AdoptReport report;
    auto table = segment->created() ? Result<FlowTable>(Error{""})
                                    : FlowTable::adopt(segment->data(), segment->size(), capacity,
                                                       boot_tag(), now, report);
    if (!table)
        table = FlowTable::create(segment->data(), segment->size(), capacity, boot_tag(), now);
    if (!table) return std::move(table.error()).within(path);
    facts_.adopted_flows += report.adopted;
    facts_.damaged_flows += report.invalid + report.duplicate;
    facts_.huge_flow_bytes.push_back(segment->huge_bytes());
    segments_.push_back(std::move(*segment));
    return std::make_unique<FlowTable>(std::move(*table));
}

Status Appliance::make_workers(const std::string& run_dir) {
    const auto workers = static_cast<WorkerId>(worker_count_);
    const config::Node& settings = booted_["workers"];
    const std::vector<int> cpus = cpus_of(booted_);
    neighbours_ = std::make_unique<NeighbourTable>();
    handoffs_ = std::make_unique<HandoffMatrix>(workers);
    const auto capacity = static_cast<uint32_t>(settings["flows"].as_integer());
    auto counts = SourceCounts::create(uint64_t{capacity} * workers);
    if (!counts) return std::move(counts.error());
    counts_by_source_ = std::move(*counts);
    learned_ = std::make_unique<LearnedRoutes>();
    for (WorkerId w = 0; w < workers; ++w) {
        const uint64_t adopted_before = facts_.adopted_flows;
        auto flows = make_flow_table(fmt::format("{}/flows.{}", run_dir, w), capacity);
        if (!flows) return std::move(flows.error());
        WorkerSetup setup{.id = w,
                          .cpu = cpus.empty() ? -1 : cpus[w % cpus.size()],
                          .adaptive = settings["poll"].as_text() != "busy",
                          .rss_entries = nics_spread() ? ports_[0]->rss_entries() : uint16_t{0},
                          .clock = clock_,
                          .policy = &slot,
                          .counters = counters_->worker(w),
                          .flows = std::move(*flows),
                          .neighbours = neighbours_.get(),
                          .kernel = kernel_.get(),
                          .learned = learned_.get(),
                          .learned_version = &learned_->version(),
                          .pool = pools_[w],
                          .handoffs = handoffs_.get(),
                          .queues = {},
                          .routes = {}};
        setup.flows->count_with(*counts_by_source_);
        setup.flows->count_principals(principal_flows_);
        setup.counters.add(kFlowsAdopted, facts_.adopted_flows - adopted_before);
        share_queues(setup);
        workers_.push_back(std::make_unique<Worker>(std::move(setup)));
    }
    return ok_status();
}

}  // namespace ravelin
