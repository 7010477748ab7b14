// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/answers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "dataplane/compiled_variant.h"
#include "dataplane/engine_counters.h"
#include "dataplane/process/describe.h"
#include "dataplane/process/explain.h"
#include "dataplane/process/rule_proof.h"
#include "pipelines/model/frame.h"
#include "pipelines/stages/firewall_policy.h"
#include "pipelines/stages/firewall_view.h"
#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin::answers {
namespace {

constexpr uint32_t kPrincipalsInStatus = 256;  // of metrics, a series or five each
constexpr uint32_t kSlice = 4096;              // flow slots a command looks at between two bursts

/// Copies the flows of one slice of a worker's table, or deletes those of an address.
class FlowSlice final : public Command {
  public:
    explicit FlowSlice(const IpAddress* doomed) : doomed_(doomed) { copies_.reserve(kSlice); }
    void run(Worker& worker) noexcept override {
        copies_.clear();
        more_ = worker.flows().for_each(cursor_, kSlice, [&](Flow& flow) {
            if (doomed_ == nullptr) {
                // Within what was reserved.
                const bool translated = (flow.flags & kFlowTranslated) != 0;
                copies_.push_back(
                    {flow, translated ? worker.flows().translation(flow) : FlowTranslation{}});
            } else if (flow.key.first == *doomed_ || flow.key.second == *doomed_) {
                worker.flows().remove(flow);
                ++deleted_;
            }
        });
        total_ = worker.flows().size();
    }
    struct Copy {
        Flow flow;
        FlowTranslation translation;
    };
    [[nodiscard]] const std::vector<Copy>& copies() const { return copies_; }
    [[nodiscard]] bool more() const { return more_; }
    [[nodiscard]] uint64_t deleted() const { return deleted_; }
    [[nodiscard]] uint64_t total() const { return total_; }

  private:
    const IpAddress* doomed_;
    std::vector<Copy> copies_;
    uint32_t cursor_ = 0;
    bool more_ = true;
    uint64_t deleted_ = 0, total_ = 0;
};

void add_flow(const firewall::FlowView& view, WorkerId worker, model::Reply& reply) {
    model::FlowRecord& out = *reply.add_flows();
    out.set_worker(worker);
    out.set_protocol(view.protocol);
    out.set_source(view.source.to_string());
    out.set_source_port(view.source_port);
    out.set_destination(view.destination.to_string());
    out.set_destination_port(view.destination_port);
    out.set_state(std::string(view.state));
    out.set_outer_source(view.outer_source);
    out.set_outer_destination(view.outer_destination);
    out.set_rule(view.rule);
    out.set_generation(view.generation);
    out.set_packets_out(view.packets_out);
    out.set_bytes_out(view.bytes_out);
    out.set_packets_back(view.packets_back);
    out.set_bytes_back(view.bytes_back);
    out.set_expires_ms(view.expires_ms);
    out.set_in_port(view.in_port);
    out.set_principal(view.principal);
}

std::string device_of(const PolicySnapshot& policy, const PortPolicy& port, const Port& carrier) {
    if (port.vxlan)
        return fmt::format("vxlan {} {}", port.vxlan->vni, port.vxlan->local.to_string());
    if (port.parent == kNoPort) return carrier.config().device;
    return fmt::format("{} vlan {}", policy.ports[port.parent].name, port.vlan.to_string());
}

void add_ports(const PolicySnapshot& policy, const Appliance& box, model::DataplaneStatus& out) {
    for (size_t i = 0; i < policy.ports.size(); ++i) {
        const PortPolicy& port = policy.ports[i];
        const Port& carrier = box.carrier(static_cast<PortId>(i));
        model::PortStatus& p = *out.add_ports();
        p.set_name(port.name);
        p.set_device(device_of(policy, port, carrier));
        p.set_link_up(carrier.link_up());
        p.set_mac(port.mac.to_string());
        p.set_mtu(port.mtu);
        p.set_queues(carrier.rx_queues());
        p.set_link_mbps(port.parent == kNoPort && !port.vxlan ? carrier.link_mbps() : 0);
        const PacedLink* paced =
            policy.paced != nullptr ? policy.paced->link(static_cast<PortId>(i)) : nullptr;
        if (paced != nullptr) link(*paced, p);
    }
}

}  // namespace

void status(const PolicyStore& store, uint64_t started_unix_ms, model::DataplaneStatus& out) {
    out.set_version(model::kProtocolVersion);
    out.set_pid(static_cast<uint32_t>(getpid()));
    out.set_started_unix_ms(started_unix_ms);
    out.set_variant(std::string(compiled_variant()));
    out.set_rolled_back_from(store.rolled_back_from());
    if (store.current() == nullptr) return;
    const Appliance& box = *store.appliance();
    out.set_generation(store.current()->generation);
    out.set_previous(store.previous() != nullptr ? store.previous()->generation : 0);
    out.set_confirm_remaining_ms(store.confirm_remaining_ms(Now::read()));
    out.set_counters_path(box.counters_path());
    out.set_workers(static_cast<uint32_t>(box.workers().size()));
    out.set_hugepages(box.facts().hugepages);
    out.set_warning(box.facts().warning);
    out.set_sandbox(store.sandbox());
    out.set_adopted_flows(box.facts().adopted_flows);
    add_ports(*store.current(), box, out);
    *out.mutable_live() = store.live();
    memory(store, out);
}

void flows(const PolicyStore& store, uint32_t limit, model::Reply& reply) {
    const PolicySnapshot& policy = *store.current();
    uint64_t total = 0;
    for (const auto& worker : store.appliance()->workers()) {
        FlowSlice slice(nullptr);
        do {
            if (!worker->execute(slice))
                return reply.set_error(fmt::format("worker {} does not answer", worker->id()));
            const uint32_t now = Now::read().ms;
            for (const auto& [flow, translation] : slice.copies())
                if (static_cast<uint32_t>(reply.flows_size()) < limit)
                    add_flow(firewall::describe(flow, translation, policy, now), worker->id(),
                             reply);
        } while (slice.more() && static_cast<uint32_t>(reply.flows_size()) < limit);
        total += slice.total();
    }
    reply.set_total(total);
}

void delete_flows(const PolicyStore& store, const std::string& address, model::Reply& reply) {
    if (address.size() != 16) return reply.set_error("not an address");
    const IpAddress doomed = IpAddress::v6(reinterpret_cast<const uint8_t*>(address.data()));
    uint64_t deleted = 0;
    for (const auto& worker : store.appliance()->workers()) {
        FlowSlice slice(&doomed);
        do {
            if (!worker->execute(slice))
                return reply.set_error(fmt::format("worker {} does not answer", worker->id()));
        } while (slice.more());
        deleted += slice.deleted();
    }
    reply.set_total(deleted);
}

void neighbours(const PolicyStore& store, model::Reply& reply) {
    static constexpr std::array<const char*, 8> kStates{
        "none", "incomplete", "reachable", "stale", "delay", "probing", "failed", "permanent"};
    const Describer describer(*store.current(), store.appliance()->specs());
    const uint32_t now = Now::read().ms;
    for (const NeighbourView& n : store.appliance()->neighbours().list()) {
        model::NeighbourRecord& out = *reply.add_neighbours();
        out.set_port(describer.port(n.port));
        out.set_address(n.address.to_string());
        out.set_mac(n.mac.to_string());
        out.set_state(kStates[static_cast<size_t>(n.state) % kStates.size()]);
        out.set_age_ms(now - n.changed_ms);
    }
}

void explain(const PolicyStore& store, const model::Explain& request, model::Reply& reply) {
    const PolicySnapshot& policy = *store.current();
    PortId port = kNoPort;
    for (size_t p = 0; p < policy.ports.size(); ++p)
        if (policy.ports[p].name == request.port()) port = static_cast<PortId>(p);
    if (port == kNoPort) return reply.set_error(fmt::format("no port '{}'", request.port()));
    const Appliance& box = *store.appliance();
    // The first run finds the owner; only its flow table knows the flow.
    ExplainCommand first(request.frame(), port, box.specs().size());
    ExplainCommand owner(request.frame(), port, box.specs().size());
    if (!box.workers()[0]->execute(first) || !first.ran())
        return reply.set_error("the frame could not be run");
    ExplainCommand& told = first.owner() == 0 ? first : owner;
    if (&told == &owner && (!box.workers()[first.owner()]->execute(owner) || !owner.ran()))
        return reply.set_error(fmt::format("worker {} does not answer", first.owner()));
    told.collect();
    const Describer describer(policy, box.specs(), &box.learned());
    model::Explanation& out = *reply.mutable_explanation();
    out.set_worker(first.owner());
    out.set_generation(told.generation());
    for (const TraceRecord& record : told.records()) *out.add_steps() = describer.step(record);
    out.set_verdict(Describer::verdict(told.verdict()));
    out.set_reason(describer.reason(told.reason()));
    out.set_rule(describer.rule(told.meta().rule));
    out.set_out_port(describer.port(told.meta().out_port));
    out.set_flow(Describer::summary(told.meta()));
    out.set_principal(describer.principal(told.meta()));
    explain_route(store, describer, told.meta(), out);
}

void self_test(const PolicyStore& store, uint32_t first, model::Reply& reply) {
    // Between two looks at deadlines, links and events.
    static constexpr uint64_t kSliceNs = 20'000'000;
    auto spare = SparePipeline::make(*store.appliance());
    if (!spare) return reply.set_error(spare.error().message);
    const auto proofs = prove_rules(**spare, *store.current(), first, kSliceNs);
    if (!proofs) return reply.set_error(proofs.error().message);
    for (const RuleProof& proof : proofs->rules) {
        model::RuleProof& out = *reply.add_proofs();
        out.set_rule(proof.rule);
        out.set_action(proof.action);
        out.set_proof(std::string(name_of(proof.proof)));
        out.set_failed(fails(proof.proof));
        out.set_by(proof.by);
        out.set_packet(proof.packet);
        out.set_tried(proof.tried);
    }
    reply.set_next_rule(proofs->next);
}

bool look(const PolicyStore& store, const model::ToDataplane& request, model::Reply& reply) {
    using Kind = model::ToDataplane::RequestCase;
    switch (request.request_case()) {
        case Kind::kFlows:
            flows(store, request.flows().limit(), reply);
            return true;
        case Kind::kDeleteFlows:
            delete_flows(store, request.delete_flows().address(), reply);
            return true;
        case Kind::kNeighbours:
            neighbours(store, reply);
            return true;
        case Kind::kPrincipals:
            principals(store, UINT32_MAX, *reply.mutable_principals());
            return true;
        case Kind::kStatus:
            reply.mutable_status()->mutable_principals()->Clear();  // there, and empty: no accounts
            if (store.current()->principals != nullptr)
                principals(store, kPrincipalsInStatus,
                           *reply.mutable_status()->mutable_principals());
            functions(store, *reply.mutable_status()->mutable_functions());
            return false;  // the rest of it stands in every reply
        case Kind::kRoute:
            routes(store, request.route(), reply);
            return true;
        case Kind::kExplain:
            explain(store, request.explain(), reply);
            return true;
        case Kind::kSelfTest:
            self_test(store, request.self_test().first(), reply);
            return true;
        default:
            return false;
    }
}

}  // namespace ravelin::answers
