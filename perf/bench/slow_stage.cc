// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/slow_stage.h"

#include <fmt/format.h>

#include <array>

#include "dataplane/express.h"
#include "dataplane/stage.h"
#include "perf/bench/box.h"

namespace ravelin::perf {
namespace {

constexpr std::array kFields{config::Field{.name = "rounds",
                                           .type = config::Type::kInteger,
                                           .help = "Rounds of two instructions a packet.",
                                           .fallback = "1",
                                           .minimum = 1,
                                           .maximum = 1'000'000}};
constexpr config::Schema kSchema{"stage dawdle", "Takes its time.", kFields};

struct DawdlePolicy final : StagePolicy {
    unsigned rounds = 1;
};

class Dawdle final : public Stage {
    void process(Burst& burst, const StagePolicy& policy, WorkerContext&) noexcept override {
        dawdle(policy, burst.count);
    }
    void express(ExpressBurst& burst, const StagePolicy& policy, WorkerContext&) noexcept override {
        dawdle(policy, burst.count);
    }
    static void dawdle(const StagePolicy& policy, unsigned packets) {
        for (unsigned i = 0; i < packets; ++i) {
            unsigned left = static_cast<const DawdlePolicy&>(policy).rounds;
            asm volatile("0: decl %0\n jnz 0b" : "+r"(left)::"cc");
        }
    }
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& config, CompileContext&) {
    auto policy = std::make_shared<DawdlePolicy>();
    policy->rounds = static_cast<unsigned>(config["rounds"].as_integer());
    return std::shared_ptr<const StagePolicy>(policy);
}

constexpr StageDecl kStage{.name = "dawdle",
                           .help = "Takes its time.",
                           .schema = &kSchema,
                           .drops = {},
                           .counters = {},
                           .compile = compile,
                           .create = [](WorkerId, WorkerId) -> std::unique_ptr<Stage> {
                               return std::make_unique<Dawdle>();
                           },
                           .repeats = [](const StagePolicy&) { return true; },
                           .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace

std::string slowed(std::string yaml, unsigned rounds) {
    if (rounds == 0) return yaml;
    constexpr const char* kBefore = "  - steer";
    const size_t at = yaml.find(kBefore);
    if (at == std::string::npos) give_up("this policy has no place for a slow stage");
    return yaml.insert(at, fmt::format("  - dawdle: {{rounds: {}}}\n", rounds));
}

}  // namespace ravelin::perf
