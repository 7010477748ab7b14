// SPDX-License-Identifier: Apache-2.0
// mirror: sends a copy of each packet out of a port, the frame as it came in but for tags, and lets
// the packet pass. The copy is charged to the packet's principal, cycles and link alike. Where no
// buffer is left the packet passes without (pipeline.no_buffer).
//
// Cost: a buffer and a copy of the frame.
#include <algorithm>

#include "dataplane/packet_function.h"

namespace ravelin {
namespace {

class Mirror final : public PacketFunction {
  public:
    explicit Mirror(PortId port) : port_(port) {}

    void run(std::span<rte_mbuf* const> frames, PacketRun& run) noexcept override {
        for (rte_mbuf* frame : frames) {
            run.mirror(frame, port_);
            run.pass(frame);
        }
    }

  private:
    PortId port_;
};

Result<std::unique_ptr<PacketFunction>> create(const config::Node& config,
                                               const PolicySnapshot& snapshot) {
    const std::string& name = config["port"].as_text();
    const auto at = std::ranges::find(snapshot.ports, name, &PortPolicy::name);
    if (at == snapshot.ports.end())
        return Error{"port: found '" + name + "', expected the name of a port"};
    if (at->vxlan)
        return Error{"port: found '" + name + "', an end of tunnels, expected a port on a wire"};
    const auto port = static_cast<PortId>(at - snapshot.ports.begin());
    return std::unique_ptr<PacketFunction>(std::make_unique<Mirror>(port));
}

constexpr FunctionType kType{.name = "mirror", .create = create};
REGISTER_FUNCTION(kType);

}  // namespace
}  // namespace ravelin
