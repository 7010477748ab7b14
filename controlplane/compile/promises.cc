// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/promises.h"

#include <fmt/format.h>

#include <map>

#include "controlplane/admission/admission.h"
#include "dataplane/idle.h"
#include "dataplane/paced_ports.h"
#include "dataplane/reservations.h"

namespace ravelin::control {
namespace {

using config::Node;

constexpr uint64_t kBitsPerByte = 8, kSecond = 1'000'000'000;

uint64_t rate_of(const sched::Contract& contract) {
    return (contract.work * kSecond + contract.period_ns - 1) / contract.period_ns;
}

/// A packet may find so much ahead of it that was chosen before it came, and its worker asleep. The
/// box's own frames count as if they always went first: where their deadline is too short to be
/// kept, nobody else's suffers by it.
admission::Resource resource_of(const Node& tree, size_t port) {
    const LinkPlan plan = plan_of(tree, port);
    const sched::LinkScheduler::Config link = config_of(plan);
    const sched::Contract box = box_contract(plan);
    const bool sleeps = tree["workers"]["poll"].as_text() != "busy";
    return {.name = "port " + tree["ports"].items()[port]["name"].as_text(),
            .unit = "bytes on the wire",
            .capacity = sched::Pace(link.rate, 0).rate(),
            .core = {.rate = rate_of(box), .burst = box.work},
            .blocking = link.ring_bytes,
            .wake = sleeps ? kLongestSleepNs + kLateToWakeNs : 0};
}

admission::Request request_of(const Reservation& wanted, admission::ResourceId link) {
    return {.principal = wanted.name,
            .period = static_cast<admission::Nanoseconds>(wanted.contract.period_ns),
            .deadline = static_cast<admission::Nanoseconds>(wanted.contract.deadline_ns),
            .claims = {{.resource = link, .work = wanted.contract.work}}};
}

}  // namespace

Status check_promises(const Node& tree) {
    const auto reservations = read_reservations(tree);
    if (!reservations) return reservations.error();
    admission::Admission admission;
    std::map<PortId, admission::ResourceId> links;
    for (size_t i = 0; i < reservations->size(); ++i) {
        const Reservation& wanted = (*reservations)[i];
        if (!links.contains(wanted.port))
            links[wanted.port] = admission.add_resource(resource_of(tree, wanted.port));
        const auto request = request_of(wanted, links[wanted.port]);
        if (admission::granted(admission.reserve(request))) continue;
        return Error{admission.advice(request)}.within(fmt::format("reservations[{}]", i));
    }
    return ok_status();
}

std::vector<LinkUse> link_use(const Node& tree) {
    std::vector<LinkUse> out;
    const auto& ports = tree["ports"].items();
    const auto reservations = read_reservations(tree);
    for (size_t i = 0; i < ports.size(); ++i) {
        if (!ports[i].has("rate")) continue;
        const LinkPlan plan = plan_of(tree, i);
        LinkUse use{.port = ports[i]["name"].as_text(),
                    .capacity = plan.rate / kBitsPerByte,
                    .box = rate_of(box_contract(plan))};
        for (size_t r = 0; reservations && r < reservations->size(); ++r)
            if (const Reservation& one = (*reservations)[r]; one.port == i)
                use.reserved += rate_of(one.contract);
        out.push_back(std::move(use));
    }
    return out;
}

}  // namespace ravelin::control
