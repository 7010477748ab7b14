// SPDX-License-Identifier: Apache-2.0
// What is said to who is refused: the nearest contracts that would fit.
#include <fmt/format.h>

#include <algorithm>

#include "controlplane/admission/wording.h"
#include "controlplane/compile/promises.h"

namespace ravelin::control {
namespace {

/// What of a reservation binds: a link, or else cycles of a worker.
struct Binding {
    const ReservedLink* link = nullptr;
    size_t part = 0;
};

/// Those of a function, of several, or of those on one of several workers.
std::string whose_cycles(const Reservation& wanted, size_t part) {
    if (wanted.parts.size() > 1)
        return fmt::format(" of its functions on worker {}", wanted.parts[part].worker);
    return wanted.parts[part].runs > 1 ? " of all functions together" : "";
}

/// As a reservation says them.
std::string nearest_text(const admission::Nearest& nearest, const Reservation& wanted,
                         const Binding& binding) {
    const ReservedLink* const link = binding.link;
    const uint64_t around = link == nullptr ? wanted.parts[binding.part].around() : 0;
    std::string out;
    if (nearest.time)
        out += fmt::format("; with a deadline of {} it would fit{}",
                           admission::time_text(*nearest.time),
                           nearest.perhaps_shorter ? ", perhaps with a shorter one" : "");
    if (nearest.period && *nearest.period <= admission::kSecond)
        out +=
            fmt::format("; at a rate of {}pps it would fit{}", admission::kSecond / *nearest.period,
                        nearest.perhaps_faster ? ", perhaps at a higher one" : "");
    if (link == nullptr && nearest.work && *nearest.work > around)
        out += fmt::format("; with {} cycles{} it would fit{}", *nearest.work - around,
                           whose_cycles(wanted, binding.part),
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

/// Of what binds.
Reservation with_work(Reservation one, admission::Work work, const Binding& binding) {
    if (binding.link == nullptr) {
        ReservedPart& part = one.parts[binding.part];
        part.contract.work = work - std::min<uint64_t>(work, part.around());
        return one;
    }
    const sched::Contract& contract = binding.link->contract;
    const uint64_t less = contract.work - std::min(contract.work, work);
    for (ReservedLink& link : one.links)
        if (link.shared_with.empty())
            link.contract.work = kEthernet.on_wire(link.frame_bytes - std::min(less, one.bytes));
    return one;
}

}  // namespace

/// Of several ports the nearest contract is the one's that refused; whether the others take it too
/// is tried, as of several kinds of workers.
void Promises::leave_what_fits(const Reservation& wanted, const Refused& refused,
                               admission::Nearest& nearest) {
    const auto fits = [&](const Reservation& other) {
        if (reserve(other)) return false;
        give_back(other);
        return true;
    };
    const bool cycles = is_worker(refused.asked.request.claims[refused.why.binding].resource);
    const Binding binding{cycles ? nullptr : &wanted.links[refused.asked.link],
                          cycles ? refused.why.binding : 0};
    // A part's time is what the others leave of it.
    if (nearest.time && refused.asked.other_kind)
        *nearest.time += static_cast<admission::Nanoseconds>(wanted.deadline_ns) -
                         refused.asked.request.deadline;
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
    const bool several = wanted.links.size() > 1 || (wanted.cycles.work != 0 && kinds_.size() > 1);
    if (several) leave_what_fits(wanted, refused, nearest);
    const Reservation longer = with_deadline(wanted, nearest.time.value_or(0));
    for (const ReservedLink& link : longer.links) {  // of a longer deadline more may wait
        uint64_t aside = link_of(link.port).aside;
        if (!set_aside(*part_, link_of(link.port).plan, link, aside)) nearest.time.reset();
    }
    const bool cycles = is_worker(claim.resource);
    return nearest_text(
        nearest, wanted,
        {cycles ? nullptr : &wanted.links[refused.asked.link], cycles ? refused.why.binding : 0});
}

}  // namespace ravelin::control
