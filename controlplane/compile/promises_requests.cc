// SPDX-License-Identifier: Apache-2.0
// What admission is asked about a reservation: cycles of workers, in the order in which packets
// come to them, then a port.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "controlplane/compile/promises.h"
#include "controlplane/compile/worker_cycles.h"

namespace ravelin::control {

using config::Node;

Promises::Promises(const Node& tree)
    : part_(std::make_shared<const Node>(link_part_of(tree))),
      reader_(*part_),
      kinds_(kinds_of_workers(*part_)) {}

/// What admission calls the part of it at a port beside the first: nobody's name has a blank.
std::string Promises::part_of(const std::string& name, PortId port) const {
    return fmt::format("{} at {}", name, (*part_)["ports"].items()[port]["name"].as_text());
}

/// The same of what another kind of workers keeps.
std::string Promises::part_on(const std::string& name, size_t kind) const {
    return fmt::format("{} on {}", name, kinds_[kind]);
}

/// Whichever part of it that is, of a port that it has reserved.
std::string Promises::part_with(const std::string& name, PortId port) const {
    const std::string part = part_of(name, port);
    return admission_.find(part) != nullptr ? part : name;
}

admission::ResourceId Promises::resource_of(WorkerId worker) {
    const auto [at, fresh] = workers_.try_emplace(worker);
    if (fresh) at->second = admission_.add_resource(worker_resource(*part_, worker));
    return at->second;
}

bool Promises::is_worker(admission::ResourceId resource) const {
    return std::ranges::any_of(workers_, [&](const auto& one) { return one.second == resource; });
}

std::vector<admission::ResourceId> Promises::resources_of(const Reservation& one) {
    std::vector<admission::ResourceId> out;
    for (const ReservedPart& part : one.parts)
        for (const WorkerId kind : kinds_)
            if (part.worker == kAnyWorker || part.worker == kind) out.push_back(resource_of(kind));
    for (const ReservedLink& link : one.links) out.push_back(link_of(link.port).resource);
    return out;
}

/// Of each part, on `kind` where it may be any worker's. Not `main`: packets have had those that
/// are asked for beside.
void Promises::claim_cycles(const Reservation& wanted, bool main, size_t kind,
                            admission::Request& request) {
    const bool own = wanted.shared_with.empty();
    const admission::Reservation* const with =
        own ? nullptr : admission_.find(wanted.referent);  // on whichever kind that was asked for
    for (size_t i = 0; i < wanted.parts.size(); ++i) {
        const ReservedPart& part = wanted.parts[i];
        admission::Claim claim{
            .resource = resource_of(part.worker == kAnyWorker ? kinds_[kind] : part.worker)};
        if (with != nullptr && i < with->holds.size()) claim.resource = with->holds[i].resource;
        if (own && main)
            claim.work = part.contract.work + part.around();
        else
            claim.shared_with = own ? wanted.name : wanted.referent;
        request.claims.push_back(std::move(claim));
    }
}

/// The functions, then the port of `first`; at each other port what comes has had the same cycles,
/// so that refers to them. Other kinds of workers keep the same with the same time. Each run costs
/// its surroundings too.
std::vector<Promises::Asked> Promises::requests_of(const Reservation& wanted, First first) {
    const admission::Request like{
        .principal = wanted.name,
        .period = static_cast<admission::Nanoseconds>(wanted.cycles.period_ns),
        .deadline = static_cast<admission::Nanoseconds>(wanted.deadline_ns),
        .relaxation = admission::relaxation_named(wanted.relaxation)};
    std::vector<Asked> out{{like, first.link, first.kind}};
    const bool anywhere = wanted.cycles.work != 0 && wanted.parts.front().worker == kAnyWorker;
    for (size_t kind = 0; anywhere && kind < kinds_.size(); ++kind) {
        if (kind == first.kind) continue;
        Asked& asked = out.emplace_back(Asked{like, first.link, kind, true});
        asked.request.principal = part_on(wanted.name, kind);
        asked.request.deadline =
            static_cast<admission::Nanoseconds>(wanted.parts.front().contract.deadline_ns);
        claim_cycles(wanted, true, kind, asked.request);
    }
    for (size_t i = 0; i < std::max<size_t>(wanted.links.size(), 1); ++i) {
        const bool main = i == first.link;
        Asked& asked = main ? out.front() : out.emplace_back(Asked{like, i, first.kind});
        if (!main) asked.request.principal = part_of(wanted.name, wanted.links[i].port);
        claim_cycles(wanted, main, first.kind, asked.request);
        if (wanted.links.empty()) break;
        const ReservedLink& link = wanted.links[i];
        asked.request.claims.push_back(
            {.resource = link_of(link.port).resource,
             .work = link.contract.work,
             .shared_with = link.referent.empty() ? "" : part_with(link.referent, link.port)});
    }
    return out;
}

/// Another kind of workers has what the first was granted.
admission::Decision Promises::ask(const Reservation& wanted, Asked& asked) {
    if (asked.other_kind) asked.request.deadline = admission_.find(wanted.name)->holds.front().time;
    return admission_.reserve(asked.request);
}

/// What all its packets have of the deadline before they come to any of the ports is found with the
/// port that leaves least, and the workers that need most; which these are shows where another is
/// refused with it.
std::optional<Promises::Refused> Promises::reserve(const Reservation& wanted) {
    std::set<std::pair<size_t, size_t>> tried;
    for (First first;;) {
        tried.emplace(first.link, first.kind);
        std::vector<Asked> asked = requests_of(wanted, first);
        size_t i = 0;
        admission::Decision decision;
        for (; i < asked.size(); ++i) {
            decision = ask(wanted, asked[i]);
            if (!admission::granted(decision)) break;
        }
        if (i == asked.size()) return std::nullopt;
        Refused refused{asked[i], std::get<admission::Refusal>(std::move(decision))};
        first = {refused.asked.link, refused.asked.kind};
        const bool other_split =
            i != 0 && wanted.cycles.work != 0 && !tried.contains({first.link, first.kind});
        while (i-- > 0) (void)admission_.release(asked[i].request.principal);
        if (!other_split) return refused;
    }
}

void Promises::give_back(const Reservation& one) {
    for (const ReservedLink& link : one.links)
        (void)admission_.release(part_of(one.name, link.port));
    for (size_t kind = 0; kind < kinds_.size(); ++kind)
        (void)admission_.release(part_on(one.name, kind));
    (void)admission_.release(one.name);
}

}  // namespace ravelin::control
