// SPDX-License-Identifier: Apache-2.0
#include "dataplane/reservations.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/limits.h"
#include "dataplane/net/headers.h"
#include "dataplane/paced_link.h"
#include "dataplane/port_policies.h"
#include "dataplane/principals.h"

namespace ravelin {
namespace {

using config::Node;

constexpr uint64_t kSecond = 1'000'000'000;  // ns

/// Tags that packets leave `port` with, at most: in wire mode what passes may have some.
unsigned tags_of(const Node& config, const Node& port) {
    if (config["mode"].as_text() == "wire") return limits::kMaxVlanTags;
    const std::string& vlan = port["vlan"].as_text();
    if (vlan.empty()) return 0;
    return vlan.find('.') == vlan.npos ? 1 : 2;
}

/// Tags that packets leave `carrier` with, at most, by it or by what stands on it: whatever way a
/// principal's packets take they use one reservation.
unsigned most_tags_of(const Node& config, size_t carrier) {
    const auto& ports = config["ports"].items();
    unsigned most = 0;
    for (size_t i = 0; i < ports.size(); ++i)
        if (!ports[i].has("vxlan") && carrier_of(config["ports"], i) == carrier)
            most = std::max(most, tags_of(config, ports[i]));
    return most;
}

/// The port with the rate that orders what leaves `out`.
Result<size_t> scheduler_of(const Node& ports, const std::string& out) {
    const auto& all = ports.items();
    const auto found =
        std::ranges::find(all, out, [](const Node& port) { return port["name"].as_text(); });
    if (found == all.end())
        return Error{fmt::format("out: found '{}', expected the name of a port", out)};
    if (found->has("vxlan"))
        return Error{
            fmt::format("out: found '{}', an end of tunnels, expected a port with a rate", out)};
    const size_t carrier = carrier_of(ports, static_cast<size_t>(found - all.begin()));
    if (!all[carrier].has("rate"))
        return Error{fmt::format(
            "out: port {} has no rate, so nothing would order its frames by deadline", out)};
    return carrier;
}

Result<Reservation> reservation_of(const Node& node, const Node& config) {
    if (node.has("cpu"))
        return Error{fmt::format(
            "cpu: found '{}', expected none: workers run no functions yet whose cycles could be "
            "kept for anybody",
            node["cpu"].as_text())};
    Reservation out;
    out.name = node["name"].as_text();
    out.principal = node["principal"].as_text();
    if (auto wrong = undeclared(out.principal, config["principals"])) return std::move(*wrong);
    const std::string& port = node["out"].as_text();
    const auto carrier = scheduler_of(config["ports"], port);
    if (!carrier) return carrier.error();
    out.port = static_cast<PortId>(*carrier);
    out.bytes = static_cast<uint64_t>(node["bytes"].as_integer());
    out.frame_bytes =
        out.bytes + sizeof(net::Ethernet) + most_tags_of(config, *carrier) * sizeof(net::VlanTag);
    out.contract.work = kEthernet.on_wire(out.frame_bytes);
    out.contract.period_ns = kSecond / static_cast<uint64_t>(node["rate"].as_integer());
    out.contract.deadline_ns = node.has("deadline")
                                   ? static_cast<uint64_t>(node["deadline"].as_integer())
                                   : out.contract.period_ns;
    return out;
}

}  // namespace

std::string place_of_live(const Node& node) { return "live reservation " + node["name"].as_text(); }

Status ReservationReader::take(const Reservation& one) {
    if (names_.contains(one.name))
        return Error{
            fmt::format("name: '{}' is another's too, expected a different one", one.name)};
    const auto [other, fresh] = taken_.emplace(std::pair(one.principal, one.port), one.name);
    if (!fresh)
        return Error{fmt::format(
            "principal: '{}' has '{}' at that port already, expected one a principal and port",
            one.principal, other->second)};
    names_.insert(one.name);
    return ok_status();
}

Result<Reservation> ReservationReader::read(const Node& node, const std::string& place) {
    auto one = reservation_of(node, *config_);
    if (auto s = one ? take(*one) : Status(std::move(one.error())); !s)
        return std::move(s.error()).within(place);
    one->place = place;
    return one;
}

void ReservationReader::forget(const Reservation& reservation) {
    names_.erase(reservation.name);
    taken_.erase({reservation.principal, reservation.port});
}

Result<std::vector<Reservation>> read_reservations(const Node& config, const Node& live) {
    std::vector<Reservation> out;
    ReservationReader reader(config);
    const auto& nodes = config["reservations"].items();
    for (size_t i = 0; i < nodes.size() + live.items().size(); ++i) {
        auto one = i < nodes.size() ? reader.read(nodes[i], fmt::format("reservations[{}]", i))
                                    : reader.read(live.items()[i - nodes.size()],
                                                  place_of_live(live.items()[i - nodes.size()]));
        if (!one) return std::move(one.error());
        out.push_back(std::move(*one));
    }
    return out;
}

}  // namespace ravelin
