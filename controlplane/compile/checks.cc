// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "dataplane/address.h"
#include "dataplane/limits.h"

namespace ravelin::control {
namespace {

using config::Node;
using config::Positions;

Error at(const Positions& positions, const std::string& path, const std::string& what) {
    return Error{fmt::format("{}: {}: {}", positions.at(path), path, what)};
}

std::string port_path(size_t index, std::string_view member) {
    return fmt::format("ports[{}].{}", index, member);
}

/// No two ports share what `member` says.
Status check_unique(const std::vector<Node>& ports, std::string_view member,
                    const Positions& positions) {
    std::map<std::string, size_t> seen;
    for (size_t i = 0; i < ports.size(); ++i) {
        if (!ports[i].has(member)) continue;
        const std::string& value = ports[i][member].as_text();
        if (member == "device" && value == "null") continue;  // any number of null devices
        const auto [first, fresh] = seen.try_emplace(value, i);
        if (fresh) continue;
        return at(positions, port_path(i, member),
                  fmt::format("'{}' is that of the port at {} too, expected a different one", value,
                              positions.at(port_path(first->second, member))));
    }
    return ok_status();
}

bool overlap(const Prefix& a, const Prefix& b) {
    // Every link has fe80::/64; the port tells them apart.
    if (a.is_v4() != b.is_v4() || a.address.is_link_local()) return false;
    return a.contains(b.address) || b.contains(a.address);
}

Status check_addresses(const std::vector<Node>& ports, const Positions& positions) {
    std::vector<std::pair<Prefix, size_t>> seen;
    for (size_t i = 0; i < ports.size(); ++i) {
        for (const Prefix& own : ports[i]["addresses"].as_prefixes()) {
            if (own.address.is_multicast() || own.address.is_unspecified() ||
                own.address.is_loopback())
                return at(positions, port_path(i, "addresses"),
                          fmt::format("{} cannot be a port's, expected a unicast address",
                                      own.to_string()));
            for (const auto& [other, port] : seen)
                if ((port != i && overlap(own, other)) || own.address == other.address)
                    return at(positions, port_path(i, "addresses"),
                              fmt::format(
                                  "{} overlaps {} of port '{}' at {}, expected networks of its own",
                                  own.to_string(), other.to_string(), ports[port]["name"].as_text(),
                                  positions.at(port_path(port, "addresses"))));
            seen.emplace_back(own, i);
        }
    }
    return ok_status();
}

std::string peer_of(const std::vector<Node>& ports, size_t i) {
    const std::string& named = ports[i]["peer"].as_text();
    return named.empty() && ports.size() == 2 ? ports[1 - i]["name"].as_text() : named;
}

Status check_wires(const std::vector<Node>& ports, const Positions& positions) {
    for (size_t i = 0; i < ports.size(); ++i) {
        const std::string& name = ports[i]["name"].as_text();
        const std::string peer = peer_of(ports, i);
        if (peer.empty())
            return at(positions, port_path(i, "peer"),
                      fmt::format("is missing, wire mode needs one for port '{}'", name));
        const auto other =
            std::ranges::find(ports, peer, [](const Node& p) { return p["name"].as_text(); });
        if (other == ports.end() || peer == name)
            return at(positions, port_path(i, "peer"),
                      fmt::format("found '{}', expected the name of another port", peer));
        const std::string back = peer_of(ports, static_cast<size_t>(other - ports.begin()));
        if (back != name)
            return at(
                positions, port_path(i, "peer"),
                fmt::format("'{}' names '{}' as its own peer, expected '{}'", peer, back, name));
    }
    return ok_status();
}

Status check_mode(const Node& tree, const Positions& positions) {
    const auto& ports = tree["ports"].items();
    if (tree["mode"].as_text() == "wire") return check_wires(ports, positions);
    for (size_t i = 0; i < ports.size(); ++i)
        if (ports[i].has("peer"))
            return at(positions, port_path(i, "peer"),
                      "found in mode router, expected only in mode wire");
    return ok_status();
}

Status check_ports(const Node& tree, const Positions& positions) {
    const auto& ports = tree["ports"].items();
    if (ports.empty() || ports.size() > limits::kMaxPorts)
        return at(positions, "ports",
                  fmt::format("found {}, expected 1 to {}", ports.size(), limits::kMaxPorts));
    for (size_t i = 0; i < ports.size(); ++i)
        if (ports[i]["name"].as_text() == "local")
            return at(positions, port_path(i, "name"),
                      "found 'local', which rules call the box itself, expected another");
    for (const std::string_view member : {"name", "device"})
        if (auto s = check_unique(ports, member, positions); !s) return s;
    return check_addresses(ports, positions);
}

Status check_pipeline(const Node& tree, const Positions& positions) {
    std::map<std::string_view, size_t> seen;
    const auto& stages = tree["pipeline"].items();
    if (stages.empty()) return at(positions, "pipeline", "is empty, expected stages");
    for (size_t i = 0; i < stages.size(); ++i) {
        const std::string& name = stages[i].members().front().first;
        if (!seen.try_emplace(name, i).second)
            return at(positions, "pipeline." + name, "is in the pipeline twice, expected once");
    }
    return ok_status();
}

Status check_principals(const Node& tree, const Positions& positions) {
    if (tree["principals"].items().empty()) return ok_status();
    for (const Node& stage : tree["pipeline"].items())
        if (stage.members().front().first == "classify") return ok_status();
    return at(positions, "principals",
              "found without the stage classify, expected that in the pipeline, behind firewall "
              "where there is one");
}

Status check_functions(const Node& tree, const Positions& positions) {
    if (tree["functions"].items().empty()) return ok_status();
    // What decides about a packet comes before its function, what makes it ready to leave behind:
    // ways that are learned of packets would pass the function by.
    std::set<std::string> before;
    for (const Node& stage : tree["pipeline"].items()) {
        const std::string& name = stage.members().front().first;
        if (name != "invoke") {
            before.insert(name);
            continue;
        }
        for (const char* first : {"steer", "classify"})
            if (!before.contains(first))
                return at(positions, "pipeline.invoke",
                          fmt::format("found before {}, expected it behind", first));
        for (const char* later : {"clamp", "rewrite"})
            if (before.contains(later))
                return at(positions, "pipeline.invoke",
                          fmt::format("found behind {}, expected it before", later));
        return ok_status();
    }
    return at(positions, "functions",
              "found without the stage invoke behind classify, expected both in the pipeline");
}

Status check_management(const Node& tree, const Positions& positions) {
    std::map<std::string, size_t> seen;
    const auto& paths = tree["management"].items();
    for (size_t i = 0; i < paths.size(); ++i) {
        const auto path = [i](const char* member) {
            return fmt::format("management[{}].{}", i, member);
        };
        if (!seen.try_emplace(paths[i]["name"].as_text(), i).second)
            return at(positions, path("name"), "two paths have it, expected another name");
        for (const std::string& in : paths[i]["in"].as_names())
            if (std::ranges::none_of(tree["ports"].items(),
                                     [&](const Node& p) { return p["name"].as_text() == in; }))
                return at(positions, path("in"),
                          fmt::format("found '{}', expected the name of a port", in));
        for (const char* member : {"from", "to"})
            if (paths[i][member].as_prefixes().empty())
                return at(positions, path(member), "is empty, expected addresses");
    }
    return ok_status();
}

Status check_control(const Node& tree, const Positions& positions) {
    const std::string& metrics = tree["control"]["metrics"].as_text();
    if (metrics.empty() || metrics == "off") return ok_status();
    if (auto endpoint = parse_endpoint(metrics); !endpoint)
        return at(positions, "control.metrics", endpoint.error().message);
    return ok_status();
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
    const Error wrong{fmt::format(
        "found '{}', expected ADDRESS:PORT like 127.0.0.1:9477 or [::1]:9477, or off", text)};
    const size_t colon = text.rfind(':');
    if (colon == text.npos || colon == 0) return wrong;
    Endpoint out;
    out.host = text.substr(0, colon);
    const bool bracketed = out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']';
    if (bracketed) out.host = out.host.substr(1, out.host.size() - 2);
    const auto address = IpAddress::parse(out.host);
    if (!address || address->is_v4() == bracketed) return wrong;
    const char *first = text.data() + colon + 1, *last = text.data() + text.size();
    const auto [end, error] = std::from_chars(first, last, out.port);
    if (error != std::errc{} || end != last || out.port == 0) return wrong;
    return out;
}

Status check_configuration(const Node& tree, const Positions& positions) {
    for (const auto check : {check_ports, check_mode, check_pipeline, check_principals,
                             check_functions, check_management, check_control})
        if (auto s = check(tree, positions); !s) return s;
    return ok_status();
}

}  // namespace ravelin::control
