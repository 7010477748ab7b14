// SPDX-License-Identifier: Apache-2.0
// What tests of reservations ask: what a configuration is compiled to, and live ones as nodes.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "controlplane/compile/compiler.h"
#include "controlplane/compile/promises.h"
#include "dataplane/reservations.h"

namespace ravelin::control {

inline Result<Compiled> compiled(const std::string& yaml) {
    Compiler compiler;
    return compiler.compile(yaml, "edge.yaml", SlotMap());
}
/// "granted", or why not.
inline std::string answer_to(const std::string& yaml) {
    const auto done = compiled(yaml);
    return done ? "granted" : done.error().message;
}
inline config::Node tree_of(const std::string& yaml) {
    auto done = compiled(yaml);
    EXPECT_TRUE(done.ok()) << done.error().message;
    return done ? std::move(done->tree) : config::Node::map();
}
inline std::vector<Reservation> read(const config::Node& tree, const config::Node& live = {}) {
    auto all = read_reservations(tree, live);
    EXPECT_TRUE(all.ok()) << all.error().message;
    return all ? std::move(*all) : std::vector<Reservation>();
}

inline uint64_t reserved(const config::Node& tree, const std::string& port) {
    for (const LinkUse& use : link_use(tree))
        if (use.port == port) return use.reserved;
    return 0;
}

/// A live reservation of who is called so; no ports: of cycles alone.
struct Wanted {
    std::string name;
    std::vector<std::string> cpu = {}, out = {};
    int64_t deadline = 9'000'000, rate = 100, bytes = 200;
};
inline config::Node node(const Wanted& wanted) {
    config::Node out = config::Node::map();
    out.set("name", config::Node::text("of-" + wanted.name));
    out.set("principal", config::Node::text(wanted.name));
    for (const auto& [member, texts] : {std::pair("cpu", &wanted.cpu), {"out", &wanted.out}}) {
        config::Node list = config::Node::list();
        for (const std::string& text : *texts) list.add(config::Node::text(text));
        if (!texts->empty()) out.set(member, std::move(list));
    }
    if (!wanted.out.empty()) out.set("bytes", config::Node::integer(wanted.bytes));
    out.set("rate", config::Node::integer(wanted.rate));
    out.set("deadline", config::Node::integer(wanted.deadline));
    return out;
}

inline std::string of(const std::string& name, const std::string& more) {
    return "- {name: of-" + name + ", principal: " + name + ", " + more + "}\n";
}
/// 1,000 cycles a microsecond, of which the core keeps half; three ports of unlike rates.
inline std::string three_ports(const std::string& reservations) {
    return "reservations:\n" + reservations + R"(functions: [{name: f, thin: {}, work: 600}]
workers: {poll: busy, cycles: 1000000000, core: {cpu: 50, burst: 100us}}
principals: [{name: a, function: f}, {name: b, function: f}, {name: c, function: f}, {name: d, caps: {bandwidth: 1Mbit}}]
ports: [{name: lan, device: 'null'}, {name: wan, device: 'null', rate: 1Gbit}, {name: lab, device: 'null', rate: 100Mbit}, {name: dmz, device: 'null', rate: 10Mbit}]
pipeline: [parse, steer, route, classify, invoke]
)";
}

}  // namespace ravelin::control
