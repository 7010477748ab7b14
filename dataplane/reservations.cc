// SPDX-License-Identifier: Apache-2.0
#include "dataplane/reservations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

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

/// The function of `principal` takes no more than `cycles`, and none of any
/// other principal longer than can be reckoned with.
Status check_work(const Node& config, const std::string& principal, uint64_t cycles) {
    const auto& functions = config["functions"].items();
    const auto& principals = config["principals"].items();
    for (const Node& function : functions)
        if (!function.has("work"))
            return Error{fmt::format(
                "cpu: function '{}' does not say its work, expected that of each while cycles are "
                "reserved",
                function["name"].as_text())};
    const auto named = [](const auto& list, const std::string& name) {
        return std::ranges::find(list, name, [](const Node& n) { return n["name"].as_text(); });
    };
    const auto who = named(principals, principal);
    if (who == principals.end() || !who->has("function"))
        return Error{fmt::format("cpu: found for '{}', which has no function, expected one with",
                                 principal)};
    const auto function = named(functions, (*who)["function"].as_text());
    if (function == functions.end()) return ok_status();  // told where it stands
    // Each hop would be a job by itself, a period behind the one before.
    if (function->has("next"))
        return Error{fmt::format(
            "cpu: found for '{}', whose function '{}' passes packets on to '{}', expected one that "
            "does not: cycles of chains are not promised",
            principal, (*who)["function"].as_text(), (*function)["next"].as_text())};
    const auto work = static_cast<uint64_t>((*function)["work"].as_integer());
    if (work > cycles)
        return Error{fmt::format(
            "cpu: found {} cycles, expected at least the {} that its function says a packet takes",
            cycles, work)};
    return ok_status();
}

Status read_cycles(const Node& node, const Node& config, Reservation& out) {
    const auto cycles = cycles_of(node["cpu"].as_text());
    if (!cycles) return cycles.error();
    out.cycles.work = *cycles;
    return check_work(config, out.principal, *cycles);
}

Status read_link(const Node& node, const Node& config, Reservation& out) {
    const std::string& port = node["out"].as_text();
    const auto carrier = scheduler_of(config["ports"], port);
    if (!carrier) return carrier.error();
    if (!node.has("bytes"))
        return Error{"bytes: is missing, expected those of the longest IP packet"};
    out.port = static_cast<PortId>(*carrier);
    out.bytes = static_cast<uint64_t>(node["bytes"].as_integer());
    out.frame_bytes =
        out.bytes + sizeof(net::Ethernet) + most_tags_of(config, *carrier) * sizeof(net::VlanTag);
    out.contract.work = kEthernet.on_wire(out.frame_bytes);
    return ok_status();
}

// Until admission has found the split both have all of it.
void read_times(const Node& node, Reservation& out) {
    const uint64_t period = kSecond / static_cast<uint64_t>(node["rate"].as_integer());
    out.deadline_ns =
        node.has("deadline") ? static_cast<uint64_t>(node["deadline"].as_integer()) : period;
    out.contract.period_ns = out.cycles.period_ns = period;
    out.contract.deadline_ns = out.cycles.deadline_ns = out.deadline_ns;
    if (out.cycles.work == 0 || out.contract.work == 0 || !node.has("cpu-deadline")) return;
    out.cycles.deadline_ns =
        std::min(static_cast<uint64_t>(node["cpu-deadline"].as_integer()), out.deadline_ns - 1);
    out.contract.deadline_ns = out.deadline_ns - out.cycles.deadline_ns;
}

Result<Reservation> reservation_of(const Node& node, const Node& config) {
    Reservation out;
    out.name = node["name"].as_text();
    out.principal = node["principal"].as_text();
    if (auto wrong = undeclared(out.principal, config["principals"])) return std::move(*wrong);
    if (!node.has("cpu") && !node.has("out"))
        return Error{"out: is missing, expected a port, cycles of cpu, or both"};
    if (!node.has("out") && node.has("bytes"))
        return Error{"bytes: found without out, expected a port that they leave by"};
    if (node.has("cpu"))
        if (auto s = read_cycles(node, config, out); !s) return std::move(s.error());
    if (node.has("out"))
        if (auto s = read_link(node, config, out); !s) return std::move(s.error());
    read_times(node, out);
    return out;
}

}  // namespace

Result<uint64_t> cycles_of(const std::string& text) {
    constexpr std::string_view kUnit = "cyc/pkt";
    constexpr uint64_t kMost = 1'000'000'000;
    uint64_t cycles = 0;
    const char* const end = text.data() + text.size();
    const auto [unit, wrong] = std::from_chars(text.data(), end, cycles);
    if (wrong != std::errc{} || std::string_view(unit, end) != kUnit || cycles == 0 ||
        cycles > kMost)
        return Error{fmt::format(
            "cpu: found '{}', expected cycles a packet like 600cyc/pkt, at most {}", text, kMost)};
    return cycles;
}

std::string place_of_live(const Node& node) { return "live reservation " + node["name"].as_text(); }

// The processor is a place like a port.
std::vector<PortId> ReservationReader::places_of(const Reservation& one) {
    std::vector<PortId> out;
    if (one.port != kNoPort) out.push_back(one.port);
    if (one.cycles.work != 0) out.push_back(kNoPort);
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
