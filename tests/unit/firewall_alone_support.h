// SPDX-License-Identifier: Apache-2.0
// Random stateless and stateful rules over few values, packets for them, and what the rules mean.
#pragma once
#include <fmt/format.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/live_rule.h"

namespace ravelin::test {

using Random = std::mt19937_64;

inline unsigned below(Random& rng, unsigned end) { return static_cast<unsigned>(rng() % end); }

/// Hosts of one of two networks whose numbers are equal but for the last `free` bits.
struct Hosts {
    unsigned host = 0, free = 4;

    [[nodiscard]] bool hold(unsigned other) const { return other >> free == host >> free; }
    [[nodiscard]] std::string text(bool v6, unsigned network) const {
        const char* prefix = v6 ? "\"2001:db8:{}::{:x}/{}\"" : "10.0.{}.{}/{}";
        return fmt::format(fmt::runtime(prefix), network, host >> free << free,
                           (v6 ? 128 : 32) - free);
    }
};

struct Talk {
    bool v6, tcp;
    unsigned source, destination, source_port, port;
    const char* flags;  // of TCP

    static Talk random(Random& rng) {
        static constexpr const char* kFlags[] = {"ack",     "syn", "fin,ack", "rst",
                                                 "rst,ack", "fin", "syn,ack"};
        return {.v6 = below(rng, 4) == 0,
                .tcp = below(rng, 2) == 0,
                .source = below(rng, 16),
                .destination = below(rng, 16),
                .source_port = 1000 + below(rng, 8),
                .port = 20 + below(rng, 12),
                .flags = kFlags[below(rng, 3) == 0 ? below(rng, 7) : 0]};
    }
    [[nodiscard]] std::string text() const {
        const char* ends = v6 ? "{} [2001:db8:0::{:x}]:{} > [2001:db8:1::{:x}]:{}"
                              : "{} 10.0.0.{}:{} > 10.0.1.{}:{}";
        return fmt::format(fmt::runtime(ends), tcp ? "tcp" : "udp", source, source_port,
                           destination, port) +
               (tcp ? fmt::format(" {} seq=7 ack=9", flags) : "");
    }
};

struct Rule {
    uint32_t slot = 0;
    const char* action = "drop";
    bool stateful = true;
    unsigned over = 0;  // it takes what is beyond so many; 0: all
    std::optional<bool> v6, tcp;
    std::optional<Hosts> from, to;  // of that family
    std::optional<unsigned> port, in;
    unsigned ports = 1;

    static Rule random(Random& rng, uint32_t slot, bool with_flows) {
        const auto maybe = [&](unsigned one_in, auto make) -> std::optional<decltype(make())> {
            if (below(rng, one_in) != 0) return std::nullopt;
            return make();
        };
        Rule r;
        r.slot = slot;
        r.action = below(rng, 3) != 0                 ? "accept"
                   : with_flows && below(rng, 3) == 0 ? "reject"
                                                      : "drop";
        r.stateful = with_flows && below(rng, 2) == 0;
        if (below(rng, 8) == 0) r.over = 1 + below(rng, 40);
        r.v6 = below(rng, 4) == 0;
        r.tcp = maybe(2, [&] { return below(rng, 2) == 0; });
        r.from = maybe(2, [&] { return Hosts{below(rng, 16), below(rng, 4)}; });
        r.to = maybe(2, [&] { return Hosts{below(rng, 16), below(rng, 4)}; });
        if (!r.from && !r.to) r.v6.reset();
        r.port = maybe(2, [&] { return 20 + below(rng, 12); });
        r.ports = 1 + below(rng, 4);
        r.in = maybe(8, [&] { return below(rng, 2); });
        return r;
    }
    [[nodiscard]] std::string name() const { return fmt::format("r{}", slot); }
    [[nodiscard]] std::string yaml() const {
        std::string out = fmt::format("{{name: {}, slot: {}, action: {}", name(), slot, action);
        if (!stateful && std::string_view(action) == "accept") out += ", stateful: false";
        if (over != 0) out += fmt::format(", limit: {{every: 10s, burst: {}, over: true}}", over);
        if (from) out += ", from: " + from->text(*v6, 0);
        if (to) out += ", to: " + to->text(*v6, 1);
        if (tcp || port)
            out += !tcp ? ", protocol: [tcp, udp]" : *tcp ? ", protocol: tcp" : ", protocol: udp";
        if (port) out += fmt::format(", to-ports: {}-{}", *port, *port + ports);
        if (in) out += fmt::format(", in: {}", *in == 0 ? "lan" : "wan");
        return out + "}";
    }
    [[nodiscard]] bool matches(const Talk& t, unsigned in_port) const {
        return (!v6 || *v6 == t.v6) && (!tcp || *tcp == t.tcp) && (!from || from->hold(t.source)) &&
               (!to || to->hold(t.destination)) &&
               (!port || (*port <= t.port && t.port <= *port + ports)) && (!in || *in == in_port);
    }
    [[nodiscard]] bool accepts() const { return std::string_view(action) == "accept"; }
};

/// A configuration's rules, and what stateless ones mean.
struct Rules {
    std::vector<Rule> list;
    std::map<uint32_t, unsigned> taken;  // of the buckets of rules with `over`
    std::map<std::string, uint64_t> hits, drops;

    [[nodiscard]] std::string yaml(const std::string& options = "") const {
        std::string text;
        for (const Rule& r : list) text += (text.empty() ? "" : ", ") + r.yaml();
        return "mode: wire\nports: [{name: lan, device: 'null'}, {name: wan, device: 'null'}]\n"
               "pipeline: [parse, steer, wire, {firewall: {" +
               options + "rules: [" + text + "]}}]\n";
    }
    const Rule* first(const Talk& t, unsigned in_port, bool spend) {
        for (const Rule& r : list) {
            if (!r.matches(t, in_port)) continue;
            if (r.over != 0 && taken[r.slot] < r.over) {
                taken[r.slot] += spend ? 1 : 0;
                continue;
            }
            return &r;
        }
        return nullptr;
    }
    /// Whether it passes.
    bool judge(const Talk& t, unsigned in_port) {
        const std::string_view flags = t.tcp ? t.flags : "syn";
        if (flags == "fin") return ++drops["firewall.tcp_flags"], false;
        if (flags != "syn") {
            const Rule* tried = first(t, in_port, false);
            if (tried == nullptr || !tried->accepts())
                return ++drops["firewall.tcp_no_flow"], false;
        }
        const Rule* rule = first(t, in_port, true);
        ++hits[rule == nullptr ? "default" : rule->name()];
        if (rule == nullptr) return ++drops["firewall.default"], false;
        if (!rule->accepts()) return ++drops["firewall.rule"], false;
        return true;
    }
};

/// Rules that change, in one box or two.
class Scene {
  public:
    Scene(Random& rng, unsigned rules, bool with_flows) : rng_(rng), with_flows_(with_flows) {
        while (rules_.list.size() < rules)
            rules_.list.push_back(Rule::random(rng_, slots_++, with_flows));
    }
    [[nodiscard]] Rules& rules() { return rules_; }
    /// One rule comes or goes.
    firewall::RuleChanges change() {
        firewall::RuleChanges out;
        const size_t at = below(rng_, static_cast<unsigned>(rules_.list.size()));
        const auto place = rules_.list.begin() + static_cast<std::ptrdiff_t>(at);
        if (below(rng_, 2) == 0) {
            *out.Add() = rule_removed(place->name());
            rules_.list.erase(place);
            return out;
        }
        const Rule rule = Rule::random(rng_, slots_++, with_flows_);
        *out.Add() = rule_added(rule.yaml(), rule.slot);
        out.at(0).set_place(model::RuleChange::BEFORE);
        out.at(0).set_anchor(place->name());
        rules_.list.insert(place, rule);
        return out;
    }

  private:
    Random& rng_;
    bool with_flows_;
    uint32_t slots_ = 1;
    Rules rules_;
};

}  // namespace ravelin::test
