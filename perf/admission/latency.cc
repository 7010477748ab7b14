// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <ctime>

#include "perf/admission/study.h"
#include "tests/support/admission_mix.h"

namespace ravelin::study {
namespace {

using admission::Admission;

/// Microseconds of this thread's processor time: what a decision costs, whoever else runs.
double cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) * 1e6 + double(t.tv_nsec) / 1e3;
}

double wall_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::micro>(now).count();
}

/// Begins where it is made; put() ends it.
class Stopwatch {
  public:
    void put(Timed& into) const {
        into.cpu_us.push_back(cpu_us() - cpu_);
        into.wall_us.push_back(wall_us() - wall_);
    }

  private:
    double cpu_ = cpu_us(), wall_ = wall_us();
};

void decide_one(const Admission& admission, const admission::Request& request, Decisions& seen) {
    const Stopwatch watch;
    const admission::Decision decision = admission.decide(request);
    if (const auto* reservation = std::get_if<admission::Reservation>(&decision))
        return watch.put(reservation->by == admission::Test::kExact ? seen.exact : seen.quick);
    watch.put(seen.refused);
    const auto& refusal = std::get<admission::Refusal>(decision);
    seen.undecided += refusal.kind == admission::Refusal::Kind::kUndecided ? 1 : 0;
    const admission::Nearest nearest = admission.nearest(request, refusal);
    watch.put(seen.advised);
    seen.perhaps_shorter += nearest.perhaps_shorter ? 1 : 0;
    seen.perhaps_faster += nearest.perhaps_faster ? 1 : 0;
}

void reserve_one(Admission& admission, const admission::Request& request, Decisions& seen) {
    const Stopwatch watch;
    if (!granted(admission.reserve(request))) return;
    watch.put(seen.reserved);
    static_cast<void>(admission.release(request.principal));
}

/// Requests of the mix until `count` are in; those refused are passed over.
void fill_up(Admission& admission, size_t count, std::mt19937_64& random) {
    size_t refused = 0;
    for (size_t i = 0; admission.size() < count && refused < count; ++i)
        if (!granted(admission.reserve(test::mixed_request(random, i, 2)))) ++refused;
}

}  // namespace

Decisions time_decisions(size_t count, unsigned decisions, bool preemptive) {
    std::mt19937_64 random(1);
    Admission admission = test::equal_resources(2, count * 450'000, preemptive);
    fill_up(admission, count, random);
    Decisions seen;
    for (unsigned i = 0; i < decisions; ++i) {
        admission::Request request = test::mixed_request(random, i, 2);
        request.principal = "newcomer";
        decide_one(admission, request, seen);
        if (i % 10 == 0) reserve_one(admission, request, seen);
    }
    seen.reservations = admission.size();
    return seen;
}

}  // namespace ravelin::study
