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

Status read_link(const std::string& port, const Node& config, Reservation& out) {
    const auto carrier = scheduler_of(config["ports"], port);
    if (!carrier) return carrier.error();
    for (const ReservedLink& other : out.links)
        if (other.port == *carrier)
            return Error{fmt::format(
                "out: found '{}', which leaves by a port that is named already, expected each once",
                port)};
    ReservedLink& link = out.links.emplace_back();
    link.port = static_cast<PortId>(*carrier);
    link.frame_bytes =
        out.bytes + sizeof(net::Ethernet) + most_tags_of(config, *carrier) * sizeof(net::VlanTag);
    link.contract.work = kEthernet.on_wire(link.frame_bytes);
    return ok_status();
}

Status read_links(const Node& node, const Node& config, Reservation& out) {
    if (!node.has("bytes"))
        return Error{"bytes: is missing, expected those of the longest IP packet"};
    out.bytes = static_cast<uint64_t>(node["bytes"].as_integer());
    for (const std::string& port : texts_of(node["out"]))
        if (auto s = read_link(port, config, out); !s) return s;
    return ok_status();
}

// Until admission has found the split all have all of it.
void read_times(const Node& node, Reservation& out) {
    const uint64_t period = kSecond / static_cast<uint64_t>(node["rate"].as_integer());
    out.deadline_ns =
        node.has("deadline") ? static_cast<uint64_t>(node["deadline"].as_integer()) : period;
    uint64_t before = 0;
    out.cycles.period_ns = period;
    out.cycles.deadline_ns = out.deadline_ns;
    if (out.has_cycles() && !out.links.empty() && node.has("cpu-deadline"))
        before = out.cycles.deadline_ns =
            std::min(static_cast<uint64_t>(node["cpu-deadline"].as_integer()), out.deadline_ns - 1);
    for (ReservedLink& link : out.links) {
        link.contract.period_ns = period;
        link.contract.deadline_ns = out.deadline_ns - before;
    }
}

Result<Reservation> reservation_of(const Node& node, const Node& config) {
    Reservation out;
    out.name = node["name"].as_text();
    out.principal = node["principal"].as_text();
    if (auto wrong = undeclared(out.principal, config["principals"])) return std::move(*wrong);
    const bool leaves = !texts_of(node["out"]).empty();
    if (!node.has("cpu") && !leaves)
        return Error{"out: is missing, expected a port, cycles of cpu, or both"};
    if (!leaves && node.has("bytes"))
        return Error{"bytes: found without out, expected a port that they leave by"};
    if (node.has("cpu"))
        if (auto s = read_cycles(node["cpu"], config, out); !s) return std::move(s.error());
    if (leaves)
        if (auto s = read_links(node, config, out); !s) return std::move(s.error());
    read_times(node, out);
    return out;
}

}  // namespace

std::vector<std::string> texts_of(const Node& list) {
    if (list.kind() == Node::Kind::kText) return {list.as_text()};
    return list.as_names();
}

std::string place_of_live(const Node& node) { return "live reservation " + node["name"].as_text(); }

// The processor is a place like a port.
std::vector<PortId> ReservationReader::places_of(const Reservation& one) {
    std::vector<PortId> out;
    for (const ReservedLink& link : one.links) out.push_back(link.port);
    if (one.has_cycles()) out.push_back(kNoPort);
    return out;
}

Status ReservationReader::take(const Reservation& one) {
    if (names_.contains(one.name))
        return Error{
            fmt::format("name: '{}' is another's too, expected a different one", one.name)};
    for (const PortId place : places_of(one))
        if (const auto other = taken_.find({one.principal, place}); other != taken_.end())
            return Error{fmt::format(
                "principal: '{}' has '{}' {} already, expected one a principal and port{}",
                one.principal, other->second, place == kNoPort ? "of cycles" : "at that port",
                place == kNoPort ? ", and of cycles" : "")};
    for (const PortId place : places_of(one))
        taken_.emplace(std::pair(one.principal, place), one.name);
    names_.insert(one.name);
    if (one.has_cycles())
        cycles_.emplace(one.principal,
                        Cycles{one.name, one.shared_with, one.cycles.work, one.runs.size()});
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
    for (const PortId place : places_of(reservation)) taken_.erase({reservation.principal, place});
    if (reservation.has_cycles()) cycles_.erase(reservation.principal);
}

Status ReservationReader::resolve(Reservation& one) const {
    if (one.shared_with.empty()) return ok_status();
    std::string way = one.principal;
    std::set<std::string> met{one.principal};
    for (std::string at = one.shared_with;;) {
        way += " -> " + at;
        if (!met.insert(at).second)
            return Error{
                fmt::format("{}: cpu: shared in a circle, expected an end: {}", one.place, way)};
        const auto held = cycles_.find(at);
        if (held == cycles_.end())
            return Error{fmt::format(
                "{}: cpu: shared with '{}', expected a principal that has reserved cycles",
                one.place, at)};
        if (met.size() == 2) one.referent = held->second.reservation;
        one.payer = at;
        one.hops = static_cast<unsigned>(met.size()) - 1;
        at = held->second.shared_with;
        if (!at.empty()) continue;
        auto s = check_shared(*config_, one.principal, held->second.work, held->second.runs);
        return s ? s : Status(std::move(s.error()).within(one.place));
    }
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
    for (Reservation& one : out)
        if (auto s = reader.resolve(one); !s) return std::move(s.error());
    return out;
}

}  // namespace ravelin
