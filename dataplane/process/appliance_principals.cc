// SPDX-License-Identifier: Apache-2.0
// What the workers' accounts say, by principal.
#include "dataplane/process/appliance.h"

namespace ravelin {

using sched::PrincipalId;
using sched::Use;

PrincipalUse Appliance::counted(PrincipalId id) const {
    PrincipalUse sum;
    for (const auto& worker : workers_) {
        if (worker->account() == nullptr) continue;
        const sched::Usage& usage = worker->account()->usage();
        sum.packets += usage.get(id, Use::kPackets);
        sum.bytes += usage.get(id, Use::kBytes);
        sum.cycles += usage.get(id, Use::kCycles);
        sum.drops += usage.get(id, Use::kDrops);
    }
    return sum;
}

PrincipalUse Appliance::use_of(PrincipalId id) const {
    PrincipalUse now = counted(id);
    if (index(id) >= before_.size()) return now;
    const PrincipalUse& then = before_[index(id)];
    return {now.packets - then.packets, now.bytes - then.bytes, now.cycles - then.cycles,
            now.drops - then.drops};
}

void Appliance::keep_accounts(const Principals& principals, const Principals* before) {
    for (const auto& worker : workers_) worker->keep_account();
    before_.resize(std::max<size_t>(before_.size(), principals.table.size()));
    for (uint32_t i = sched::kFirstPrincipal; i < principals.table.size(); ++i)
        // Who is gone may come back by a rollback.
        if (!principals.name(i).empty() &&
            (before == nullptr || before->name(i) != principals.name(i)))
            before_[i] = counted(PrincipalId{i});
}

}  // namespace ravelin
