// SPDX-License-Identifier: Apache-2.0
// burn: spends a number of cycles on each packet and lets it pass. It is of no use but to try what
// reservations keep: by tests, perf/ and operators.
#include <fmt/format.h>

#include "dataplane/packet_function.h"
#include "dataplane/tsc.h"

namespace ravelin {
namespace {

class Burn final : public PacketFunction {
  public:
    explicit Burn(uint64_t cycles) : cycles_(cycles) {}

    void run(std::span<rte_mbuf* const> frames, PacketRun& run) noexcept override {
        for (rte_mbuf* frame : frames) {
            for (const uint64_t begun = run.cycles(); run.cycles() - begun < cycles_;) {
            }
            run.pass(frame);
        }
    }

  private:
    uint64_t cycles_;
};

Result<std::unique_ptr<PacketFunction>> create(const config::Node& config, const PolicySnapshot&) {
    const auto cycles = static_cast<uint64_t>(config["cycles"].as_integer());
    const uint64_t most = tsc_hz() / 100;  // 10 ms, as max-run
    if (cycles > most)
        return Error{
            fmt::format("cycles: found {}, expected at most {}, which are 10 ms", cycles, most)};
    return std::unique_ptr<PacketFunction>(std::make_unique<Burn>(cycles));
}

constexpr FunctionType kType{.name = "burn", .create = create};
REGISTER_FUNCTION(kType);

}  // namespace
}  // namespace ravelin
