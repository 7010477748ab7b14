// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/probe_stages.h"

#include <rte_cycles.h>

#include "dataplane/stage.h"

namespace ravelin::perf {
namespace {

std::array<Section, kProbed.size()> sections;
uint64_t last = 0;

constexpr config::Schema kSchema{"probe", "Reads the clock.", {}};

template <size_t At>
class Probe final : public Stage {
    void process(Burst& burst, const StagePolicy&, WorkerContext&) noexcept override {
        const uint64_t now = rte_rdtsc();
        if (At != 0) sections[At].cycles += now - last;
        sections[At].packets += burst.count;
        ++sections[At].bursts;
        last = rte_rdtsc();
    }
};

struct Nothing final : StagePolicy {};
Result<std::shared_ptr<const StagePolicy>> compile(const config::Node&, CompileContext&) {
    return std::shared_ptr<const StagePolicy>(std::make_shared<Nothing>());
}

template <size_t At>
constexpr StageDecl declaration(std::string_view name) {
    return {.name = name,
            .help = "Reads the clock.",
            .schema = &kSchema,
            .drops = {},
            .counters = {},
            .compile = compile,
            .create = [](WorkerId, WorkerId) -> std::unique_ptr<Stage> {
                return std::make_unique<Probe<At>>();
            }};
}

constexpr std::array kStages{declaration<0>("after_receive"),  declaration<1>("after_parse"),
                             declaration<2>("after_steer"),    declaration<3>("after_route"),
                             declaration<4>("after_firewall"), declaration<5>("after_neighbour"),
                             declaration<6>("after_local"),    declaration<7>("after_clamp"),
                             declaration<8>("after_rewrite"),  declaration<9>("after_nat"),
                             declaration<10>("after_classify")};
static_assert(kStages.size() == kProbed.size());
const bool registered = [] {
    for (const StageDecl& stage : kStages) StageRegistry::get().add(stage);
    return true;
}();

}  // namespace

const std::array<Section, kProbed.size()>& probes() {
    (void)registered;
    return sections;
}
void reset_probes() { sections = {}; }

}  // namespace ravelin::perf
