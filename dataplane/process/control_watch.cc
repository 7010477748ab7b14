// SPDX-License-Identifier: Apache-2.0
// The part of ControlServer that starts and ends traces and captures on the workers.
#include <fmt/format.h>

#include "dataplane/process/control_server.h"

namespace ravelin {
namespace {

/// Sets or clears the watch of a worker, on that worker.
class SetWatch final : public Command {
  public:
    explicit SetWatch(const WatchSpec* spec) : spec_(spec) {}
    void run(Worker& worker) noexcept override { worker.watch().set(spec_); }

  private:
    const WatchSpec* spec_;
};

/// Why an end of tunnels cannot be watched, and what can.
std::string unreceived(const PolicySnapshot& policy, const PortPolicy& port) {
    return fmt::format(
        "'{}' is an end of tunnels; watch '{}', with a filter like 'udp port {} and vxlan {}'",
        port.name, policy.ports[port.parent].name, port.vxlan->udp_port, port.vxlan->vni);
}

}  // namespace

void ControlServer::watch(const model::Watch& request, bool capture, model::Reply& reply) {
    auto spec = std::make_unique<WatchSpec>();
    const std::vector<uint64_t> packed(request.filter().begin(), request.filter().end());
    const PolicySnapshot& policy = *store_.current();
    for (size_t p = 0; p < policy.ports.size(); ++p)
        if (policy.ports[p].name == request.port()) spec->port = static_cast<PortId>(p);
    if (!request.port().empty() && spec->port == kNoPort)
        return reply.set_error(fmt::format("no port '{}'", request.port()));
    if (!request.port().empty() && policy.ports[spec->port].vxlan)
        return reply.set_error(unreceived(policy, policy.ports[spec->port]));
    if (packed.size() > 4096 || !WatchSpec::decode(packed, spec->filter))
        return reply.set_error("the filter is not a valid BPF program");
    spec->limit = request.limit();
    spec->snap_bytes = request.snap_bytes();
    spec->capture = capture;
    spec->trace = !capture;
    unwatch();
    watch_ = std::move(spec);
    const auto& workers = store_.appliance()->workers();
    if (const auto silent = execute_on_all<SetWatch>(workers, watch_.get()))
        reply.set_error(fmt::format("worker {} does not answer", *silent));
}

void ControlServer::unwatch() {
    if (watch_ == nullptr && still_read_.empty()) return;
    const auto& workers = store_.appliance()->workers();
    const bool all = !execute_on_all<SetWatch>(workers, nullptr);
    if (watch_ != nullptr) still_read_.push_back(std::move(watch_));
    if (all) still_read_.clear();
    traces_.clear();
}

}  // namespace ravelin
