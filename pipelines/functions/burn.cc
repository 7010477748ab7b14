// SPDX-License-Identifier: Apache-2.0
// burn: spends a number of cycles on each packet and lets it pass. It is of no use but to try what
// reservations keep: by tests, perf/ and operators.
#include "dataplane/packet_function.h"

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
    return std::unique_ptr<PacketFunction>(std::make_unique<Burn>(cycles));
}

constexpr FunctionType kType{.name = "burn", .create = create};
REGISTER_FUNCTION(kType);

}  // namespace
}  // namespace ravelin
