// SPDX-License-Identifier: Apache-2.0
// What status says of a port with a rate.
#include <algorithm>
#include <set>

#include "dataplane/charge.h"
#include "dataplane/process/answers.h"

namespace ravelin::answers {
namespace {

using sched::PrincipalId;
using sched::Use;

constexpr size_t kMostShares = 32;  // beside reservations: status is asked for every second

std::string name_of(const PacedLink& link, uint32_t id) {
    if (id == index(sched::kCorePrincipal)) return "core";
    if (id == index(kBoxFrames)) return "box";
    return link.principals() == nullptr ? std::string() : link.principals()->name(id);
}

/// Those that had most, and all that have a reservation.
std::vector<uint32_t> shown_of(const PacedLink& link) {
    const sched::Usage& usage = link.usage();
    const auto used = [&usage](uint32_t id) {
        return usage.get(PrincipalId{id}, Use::kBytes) + usage.get(PrincipalId{id}, Use::kRejected);
    };
    std::vector<uint32_t> ids;
    for (uint32_t id = 0; id < usage.principals(); ++id)
        if (used(id) != 0) ids.push_back(id);
    const size_t shown = std::min(ids.size(), kMostShares);
    std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(shown), ids.end(),
                      [&](uint32_t a, uint32_t b) { return used(a) > used(b); });
    ids.resize(shown);
    std::set<uint32_t> listed(ids.begin(), ids.end());
    for (const Promise& promise : link.plan().promises)
        if (listed.insert(index(promise.principal)).second) ids.push_back(index(promise.principal));
    return ids;
}

}  // namespace

void link(const PacedLink& link, model::PortStatus& out) {
    const sched::Usage& usage = link.usage();
    out.set_rate(link.plan().rate);
    out.set_queue_bytes(link.waiting_bytes());
    out.set_queue_frames(link.waiting());
    // Its worker has not taken over yet what the one before counted: nothing instead of zeros,
    // which would count as a beginning.
    if (!link.attached()) return;
    for (const uint32_t shown : shown_of(link)) {
        model::LinkShare& share = *out.add_shares();
        const PrincipalId id{shown};
        share.set_principal(name_of(link, shown));
        share.set_bytes(usage.get(id, Use::kBytes));
        share.set_packets(usage.get(id, Use::kPackets));
        share.set_dropped(usage.get(id, Use::kRejected));
        share.set_marked(usage.get(id, Use::kMarked));
        share.set_reserved(usage.get(id, Use::kReserved));
        share.set_late(usage.get(id, Use::kMisses));
    }
}

}  // namespace ravelin::answers
