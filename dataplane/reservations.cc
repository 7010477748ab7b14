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

/// "wan", or "wan shared-with org/a".
struct Way {
    std::string port, shared_with;
};
Result<Way> way_of(const std::string& text) {
    const size_t word = (" " + text).find(" shared-with ");
    if (word == text.npos) return Way{text, {}};
    if (word == 0)
        return Error{
            fmt::format("out: found '{}', expected a port before it, as in 'wan {}'", text, text)};
    Way out{text.substr(0, word - 1), shared_with_of(text.substr(word))};
    if (out.shared_with.empty())
        return Error{fmt::format("out: found '{}', expected a principal behind shared-with", text)};
    return out;
}

Status read_link(const std::string& text, const Node& config, Reservation& out) {
    const auto way = way_of(text);
    if (!way) return way.error();
    const std::string& port = way->port;
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
    link.shared_with = way->shared_with;
    if (link.shared_with.empty()) link.contract.work = kEthernet.on_wire(link.frame_bytes);
    return link.shared_with.empty()
               ? ok_status()
               : check_uncapped(config["principals"], out.principal, "out", "bandwidth");
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
    out.relaxation = node["relaxation"].as_text();
    uint64_t before = 0;
    out.cycles.period_ns = period;
    out.cycles.deadline_ns = out.deadline_ns;
    if (out.has_cycles() && !out.links.empty() && node.has("cpu-deadline"))
        before = out.cycles.deadline_ns =
            std::min(static_cast<uint64_t>(node["cpu-deadline"].as_integer()), out.deadline_ns - 1);
    split_cycles(node["cpu-parts"], out.cycles.deadline_ns, out);
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

std::vector<std::string> Reservation::referents() const {
    std::vector<std::string> out;
    if (!referent.empty()) out.push_back(referent);
    for (const ReservedLink& link : links)
        if (!link.referent.empty()) out.push_back(link.referent);
    return out;
}

// The processor is a place like a port.
std::map<PortId, ReservationReader::Held> ReservationReader::places_of(const Reservation& one) {
    std::map<PortId, Held> out;
    const std::string cycles = one.cycles.work != 0 ? one.principal : one.shared_with;
    for (const ReservedLink& link : one.links)
        out[link.port] = {one.name, link.shared_with, link.frame_bytes, {}, cycles};
    if (one.has_cycles()) out[kNoPort] = {one.name, one.shared_with, 0, one.parts, cycles};
    return out;
}

Status ReservationReader::take(const Reservation& one) {
    if (names_.contains(one.name))
        return Error{
            fmt::format("name: '{}' is another's too, expected a different one", one.name)};
    const auto places = places_of(one);
    for (const auto& [place, held] : places)
        if (const auto other = held_.find({one.principal, place}); other != held_.end())
            return Error{fmt::format(
                "principal: '{}' has '{}' {} already, expected one a principal and port{}",
                one.principal, other->second.reservation,
                place == kNoPort ? "of cycles" : "at that port",
                place == kNoPort ? ", and of cycles" : "")};
    for (const auto& [place, held] : places) held_.emplace(std::pair(one.principal, place), held);
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
    for (const auto& [place, held] : places_of(reservation))
        held_.erase({reservation.principal, place});
}

Result<ReservationReader::End> ReservationReader::follow(const std::string& from,
                                                         const std::string& with,
                                                         PortId place) const {
    End out;
    std::string way = from;
    std::set<std::string> met{from};
    for (std::string at = with; !at.empty(); at = out.held->shared_with) {
        way += " -> " + at;
        if (!met.insert(at).second)
            return Error{fmt::format("shared in a circle, expected an end: {}", way)};
        const auto held = held_.find({at, place});
        if (held == held_.end())
            return Error{fmt::format(
                "shared with '{}', expected a principal that has reserved {}", at,
                place == kNoPort
                    ? "cycles"
                    : "of port " + (*config_)["ports"].items()[place]["name"].as_text())};
        out.held = &held->second;
        out.payer = at;
        if (out.referent.empty()) out.referent = out.held->reservation;
    }
    return out;
}

Status ReservationReader::resolve_cycles(Reservation& one) const {
    auto end = follow(one.principal, one.shared_with, kNoPort);
    if (!end) return std::move(end.error()).within("cpu");
    one.referent = end->referent;
    one.payer = end->payer;
    one.parts = end->held->parts;
    for (ReservedPart& part : one.parts) part.contract.work = 0;
    return check_shared(*config_, one.principal, end->held->parts);
}

// A circle is told of the cycles themselves.
std::string ReservationReader::paid_by(std::string cycles) const {
    for (size_t steps = 0; steps < held_.size() && !cycles.empty(); ++steps) {
        const auto held = held_.find({cycles, kNoPort});
        if (held == held_.end() || held->second.shared_with.empty()) break;
        cycles = held->second.shared_with;
    }
    return cycles;
}

// What cycles before take of the deadline is time by which packets may come to the port late, and
// close together. One queue there can be kept if it is the same time for all in it.
Status ReservationReader::resolve_link(const Reservation& one, ReservedLink& link) const {
    auto end = follow(one.principal, link.shared_with, link.port);
    if (!end) return std::move(end.error()).within("out");
    link.referent = end->referent;
    link.payer = end->payer;
    if (link.frame_bytes > end->held->frame_bytes)
        return Error{fmt::format(
            "bytes: found {}, expected at most the {} of '{}', whose bytes it shares", one.bytes,
            end->held->frame_bytes - (link.frame_bytes - one.bytes), link.payer)};
    const std::string own = paid_by(one.cycles.work != 0 ? one.principal : one.shared_with),
                      theirs = paid_by(end->held->cycles);
    if (own == theirs) return ok_status();
    const auto told = [](const std::string& of) {
        return of.empty() ? "no cycles" : fmt::format("cycles of '{}'", of);
    };
    return Error{
        fmt::format("found {} before the port, expected {} as '{}' has, whose bytes it shares",
                    told(own), told(theirs), link.payer)}
        .within("out");
}

Status ReservationReader::resolve(Reservation& one) const {
    Status s = one.shared_with.empty() ? ok_status() : resolve_cycles(one);
    for (size_t i = 0; s && i < one.links.size(); ++i)
        if (!one.links[i].shared_with.empty()) s = resolve_link(one, one.links[i]);
    return s ? s : Status(std::move(s.error()).within(one.place));
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
