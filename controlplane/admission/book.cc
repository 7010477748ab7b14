// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/book.h"

namespace ravelin::admission {
namespace {

struct Share {
    Work work;
    Nanoseconds time;
};

Nanoseconds whole_of(const Demand& demand) { return demand.period * demand.burst; }

/// The least slope of a line through 0 above the demand: burst * W / d, or W / period when longer.
Share share_of(const Demand& demand) {
    if (demand.deadline < whole_of(demand)) return {demand.work * demand.burst, demand.deadline};
    return {demand.work, demand.period};
}

}  // namespace

DemandBound::Slot Book::add(const Demand& demand) {
    const Share share = share_of(demand);
    shares_.add(share.work, share.time);
    outline_.add(demand);
    return bound_.add(demand);
}

void Book::remove(DemandBound::Slot slot) {
    const Demand demand = bound_.demand(slot);
    const Share share = share_of(demand);
    shares_.remove(share.work, share.time);
    outline_.remove(demand);
    bound_.remove(slot);
}

Book Book::with(Resource resource) const {
    Book changed = *this;
    changed.resource_ = std::move(resource);
    changed.supply_ = supply_of(changed.resource_);
    changed.outline_ = outline_.with(changed.supply_);
    return changed;
}

Nanoseconds Book::paper_least(const Demand& newcomer, Nanoseconds longest) const {
    if (!shares_.fits(supply_.rate, newcomer.work, newcomer.period)) return longest + 1;
    return shares_.least_time(supply_.rate, newcomer.work * newcomer.burst, longest);
}

Load Book::load_of(const Demand& newcomer, Nanoseconds least) const {
    return {.capacity = supply_.rate,
            .used = shares_.sum(),
            .work = newcomer.work * newcomer.burst,
            .whole = whole_of(newcomer),
            .least = least};
}

}  // namespace ravelin::admission
