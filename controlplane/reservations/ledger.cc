// SPDX-License-Identifier: Apache-2.0
#include "controlplane/reservations/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "controlplane/admission/wording.h"
#include "dataplane/sched/link_scheduler.h"
#include "pipelines/model/reservation_schema.h"

namespace ravelin::control {
namespace {

using admission::Work;
using config::Node;

/// What a port's queue may have chosen before a frame comes, and the frame that is on the wire.
constexpr Work kBlocking = sched::LinkScheduler::Config{}.ring_bytes;
/// A worker with `poll: adaptive` sleeps as long, and may wake later than it asked to.
constexpr admission::Nanoseconds kLongestSleep = 250'000;

/// Of a port's `vlan`: "10", or "10.20" with two.
unsigned tags_of(const Node& port) {
    const std::string& vlan = port["vlan"].as_text();
    if (vlan.empty()) return 0;
    return vlan.find('.') == vlan.npos ? 1 : 2;
}

std::string name_of(const Node& reservation) { return reservation["name"].as_text(); }

}  // namespace

Ledger::Ledger(const Node& tree, const Machine& machine) {
    names_principals_ = tree.has("principals");
    for (const Node& principal : tree["principals"].items())
        principals_.emplace(name_of(principal), true);
    add_links(tree, machine);
}

void Ledger::add_links(const Node& tree, const Machine& machine) {
    const bool wire = tree["mode"].as_text() == "wire";  // what passes may have tags
    const bool sleeps = tree["workers"]["poll"].as_text() == "adaptive";
    for (const Node& port : tree["ports"].items()) {
        const std::string& name = port["name"].as_text();
        const std::string& parent = port["parent"].as_text();
        Link link{.scheduler = name, .tags = wire ? 2u : tags_of(port), .fault = ""};
        if (port.has("vxlan")) link.fault = "is an end of tunnels, expected a port with a device";
        if (!parent.empty()) link.scheduler = ports_[parent].scheduler;  // parents stand before
        if (parent.empty() && link.fault.empty() && port["rate"].as_integer() <= 0)
            link.fault = "has no rate, so that its frames are not ordered by deadline";
        if (!parent.empty()) link.fault = ports_[parent].fault;
        if (parent.empty() && link.fault.empty()) {
            Work capacity = static_cast<Work>(port["rate"].as_integer()) / 8;
            if (const auto known = machine.links.find(name); known != machine.links.end())
                capacity = std::min(capacity, known->second);
            links_[name] =
                admission_.add_resource({.name = "port " + name,
                                         .unit = "bytes on the wire",
                                         .capacity = capacity,
                                         .blocking = kBlocking,
                                         .wake = machine.wake + (sleeps ? kLongestSleep : 0)});
        }
        ports_[name] = std::move(link);
    }
}

Result<model::Reservation> Ledger::read(const Node& reservation) const {
    const auto out = ports_.find(reservation["out"].as_text());
    auto contract =
        model::read_reservation(reservation, out == ports_.end() ? 0 : out->second.tags);
    if (!contract) return contract;
    if (!principals_.contains(contract->principal))
        return Error{fmt::format("name: found '{}', expected a principal of the policy{}",
                                 contract->principal,
                                 names_principals_ ? "" : "; it declares none")};
    if (!contract->in.empty() && !ports_.contains(contract->in))
        return Error{fmt::format("in: found '{}', expected a port of the policy", contract->in)};
    if (!contract->out.empty() && out == ports_.end())
        return Error{fmt::format("out: found '{}', expected a port of the policy", contract->out)};
    return contract;
}

/// Refused here is what nobody would keep.
Result<admission::Request> Ledger::request_of(const model::Reservation& contract) const {
    if (contract.cpu)
        return Error{
            "cpu: found cycles to reserve, expected bytes alone: workers run no functions yet "
            "whose cycles could be kept for anybody"};
    admission::Request request{
        .principal = contract.principal, .period = contract.period, .deadline = contract.deadline};
    const Link& link = ports_.at(contract.out);
    if (!link.fault.empty()) return Error{fmt::format("out: port {} {}", contract.out, link.fault)};
    if (!contract.link->shared_with.empty())
        return Error{
            fmt::format("bytes: found {}{}, expected a number: port {} serves nobody from "
                        "another's reservation",
                        model::kSharedWith, contract.link->shared_with, contract.out)};
    request.claims.push_back({.resource = links_.at(link.scheduler), .work = contract.link->work});
    return request;
}

Result<Node> Ledger::decide(const Node& reservation) const {
    auto contract = read(reservation);
    if (!contract) return std::move(contract.error());
    const auto request = request_of(*contract);
    if (!request) return request.error();
    const admission::Decision decision = admission_.decide(*request);
    if (const auto* refused = std::get_if<admission::Refusal>(&decision)) {
        using Kind = admission::Refusal::Kind;
        if (refused->kind == Kind::kInvalid || refused->kind == Kind::kReference)
            return Error{refused->text};
        return Error{admission_.advice(*request)};
    }
    contract->link_time = std::get<admission::Reservation>(decision).holds.front().time;
    return model::granted(reservation, *contract);
}

Status Ledger::enter(const Node& reservation) {
    const auto contract = read(reservation);
    if (!contract) return contract.error();
    const auto request = request_of(*contract);
    if (!request) return request.error();
    if (!contract->link_time) return Error{"link-time: is missing, expected what was granted"};
    return admission_.restore(
        {.request = *request,
         .holds = {{.resource = request->claims.front().resource, .time = *contract->link_time}},
         .by = admission::Test::kExact});
}

Result<std::vector<std::string>> Ledger::release(const std::string& principal, bool force) {
    return admission_.release(principal, force);
}

Status Ledger::holds() const {
    for (admission::ResourceId id = 0; id < admission_.resources(); ++id) {
        admission::Effort effort;
        const admission::Book& book = admission_.book(id);
        if (book.bound().fits(book.supply(), effort) != admission::DemandBound::Answer::kFits)
            return Error{fmt::format("{}: not all reservations would keep their deadlines",
                                     book.resource().name)};
    }
    return ok_status();
}

std::vector<Ledger::Use> Ledger::use() const {
    std::vector<Use> out;
    for (admission::ResourceId id = 0; id < admission_.resources(); ++id) {
        const admission::Book& book = admission_.book(id);
        out.push_back({.resource = book.resource().name,
                       .capacity = book.resource().capacity,
                       .used = static_cast<Work>(book.bound().rates().sum() >> 64)});
    }
    return out;
}

Result<Ledger> admit_all(Node& tree, const Node& before, const std::vector<Node>& live,
                         const Machine& machine) {
    Ledger ledger(tree, machine);
    for (const Node& reservation : live)
        if (Status s = ledger.enter(reservation); !s)
            return std::move(s.error()).within(fmt::format(
                "reservation '{}' would not be kept, release it first", name_of(reservation)));
    std::map<std::string, const Node*> known;
    for (const Node& reservation : before["reservations"].items())
        known[name_of(reservation)] = &reservation;
    Node* wanted = nullptr;
    for (auto& [member, value] : tree.members())
        if (member == "reservations") wanted = &value;
    if (wanted == nullptr) return ledger;
    std::vector<size_t> fresh;
    const auto fault = [](size_t i, Error error) {
        return std::move(error).within(fmt::format("reservations[{}]", i));
    };
    for (size_t i = 0; i < wanted->items().size(); ++i) {
        Node& reservation = wanted->items()[i];
        const auto was = known.find(name_of(reservation));
        const auto contract = model::read_reservation(reservation, 0);
        const auto old = was == known.end() ? Result<model::Reservation>(Error{})
                                            : model::read_reservation(*was->second, 0);
        if (!contract || !old || !contract->asks_as(*old)) {
            fresh.push_back(i);
            continue;
        }
        reservation = *was->second;
        if (Status s = ledger.enter(reservation); !s) return fault(i, std::move(s.error()));
    }
    if (Status s = ledger.holds(); !s) return std::move(s.error()).within("reservations");
    for (const size_t i : fresh) {
        auto granted = ledger.decide(wanted->items()[i]);
        if (!granted) return fault(i, std::move(granted.error()));
        wanted->items()[i] = std::move(*granted);
        if (Status s = ledger.enter(wanted->items()[i]); !s) return fault(i, std::move(s.error()));
    }
    return ledger;
}

}  // namespace ravelin::control
