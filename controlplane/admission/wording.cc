// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/wording.h"

#include <fmt/format.h>

#include <array>
#include <set>

namespace ravelin::admission {
namespace {

std::string fault_of_claim(const Request& request, const Claim& claim) {
    if (!claim.shared_with.empty()) {
        if (claim.shared_with == request.principal) return "refers to itself";
        return claim.work == 0 ? "" : "either work of its own or shared, not both";
    }
    if (claim.work == 0 || claim.work > kMostWork / request.burst)
        return fmt::format("work of {} units; from 1 to 2^40 in one burst", claim.work);
    return "";
}

std::string fault_of_times(const Request& request) {
    if (request.burst == 0 || request.burst > 65536)
        return fmt::format("burst of {} packets; from 1 to 65536", request.burst);
    if (request.deadline < 1 || request.deadline > kLongestTime)
        return fmt::format("deadline of {}; from 1 ns to {}", time_text(request.deadline),
                           time_text(kLongestTime));
    if (request.period < 1 || request.period > kLongestTime / request.burst)
        return fmt::format("one packet in {}; from 1 ns to {} in one burst",
                           time_text(request.period), time_text(kLongestTime));
    return "";
}

}  // namespace

std::string time_text(Nanoseconds time) {
    struct Unit {
        Nanoseconds size;
        int digits;
        const char* name;
    };
    constexpr std::array kUnits{Unit{kSecond, 9, "s"}, Unit{1'000'000, 6, "ms"},
                                Unit{1'000, 3, "us"}, Unit{1, 0, "ns"}};
    if (time < 0) return "-" + time_text(-time);
    size_t i = 0;
    while (i + 1 < kUnits.size() && time < kUnits[i].size) ++i;
    const Unit& unit = kUnits[i];
    std::string text = fmt::format("{}", time / unit.size);
    if (const Nanoseconds rest = time % unit.size; rest != 0) {
        std::string digits = fmt::format("{:0{}}", rest, unit.digits);
        digits.erase(digits.find_last_not_of('0') + 1);
        text += "." + digits;
    }
    return text + " " + unit.name;
}

std::string fault_of(const Request& request, const std::vector<Book>& books) {
    if (request.principal.empty()) return "no principal is named";
    if (request.claims.empty()) return "nothing is claimed";
    if (std::string fault = fault_of_times(request); !fault.empty()) return fault;
    std::set<ResourceId> seen;
    for (const Claim& claim : request.claims) {
        if (claim.resource >= books.size())
            return fmt::format("there is no resource {}", claim.resource);
        const std::string& name = books[claim.resource].resource().name;
        if (!seen.insert(claim.resource).second)
            return name + " is claimed twice: add the work up in one claim";
        if (const std::string fault = fault_of_claim(request, claim); !fault.empty())
            return fmt::format("{}: {}", name, fault);
    }
    return "";
}

Refusal refusal_of(const Request& request, const std::vector<Part>& parts,
                   const std::vector<size_t>& claim, Nanoseconds time, const Choice& choice) {
    const Part& binding = parts[choice.binding];
    const std::string& name = binding.book->resource().name;
    Refusal refusal{.kind = Refusal::Kind::kTime, .text = {}, .binding = claim[choice.binding]};
    if (choice.rate) {
        refusal.kind = Refusal::Kind::kRate;
        refusal.text = fmt::format("{} has not {} {} every {} to spare", name, binding.demand.work,
                                   binding.book->resource().unit, time_text(request.period));
        return refusal;
    }
    if (choice.undecided) {
        refusal.kind = Refusal::Kind::kUndecided;
        refusal.text = fmt::format("{}: whether it fits could not be found out in time", name);
        return refusal;
    }
    std::string needs;
    for (size_t i = 0; i < parts.size(); ++i)
        needs += fmt::format("{}{} needs {}{}", i == 0 ? "" : ", ", parts[i].book->resource().name,
                             choice.least[i] > time ? "more than " : "",
                             time_text(std::min(choice.least[i], time)));
    refusal.text =
        fmt::format("{} binds: {}; {} of the deadline may be split", name, needs, time_text(time));
    return refusal;
}

std::string nearest_text(const Nearest& nearest, const Request& request,
                         const std::string& binding) {
    if (!nearest.any())
        return nearest.cut_short()
                   ? "; what would fit could not be found out in time"
                   : "; neither a longer deadline, nor a lower rate, nor less work there would fit";
    std::string text;
    if (nearest.time)
        text += fmt::format("; with a deadline of {} it would fit{}", time_text(*nearest.time),
                            nearest.perhaps_shorter ? ", perhaps with a shorter one" : "");
    if (nearest.period)
        text += fmt::format("; with one packet in {} instead of {}{}", time_text(*nearest.period),
                            time_text(request.period),
                            nearest.perhaps_faster ? ", perhaps in less" : "");
    if (nearest.work)
        text += fmt::format("; with {} units a packet of {}{}", *nearest.work, binding,
                            nearest.perhaps_more ? ", perhaps with more" : "");
    return text;
}

}  // namespace ravelin::admission
