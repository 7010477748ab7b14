// SPDX-License-Identifier: Apache-2.0
#include "tests/support/admission_mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ravelin::test {
namespace {

using admission::kSecond;

double uniform(std::mt19937_64& random) { return std::generate_canonical<double, 53>(random); }

/// The gaps a token bucket of `burst` packets allows, stretched at random for kAtRandom.
std::vector<int64_t> arrivals_of(const admission::Request& request, Arrivals how, int64_t length,
                                 std::mt19937_64& random) {
    std::vector<int64_t> times;
    const bool idles = how == Arrivals::kAtRandom;
    int64_t bucket_full = 0;  // when the bucket would be full again
    int64_t now = idles ? static_cast<int64_t>(uniform(random) * double(request.period)) : 0;
    // The longer the deadline the earlier, by hardly more than nothing: the long ones run when the
    // short ones come.
    if (how == Arrivals::kShortestLast) now = 200 - request.deadline / 1'000'000;
    const int64_t depth = request.period * (request.burst - 1);
    while (now < length) {
        times.push_back(now);
        bucket_full = std::max(bucket_full, now) + request.period;
        now = std::max(now, bucket_full - depth);
        if (idles && random() % 4 == 0)
            now += static_cast<int64_t>(uniform(random) * double(request.period));
    }
    return times;
}

int64_t service_of(const admission::Resource& resource, admission::Work work) {
    const admission::Wide nanoseconds = admission::Wide{work} * kSecond;
    if (nanoseconds % resource.capacity != 0) throw std::logic_error("not whole ns of service");
    return static_cast<int64_t>(nanoseconds / resource.capacity);
}

}  // namespace

int64_t log_uniform(std::mt19937_64& random, int64_t low, int64_t high) {
    return static_cast<int64_t>(double(low) *
                                std::pow(double(high) / double(low), uniform(random)));
}

admission::Request mixed_request(std::mt19937_64& random, size_t number, size_t resources) {
    admission::Request request{.principal = fmt::format("p{}", number)};
    request.period = log_uniform(random, 1'000'000, 100'000'000);
    request.deadline = static_cast<int64_t>(double(request.period) * (0.1 + 0.9 * uniform(random)));
    for (uint32_t i = 0; i < resources; ++i)
        request.claims.push_back(
            {.resource = i,
             .work = static_cast<admission::Work>(log_uniform(random, 100, 10'000))});
    return request;
}

admission::Admission equal_resources(size_t count, admission::Work capacity, bool preemptive,
                                     admission::Rules rules) {
    admission::Admission admission(std::move(rules));
    for (size_t i = 0; i < count; ++i)
        admission.add_resource(
            {.name = fmt::format("r{}", i), .capacity = capacity, .preemptive = preemptive});
    return admission;
}

size_t fill(admission::Admission& admission, std::mt19937_64& random) {
    for (size_t admitted = 0;; ++admitted)
        if (!granted(admission.reserve(mixed_request(random, admitted, admission.resources()))))
            return admitted;
}

std::vector<VirtualFlow> flows_of(const admission::Admission& admission, Arrivals arrivals,
                                  int64_t length, std::mt19937_64& random) {
    std::vector<VirtualFlow> flows;
    for (const std::string& principal : admission.principals()) {
        const admission::Reservation& reservation = *admission.find(principal);
        VirtualFlow flow;
        int64_t due = 0;
        for (size_t i = 0; i < reservation.holds.size(); ++i) {
            due += reservation.holds[i].time;
            if (reservation.holds[i].shared) continue;  // no work of its own there
            const admission::ResourceId where = reservation.holds[i].resource;
            flow.visits.push_back({.resource = where,
                                   .service = service_of(admission.book(where).resource(),
                                                         reservation.request.claims[i].work),
                                   .due = due});
        }
        flow.arrivals = arrivals_of(reservation.request, arrivals, length, random);
        flows.push_back(std::move(flow));
    }
    return flows;
}

std::vector<VirtualResource> virtual_resources(const admission::Admission& admission) {
    std::vector<VirtualResource> resources;
    for (admission::ResourceId id = 0; id < admission.resources(); ++id) {
        const admission::Resource& resource = admission.book(id).resource();
        resources.push_back({.preemptive = resource.preemptive, .wake = resource.wake});
    }
    return resources;
}

uint64_t missed(const std::vector<Fate>& fates) {
    uint64_t sum = 0;
    for (const Fate& fate : fates) sum += fate.missed;
    return sum;
}

uint64_t missed_when_executed(const admission::Admission& admission, int64_t length,
                              std::mt19937_64& random) {
    uint64_t sum = 0;
    for (const Arrivals how : {Arrivals::kTogether, Arrivals::kShortestLast, Arrivals::kAtRandom})
        sum +=
            missed(execute(virtual_resources(admission), flows_of(admission, how, length, random)));
    return sum;
}

}  // namespace ravelin::test
