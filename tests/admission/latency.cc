// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <ctime>

#include "tests/admission/study.h"
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

struct Timed {
    std::vector<double> cpu, wall;
    [[nodiscard]] nlohmann::json told() const {
        return {
            {"decisions", cpu.size()}, {"cpu_us", quantiles(cpu)}, {"wall_us", quantiles(wall)}};
    }
};

struct Decisions {
    Timed quick, exact, refused, reserved;
    unsigned undecided = 0;
};

void decide_one(const Admission& admission, const admission::Request& request, Decisions& seen) {
    const double cpu = cpu_us();
    const double wall = wall_us();
    const admission::Decision decision = admission.decide(request);
    Timed* timed = &seen.refused;
    if (const auto* reservation = std::get_if<admission::Reservation>(&decision))
        timed = reservation->by == admission::Test::kExact ? &seen.exact : &seen.quick;
    else
        seen.undecided +=
            std::get<admission::Refusal>(decision).kind == admission::Refusal::Kind::kUndecided ? 1
                                                                                                : 0;
    timed->cpu.push_back(cpu_us() - cpu);
    timed->wall.push_back(wall_us() - wall);
}

/// Requests of the mix until `count` are in; those refused are passed over.
size_t fill_up(Admission& admission, size_t count, std::mt19937_64& random) {
    size_t refused = 0;
    for (size_t i = 0; admission.size() < count && refused < count; ++i) {
        if (!granted(admission.reserve(test::mixed_request(random, i, 2)))) ++refused;
        if (i % 64 == 0) progress("fill", admission.size(), count);
    }
    return refused;
}

}  // namespace

nlohmann::json latency(size_t count, unsigned decisions) {
    nlohmann::json all;
    for (const bool preemptive : {true, false}) {
        std::mt19937_64 random(1);
        Admission admission = test::equal_resources(2, count * 450'000, preemptive);
        const size_t refused = fill_up(admission, count, random);
        Decisions seen;
        for (unsigned i = 0; i < decisions; ++i) {
            admission::Request request = test::mixed_request(random, i, 2);
            request.principal = "newcomer";
            decide_one(admission, request, seen);
            if (i % 10 != 0) continue;
            const double cpu = cpu_us();
            const double wall = wall_us();
            if (!granted(admission.reserve(request))) continue;
            seen.reserved.cpu.push_back(cpu_us() - cpu);
            seen.reserved.wall.push_back(wall_us() - wall);
            static_cast<void>(admission.release("newcomer"));
        }
        all[preemptive ? "preemptive" : "nonpreemptive"] = {
            {"reservations", admission.size()},
            {"refused_while_filling", refused},
            {"admitted_by_outline", seen.quick.told()},
            {"admitted_by_exact", seen.exact.told()},
            {"refused", seen.refused.told()},
            {"decided_and_entered", seen.reserved.told()},
            {"undecided", seen.undecided}};
    }
    return all;
}

}  // namespace ravelin::study
