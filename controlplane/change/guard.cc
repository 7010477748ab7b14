// SPDX-License-Identifier: Apache-2.0
#include "controlplane/change/guard.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

#include "pipelines/model/tree_codec.h"

namespace ravelin::control {
namespace {

using config::Node;

std::optional<uint16_t> port_of(const std::string& text) {
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

Node host(const IpAddress& address) {
    const Prefix whole{address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)};
    return Node::blob(Node::encode(std::vector{whole}));
}

Node port(uint16_t number) {
    return Node::blob(Node::encode(std::vector{config::PortRange{number, number}}));
}

Node protocol(const char* name) {
    Node out = Node::list();
    out.add(Node::text(name));
    return out;
}

}  // namespace

Result<model::Path> session_path(std::string_view ssh_connection) {
    std::istringstream words{std::string(ssh_connection)};
    std::string from, from_port, to, to_port, more;
    words >> from >> from_port >> to >> to_port >> more;
    const auto source = IpAddress::parse(from), destination = IpAddress::parse(to);
    const auto source_port = port_of(from_port), destination_port = port_of(to_port);
    if (!source || !destination || !source_port || !destination_port || !more.empty())
        return Error{fmt::format(
            "found '{}', expected CLIENT PORT SERVER PORT as in SSH_CONNECTION", ssh_connection)};
    Node rule = Node::map();
    rule.set("name", Node::text("session"));
    rule.set("action", Node::text("accept"));
    rule.set("from", host(*source));
    rule.set("to", host(*destination));
    rule.set("protocol", protocol("tcp"));
    rule.set("from-ports", port(*source_port));
    rule.set("to-ports", port(*destination_port));
    model::Path path;
    path.set_name(fmt::format("your session from {}", endpoint(*source, *source_port)));
    model::encode(rule, *path.mutable_rule());
    path.set_session(true);
    return path;
}

std::vector<model::Path> kept_paths(const Guard& guard, const Node& next, const Node& in_force) {
    std::vector<model::Path> out;
    if (guard.force) return out;
    const Node& named = next.has("management") ? next["management"] : in_force["management"];
    for (const Node& item : named.items()) {
        Node rule = item;
        rule.set("action", Node::text("accept"));
        model::Path& path = out.emplace_back();
        path.set_name(fmt::format("management '{}'", item["name"].as_text()));
        model::encode(rule, *path.mutable_rule());
    }
    if (guard.session) out.push_back(*guard.session);
    return out;
}

}  // namespace ravelin::control
