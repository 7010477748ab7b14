// SPDX-License-Identifier: Apache-2.0
// What is said to who is refused: the nearest contracts that would fit.
#include <fmt/format.h>

#include <algorithm>

#include "controlplane/admission/wording.h"
#include "controlplane/compile/promises.h"

namespace ravelin::control {
namespace {

/// As a reservation says them; `link`: the one that binds, null: cycles do.
std::string nearest_text(const admission::Nearest& nearest, const Reservation& wanted,
                         const ReservedLink* link) {
    std::string out;
    if (nearest.time)
        out += fmt::format("; with a deadline of {} it would fit{}",
                           admission::time_text(*nearest.time),
                           nearest.perhaps_shorter ? ", perhaps with a shorter one" : "");
    if (nearest.period && *nearest.period <= admission::kSecond)
        out +=
            fmt::format("; at a rate of {}pps it would fit{}", admission::kSecond / *nearest.period,
                        nearest.perhaps_faster ? ", perhaps at a higher one" : "");
    if (link == nullptr && nearest.work && *nearest.work > wanted.around())
        out += fmt::format("; with {} cycles{} it would fit{}", *nearest.work - wanted.around(),
                           wanted.runs.size() > 1 ? " of all functions together" : "",
                           nearest.perhaps_more ? ", perhaps with more" : "");
    const uint64_t heads = link == nullptr ? 0 : link->frame_bytes - wanted.bytes;
    if (link != nullptr && nearest.work && *nearest.work >= kEthernet.on_wire(heads + 1))
        out += fmt::format("; with {} bytes it would fit{}",
                           *nearest.work - kEthernet.overhead - heads,
                           nearest.perhaps_more ? ", perhaps with more" : "");
    if (!out.empty()) return out;
    if (nearest.cut_short()) return "; what would fit could not be found out in time";
    return fmt::format("; neither a longer deadline, nor a lower rate, nor fewer {} would fit",
                       link == nullptr ? "cycles" : "bytes");
}

Reservation with_period(Reservation one, admission::Nanoseconds period) {
    one.cycles.period_ns = static_cast<uint64_t>(period);
    for (ReservedLink& link : one.links) link.contract.period_ns = one.cycles.period_ns;
    return one;
}

Reservation with_deadline(Reservation one, admission::Nanoseconds deadline) {
    one.deadline_ns = static_cast<uint64_t>(deadline);
    for (ReservedLink& link : one.links) link.contract.deadline_ns = one.deadline_ns;
    return one;
}

/// `binding`: the link whose work that is; null: of the cycles.
Reservation with_work(Reservation one, admission::Work work, const ReservedLink* binding) {
    if (binding == nullptr) {
        one.cycles.work = work - std::min<uint64_t>(work, one.around());
        return one;
    }
    const uint64_t less = binding->contract.work - std::min(binding->contract.work, work);
    for (ReservedLink& link : one.links)
        if (link.shared_with.empty())
            link.contract.work = kEthernet.on_wire(link.frame_bytes - std::min(less, one.bytes));
    return one;
}

}  // namespace

/// Of several ports the nearest contract is the one's that refused; whether the others take it too
/// is tried.
void Promises::leave_what_fits(const Reservation& wanted, const Refused& refused,
                               admission::Nearest& nearest) {
    const bool cycles = refused.asked.request.claims[refused.why.binding].resource == workers_;
    const auto fits = [&](const Reservation& other) {
        if (reserve(other)) return false;
        give_back(other);
        return true;
    };
    const ReservedLink* binding = cycles ? nullptr : &wanted.links[refused.asked.link];
    if (nearest.time && !fits(with_deadline(wanted, *nearest.time))) nearest.time.reset();
    if (nearest.period && !fits(with_period(wanted, *nearest.period))) nearest.period.reset();
    if (nearest.work && !fits(with_work(wanted, *nearest.work, binding))) nearest.work.reset();
    // What was left out may fit in another form.
    nearest.perhaps_shorter |= !nearest.time;
}

std::string Promises::advice(const Reservation& wanted, const Refused& refused) {
    const admission::Claim& claim = refused.asked.request.claims[refused.why.binding];
    if (!claim.shared_with.empty()) return {};  // the time that its referent has: it says so
    admission::Nearest nearest = admission_.nearest(refused.asked.request, refused.why);
    if (wanted.links.size() > 1) leave_what_fits(wanted, refused, nearest);
    const Reservation longer = with_deadline(wanted, nearest.time.value_or(0));
    for (const ReservedLink& link : longer.links) {  // of a longer deadline more may wait
        uint64_t aside = link_of(link.port).aside;
        if (!set_aside(*part_, link_of(link.port).plan, link, aside)) nearest.time.reset();
    }
    const bool cycles = claim.resource == workers_;
    return nearest_text(nearest, wanted, cycles ? nullptr : &wanted.links[refused.asked.link]);
}

}  // namespace ravelin::control
